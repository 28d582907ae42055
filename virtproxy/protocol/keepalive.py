# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keepalive program: either side may ask whether the other is there, and be answered.
"""

from __future__ import annotations

from virtproxy.protocol.schema import Family, Program

PROGRAM = Program(0x6B656570, 1, "keepalive", Family.DAEMON)
event = PROGRAM.event

PING = event(1, "PING", None)

PONG = event(2, "PONG", None)
