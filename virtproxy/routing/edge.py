# SPDX-License-Identifier: LGPL-2.1-or-later
"""The procedures that a daemon answers itself: logins, opening and closing, features, identity.

The session offers every call that needs thought; what this file does not serve is forwarded. The
`edge` of each declaration names the method.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, FirstError, ensureDeferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy import errors
from virtproxy.auth.login import Login, LoginRefused
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import features, remote
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.routing.answers import reply_to
from virtproxy.routing.identity_params import identity_of
from virtproxy.wire.codec import Struct, WireError, encode
from virtproxy.wire.frame import Frame

if TYPE_CHECKING:
    from virtproxy.routing.session import Session

A = TypeVar("A", bound=Struct | None)
CONNECT_RO = 1
CLOSE_REASON_EOF = 1


class Edge:
    """The daemon's own answers within one session."""

    _log = Logger()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._under_way: Deferred[None] | None = None
        # The call that this answers.
        self.serving: Frame | None = None

    def served(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        """Whether the daemon takes this call itself; VirtError refuses it."""
        serve = _SERVED.get(procedure.edge)
        if serve is None or not serve(self, frame, procedure):
            return False
        # None of these takes descriptors, and nobody else would close them.
        self._session.client.discard(frame)
        return True

    def cancel(self) -> None:
        """The client is gone: nobody waits for what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
        self._session.gate.close()

    def break_off(self, error: VirtError) -> None:
        """Answer what is under way with `error`."""
        if self._under_way is not None and self.serving is not None:
            self._session.refuse(self.serving, error)
            self._under_way.cancel()

    # Authentication

    def _auth(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        gate = self._session.gate
        if procedure is remote.AUTH_LIST:
            types = [remote.AuthType(kind) for kind in gate.auth_list()]
            self._reply(frame, encode(remote.AuthListRet(types=types)))
        elif gate.login is not None:
            args = _arguments(procedure, frame)
            gate.begin()
            self._run(self._log_in(gate.login, frame, procedure, args), frame, lambda: None)
        return True

    async def _log_in(self, login: Login, frame: Frame, procedure: Procedure[Any, Any], args: Any) -> None:
        session = self._session
        try:
            progress = await login.serve(procedure, args, session.identity)
        except LoginRefused as refusal:
            who = session.identity.describe()
            self._log.warn("the login of {who} failed: {why}", who=who, why=refusal.why, client=session)
            session.login_refusal = refusal.why
            session.gate.end(complete=False)
            raise
        except BaseException:
            session.gate.end(complete=False)
            raise
        if progress.identity is None:
            session.gate.end(complete=False)
        else:
            self._admit(progress.identity)
        if progress.layer is not None:
            session.client.protect_after(frame.serial, progress.layer)
        self._reply(frame, encode(progress.reply))

    def _admit(self, identity: Identity) -> None:
        """The client is who it says: everything that depends on that is worked out anew."""
        self._session.identity = identity
        self._session.gate.end(complete=True)
        self._session.refresh()
        self._log.info("a client logged in: {who}", who=identity.describe(), client=self._session)

    # Opening and closing

    def _open(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        session = self._session
        args = _arguments(remote.CONNECT_OPEN, frame)
        if session.primary is not None:
            anew = errors.internal("the connection was opened anew")
            session.detach(anew)
            session.pipeline.abandon(anew)
            raise errors.internal("connection already open")
        # Read-only is for good: no later opening takes it back.
        session.flags = args.flags | session.flags & CONNECT_RO
        if session.identity.readonly_socket:
            session.flags |= CONNECT_RO
        session.opening = True
        session.refresh()
        self._run(self._open_uri(frame, args.name), frame, session.opened)
        return True

    async def _open_uri(self, frame: Frame, uri: str | None) -> None:
        session = self._session
        route = session.router.route(uri or session.router.default_uri())
        primary = session.new_backend(route, Family.HYPERVISOR)
        try:
            await primary.open()
        except BaseException:
            primary.close()
            raise
        session.attach(route, primary)
        self._reply(frame)

    def _close(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        self._reply(frame)
        self._session.client.close("the client closed the connection")
        return True

    # Features

    def _feature(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        feature = _arguments(remote.CONNECT_SUPPORTS_FEATURE, frame).feature
        if feature == features.Feature.PROGRAM_KEEPALIVE:
            self._session.client.start_keepalive()
        elif feature not in features.ANSWERED_BY_DAEMON:
            return False
        elif self._session.primary is None:
            raise errors.internal("hypervisor connection not open")
        self._reply(frame, encode(remote.ConnectSupportsFeatureRet(supported=1)))
        return True

    # Identity

    def _identity(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        """A privileged caller speaks for somebody else; anyone could claim to be root otherwise."""
        session = self._session
        if session.primary is None:
            raise errors.internal("hypervisor connection not open")
        if session.identity.uid is None or session.identity.uid not in (0, os.geteuid()):
            raise errors.access_denied("connect:write is not granted: only root speaks for others")
        args = _arguments(remote.CONNECT_SET_IDENTITY, frame)
        session.identity = identity_of(args.params, session.identity, session.router.token_proves)
        session.refresh()
        self._run(self._spread_identity(frame), frame, lambda: None)
        return True

    async def _spread_identity(self, frame: Frame) -> None:
        # All are told at once: later, one might be in the middle of a packet that passes on while it comes.
        identity = self._session.identity
        told = [ensureDeferred(backend.set_identity(identity)) for backend in self._session.backends]
        try:
            await gatherResults(told, consumeErrors=True)
        except FirstError as first:
            first.subFailure.raiseException()
        self._reply(frame)

    # The close callback

    def _close_callback(self, frame: Frame, procedure: Procedure[Any, Any]) -> bool:
        """The connection to watch is the one behind us, which only we can see."""
        session = self._session
        if session.primary is None:
            raise errors.internal("hypervisor connection not open")
        session.wants_close_event = procedure is remote.CONNECT_REGISTER_CLOSE_CALLBACK
        self._reply(frame)
        return True

    def send_close_event(self) -> None:
        """Tell the client that the daemon behind its connection went away."""
        message = remote.ConnectEventConnectionClosedMsg(reason=CLOSE_REASON_EOF)
        self._session.client.send(remote.CONNECT_EVENT_CONNECTION_CLOSED.event_frame(message))

    # What they share

    def _reply(self, frame: Frame, payload: bytes = b"") -> None:
        self._session.answer(reply_to(frame, payload))

    def _run(self, work: Any, frame: Frame, after: Callable[[], None]) -> None:
        """Run a coroutine that answers `frame`; its failure is the answer otherwise."""
        self.serving = frame
        self._under_way = deferred = ensureDeferred(work)
        deferred.addErrback(self._failed, frame)
        deferred.addCallback(self._finished, after)

    def _failed(self, failure: Failure, frame: Frame) -> None:
        if failure.check(CancelledError):
            return
        error = failure.value
        if not isinstance(error, VirtError):
            self._log.failure("serving a call failed", failure=failure, client=self._session)
            error = errors.internal("the daemon failed; its log says why")
        self._session.refuse(frame, error)

    def _finished(self, _: None, after: Callable[[], None]) -> None:
        self._under_way = self.serving = None
        if not self._session.client.closed:
            after()


# By the `edge` of the declaration; one table for all clients.
_SERVED: Mapping[str | None, Callable[[Edge, Frame, Procedure[Any, Any]], bool]] = {
    "auth": Edge._auth,
    "open": Edge._open,
    "close": Edge._close,
    "feature": Edge._feature,
    "identity": Edge._identity,
    "close-callback": Edge._close_callback,
}


def _arguments(procedure: Procedure[A, Any], frame: Frame) -> A:
    try:
        return procedure.decode_args(frame)
    except WireError as failure:
        raise errors.rpc(f"Unable to decode message payload: {failure}") from None
