# SPDX-License-Identifier: LGPL-2.1-or-later
"""Typed parameters.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntFlag

from virtproxy.protocol.common import TypedParameterType

__all__ = ["TypedParameterFlags", "TypedParameterType"]


class TypedParameterFlags(IntFlag):
    """virTypedParameterFlags: VIR_TYPED_PARAM_*."""

    STRING_OKAY = 1 << 2
