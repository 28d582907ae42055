# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams and the event loop.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntFlag


class StreamFlags(IntFlag):
    """virStreamFlags: VIR_STREAM_*."""

    NONBLOCK = 1 << 0


class StreamRecvFlagsValues(IntFlag):
    """virStreamRecvFlagsValues: VIR_STREAM_RECV_*."""

    STOP_AT_HOLE = 1 << 0


class StreamEventType(IntFlag):
    """virStreamEventType: VIR_STREAM_EVENT_*."""

    READABLE = 1 << 0
    WRITABLE = 1 << 1
    ERROR = 1 << 2
    HANGUP = 1 << 3


class EventHandleType(IntFlag):
    """virEventHandleType: VIR_EVENT_HANDLE_*."""

    READABLE = 1 << 0
    WRITABLE = 1 << 1
    ERROR = 1 << 2
    HANGUP = 1 << 3
