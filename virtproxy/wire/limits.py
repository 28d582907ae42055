# SPDX-License-Identifier: LGPL-2.1-or-later
"""The limits of the wire, named once; every reader checks against these before it takes memory.

The numbers are those of libvirt's message layer; a peer that goes over one of them is cut off.
"""

from __future__ import annotations

LENGTH_SIZE = 4
HEADER_SIZE = 24
FD_COUNT_SIZE = 4
# The length of a message does not count the four bytes that carry it.
MESSAGE_MAX = 32 * 1024 * 1024
PACKET_MIN = LENGTH_SIZE + HEADER_SIZE
PACKET_MAX = LENGTH_SIZE + MESSAGE_MAX
STRING_MAX = 4 * 1024 * 1024
FDS_MAX = 32
# The largest call of a login, AUTH_SASL_START: 64 KiB of data, as chars of four bytes each, and a mechanism's name.
LOGIN_PACKET_MAX = PACKET_MIN + 4 * 65536 + 4096
# Old clients reject a larger stream packet, so nobody sends one.
STREAM_PAYLOAD_MAX = 262120
