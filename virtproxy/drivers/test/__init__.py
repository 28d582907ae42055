# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver: a pretended host in memory."""

from __future__ import annotations
