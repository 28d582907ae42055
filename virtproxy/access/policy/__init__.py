# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy: who may do what to which things. Its file, its compiled form and its decisions."""

from __future__ import annotations
