# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packets that a daemon itself answers with: a refusal, an empty reply, a broken stream.

The session, the edge and the relay use them; what a backend says is passed on as it came.
"""

from __future__ import annotations

from virtproxy.errors import VirtError
from virtproxy.protocol.schema import error_frame
from virtproxy.wire.frame import OK, REPLY, STREAM, Frame, pack


def error_reply(call: Frame, error: VirtError) -> Frame:
    """The error reply to `call`."""
    return _error(call, error, REPLY)


def reply_to(call: Frame, payload: bytes = b"") -> Frame:
    """The good reply to `call`, with an encoded result."""
    return pack(call.program, call.version, call.procedure, REPLY, call.serial, OK, payload)


def stream_error(call: Frame, error: VirtError) -> Frame:
    """The packet that breaks the stream which `call` opened."""
    return _error(call, error, STREAM)


def _error(call: Frame, error: VirtError, kind: int) -> Frame:
    net = error.to_net()
    return error_frame(call.program, call.version, call.procedure, call.serial, net, kind)
