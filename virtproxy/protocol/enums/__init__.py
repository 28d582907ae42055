# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's public enumerations, one module an object family."""

from __future__ import annotations
