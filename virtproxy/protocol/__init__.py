# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be said: the declarations of libvirt's programs."""

from __future__ import annotations
