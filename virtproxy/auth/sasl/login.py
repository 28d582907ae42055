# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client's login by SASL: the table of its steps, and who is let in at the end.

The daemon makes a `SaslRules` from its configuration and a `SaslLogin` for each client of a socket that asks for
SASL. What libsasl2 does is done in threads; nothing a client sends reaches it out of order.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from virtproxy.auth.distinguished_name import name_allowed
from virtproxy.auth.login import LoginRefused, Progress
from virtproxy.auth.sasl.connection import Demands, SaslConnection
from virtproxy.auth.sasl.negotiation import SaslError, Step
from virtproxy.auth.sasl.server import Server
from virtproxy.auth.sasl.token import is_kerberos_request
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.auth import AUTH_SASL_DATA_MAX
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.security_layer import SecurityLayer

T = TypeVar("T")
# How much of a mechanism's name is shown in the log: RFC 4422, section 3.1, allows 20 characters.
_SHOWN = 20
# Nobody else can read what goes over these.
_SAFE = frozenset({"unix", "tls"})


class InThread(Protocol):
    """Calls a function where it may take long, and returns what it returned."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class SaslRules:
    """What the configuration says: who may come in (patterns; None: anybody with a login) and, on a transport
    without encryption of its own, how many bits a security layer must have."""

    allowed_users: tuple[str, ...] | None
    tcp_min_ssf: int

    def demands(self, identity: Identity) -> Demands:
        """What a client that came in as `identity` must bring along."""
        least = 0 if identity.transport in _SAFE else self.tcp_min_ssf
        return Demands(least, identity.ssf, _sasl_address(identity.address))


class State(enum.Enum):
    """How far a negotiation has come."""

    IDLE = "none is under way"
    OFFERED = "the client knows the mechanisms"
    STARTED = "the client has chosen one"


class SaslLogin:
    """One client's login (auth.login.Login)."""

    def __init__(self, server: Server, rules: SaslRules, in_thread: InThread) -> None:
        self._server = server
        self._rules = rules
        self._in_thread = in_thread
        self._state = State.IDLE
        self._connection: SaslConnection | None = None
        self._mechanism = ""
        self._offered: frozenset[str] = frozenset()
        # Kerberos's own request, which comes first, has been seen.
        self._requested = False

    async def serve(self, procedure: Procedure[Any, Any], args: Any, identity: Identity) -> Progress:
        """Answer one call; LoginRefused says why not, and what was negotiated is then forgotten."""
        answer = _LEGAL.get((self._state, procedure))
        if answer is None:
            why = f"SASL: {procedure.name} came when {self._state.value}"
            if procedure is not remote.AUTH_SASL_INIT:
                self.close()
            # A second INIT changes nothing about the first, as with libvirt.
            raise LoginRefused(why)
        try:
            return await answer(self, args, identity)
        except SaslError as failure:
            self.close()
            raise LoginRefused(f"SASL {self._mechanism}: {failure}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Forget the negotiation; a step that is under way in a thread ends by itself."""
        self._state, self._connection = State.IDLE, None

    async def _init(self, args: None, identity: Identity) -> Progress:
        connection = await self._in_thread(SaslConnection, self._server, self._rules.demands(identity))
        mechanisms = await self._in_thread(connection.mechanisms)
        if not mechanisms:
            raise SaslError("no mechanism can be offered on this transport")
        self._connection, self._state, self._mechanism = connection, State.OFFERED, ""
        self._offered = frozenset(mechanisms)
        return Progress(remote.AuthSaslInitRet(mechlist=",".join(mechanisms)))

    async def _start(self, args: remote.AuthSaslStartArgs, identity: Identity) -> Progress:
        mechanism = args.mech.upper()
        if mechanism not in self._offered:
            raise SaslError(f'the client chose "{args.mech[:_SHOWN]}", which it was not offered')
        if self._state is State.STARTED:
            self._connection = await self._in_thread(SaslConnection, self._server, self._rules.demands(identity))
        self._state, self._mechanism, self._requested = State.STARTED, mechanism, False
        connection = self._negotiation
        step = await self._said(connection, connection.start, mechanism, self._given(args))
        return self._progress(remote.AuthSaslStartRet, step, connection, identity)

    async def _step(self, args: remote.AuthSaslStepArgs, identity: Identity) -> Progress:
        connection = self._negotiation
        step = await self._said(connection, connection.step, self._given(args))
        return self._progress(remote.AuthSaslStepRet, step, connection, identity)

    def _given(self, args: remote.AuthSaslStartArgs | remote.AuthSaslStepArgs) -> bytes | None:
        """What a client gives to a mechanism; as with libvirtd, what is empty is nothing. SaslError if it cannot be."""
        if args.nil and args.data:
            raise SaslError("the client gave data and said that it gave none")
        if args.data and self._mechanism == "GSSAPI" and not self._requested:
            self._requested = is_kerberos_request(args.data)
            if not self._requested:
                raise SaslError("the client's first token is no request of Kerberos")
        return args.data or None

    async def _said(self, connection: SaslConnection, function: Callable[..., Step], /, *args: Any) -> Step:
        """Call it in a thread, and log what libsasl2 says of it."""
        try:
            return await self._in_thread(function, *args)
        finally:
            connection.said.log()

    @property
    def _negotiation(self) -> SaslConnection:
        if self._connection is None:
            raise SaslError("the client is gone")
        return self._connection

    def _progress(
        self,
        result: type[remote.AuthSaslStartRet | remote.AuthSaslStepRet],
        step: Step,
        connection: SaslConnection,
        identity: Identity,
    ) -> Progress:
        data = step.data or b""
        if len(data) > AUTH_SASL_DATA_MAX:
            raise SaslError(f"its answer of {len(data)} bytes is longer than the protocol allows")
        reply = result(complete=int(step.complete), nil=int(step.data is None), data=data)
        if not step.complete:
            return Progress(reply)
        known, layer = self._admit(connection, identity)
        return Progress(reply, known, layer)

    def _admit(self, connection: SaslConnection, identity: Identity) -> tuple[Identity, SecurityLayer | None]:
        """Who the client is now, if it may come in."""
        user, ssf = connection.user, connection.ssf
        if not user:
            raise SaslError("it told no user's name")
        if identity.transport not in _SAFE and ssf < self._rules.tcp_min_ssf:
            raise SaslError(f"a layer of {ssf} bits is less than tcp_min_ssf = {self._rules.tcp_min_ssf}")
        allowed = self._rules.allowed_users
        if allowed is not None and not name_allowed(user, allowed):
            raise SaslError(f'the user "{user}" is not in sasl_allowed_username_list')
        known = replace(
            identity,
            sasl_user=user,
            sasl_mechanism=connection.mechanism,
            principal=connection.principal,
            ssf=ssf or identity.ssf,
        )
        return known, connection.layer() if ssf else None


_Answer = Callable[[SaslLogin, Any, Identity], Coroutine[Any, Any, Progress]]
_LEGAL: Mapping[tuple[State, Procedure[Any, Any]], _Answer] = MappingProxyType(
    {
        (State.IDLE, remote.AUTH_SASL_INIT): SaslLogin._init,
        (State.OFFERED, remote.AUTH_SASL_START): SaslLogin._start,
        # A client may think again: the mechanism begins anew.
        (State.STARTED, remote.AUTH_SASL_START): SaslLogin._start,
        (State.STARTED, remote.AUTH_SASL_STEP): SaslLogin._step,
    }
)


def _sasl_address(address: str) -> str | None:
    """An address of ours (``[::1]:16514``) as libsasl2 takes it (``::1;16514``); None if there is none."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]").partition("%")[0]
    return f"{host};{port}" if host and port.isdigit() else None
