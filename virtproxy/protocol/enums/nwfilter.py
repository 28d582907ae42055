# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network filters.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntFlag


class NWFilterDefineFlags(IntFlag):
    """virNWFilterDefineFlags: VIR_NWFILTER_DEFINE_*."""

    VALIDATE = 1 << 0


class NWFilterBindingCreateFlags(IntFlag):
    """virNWFilterBindingCreateFlags: VIR_NWFILTER_BINDING_CREATE_*."""

    VALIDATE = 1 << 0
