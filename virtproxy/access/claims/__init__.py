# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an XML document lays claim to: files, devices, networks, raw command lines. Facts only; a policy judges them."""

from __future__ import annotations
