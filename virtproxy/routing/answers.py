# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packets that a daemon itself answers with: a refusal, an empty reply, a broken stream.

The session, the edge and the relay use them; what a backend says is passed on as it came. And the one answer that
is for ourselves: what a stage asked a backend.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol.schema import Procedure, error_frame
from virtproxy.rpc.client import error_of
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import ERROR, OK, REPLY, STREAM, Frame, pack


def error_reply(call: Frame, error: VirtError) -> Frame:
    """The error reply to `call`."""
    return _error(call, error, REPLY)


def reply_to(call: Frame, payload: bytes = b"") -> Frame:
    """The good reply to `call`, with an encoded result."""
    return pack(call.program, call.version, call.procedure, REPLY, call.serial, OK, payload)


def stream_error(call: Frame, error: VirtError) -> Frame:
    """The packet that breaks the stream which `call` opened."""
    return _error(call, error, STREAM)


def hand_over(frame: Frame, procedure: Procedure[Any, Any], answer: Deferred[Any]) -> None:
    """Fire `answer` with the result that a reply carries, or with its error."""
    if frame.status == ERROR:
        answer.errback(error_of(frame))
        return
    try:
        result = procedure.decode_ret(frame)
    except WireError as failure:
        answer.errback(errors.rpc(f"the reply to {procedure.name} cannot be read: {failure}"))
        return
    answer.callback(result)


def settled(answer: Deferred[Any]) -> Deferred[Any]:
    """The answer, with an error as its value: nobody may be listening when it comes."""

    def as_value(failure: Failure) -> BaseException | None:
        return failure.value

    return answer.addErrback(as_value)


def _error(call: Frame, error: VirtError, kind: int) -> Frame:
    net = error.to_net()
    return error_frame(call.program, call.version, call.procedure, call.serial, net, kind)
