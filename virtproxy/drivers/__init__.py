# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers, one package each; none imports another."""

from __future__ import annotations
