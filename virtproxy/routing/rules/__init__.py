# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stages: read-only gate, limits, access rules, policy, audit, each as one session has it."""

from __future__ import annotations
