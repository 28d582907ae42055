# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's end of a login by SASL: what virtproxy's own client library says to a daemon that asks for it.

``virtproxy.client`` calls `log_in` once for a connection. Kerberos may ask its key server, so libsasl2 is called in
threads. A name and a password are given by the caller; nothing here asks a person.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from virtproxy.auth.sasl import library as c
from virtproxy.auth.sasl.library import Library, SaslSetupError, library
from virtproxy.auth.sasl.negotiation import Negotiation, SaslError, Step
from virtproxy.protocol import remote
from virtproxy.rpc.client import ClientConnection

# As libvirt's clients ask for it, on a transport that does not encrypt.
MIN_SSF = 56


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in by a password. Kerberos needs none: its ticket says who it is."""

    name: str
    password: str = field(repr=False)


class SaslClient(Negotiation):
    """A negotiation with the service of a host. Not for two threads at once."""

    def __init__(self, lib: Library, host: str, min_ssf: int, credentials: Credentials | None) -> None:
        """Begin one; `min_ssf` is 0 where the transport is safe. SaslError if it cannot be."""
        callbacks, kept = _callbacks(lib, credentials)
        made, null = lib.ffi.new("sasl_conn_t **"), lib.ffi.NULL
        code = lib.sasl.sasl_client_new(
            b"libvirt", host.encode(), null, null, callbacks, c.SUCCESS_DATA, made
        )  # fmt: skip
        if code != c.OK:
            raise SaslError(lib.problem(code))
        super().__init__(lib, made, callbacks, kept)
        self.demand(min_ssf)

    def start(self, mechanisms: str) -> tuple[str, Step]:
        """Begin with the best of `mechanisms` (divided by commas); returns which. SaslError if none will do."""
        chosen = self._ffi.new("const char **")

        def begin(connection: Any, out: Any, length: Any) -> int:
            code: int = self._sasl.sasl_client_start(
                connection, mechanisms.encode(), self._ffi.NULL, out, length, chosen
            )
            return code

        step = self._advance(begin)
        return self._lib.text(chosen[0]) or "", step

    def step(self, data: bytes | None) -> Step:
        """Answer what the daemon said. SaslError if the daemon is not who it should be."""

        def go_on(connection: Any, out: Any, length: Any) -> int:
            code: int = self._sasl.sasl_client_step(connection, *self._given(data), self._ffi.NULL, out, length)
            return code

        return self._advance(go_on)


def _callbacks(lib: Library, credentials: Credentials | None) -> tuple[Any, object]:
    """What libsasl2 may ask for, and what must be kept as long as it may ask."""
    ffi: Any = lib.ffi
    name = ffi.new("char[]", (credentials.name if credentials else "").encode())
    secret = (credentials.password if credentials else "").encode()
    password = ffi.new("sasl_secret_t *", (len(secret), secret))

    def tell(context: Any, which: int, result: Any, length: Any) -> int:
        # Nobody acts for somebody else: the name to act as is left empty.
        result[0] = name if which == c.CALLBACK_NAME else empty
        if length != ffi.NULL:
            length[0] = len(ffi.string(result[0]))
        return c.OK

    def tell_password(connection: Any, context: Any, which: int, result: Any) -> int:
        result[0] = password
        return c.OK

    empty = ffi.new("char[]", b"")
    simple = ffi.callback("int (*)(void *, int, const char **, unsigned *)", tell)
    asked = ffi.callback("int (*)(sasl_conn_t *, void *, int, sasl_secret_t **)", tell_password)
    entries = [(c.CALLBACK_USER, simple), (c.CALLBACK_NAME, simple), (c.CALLBACK_PASSWORD, asked)]
    if credentials is None:
        entries = entries[:1]
    table = [(number, ffi.cast("void *", function), ffi.NULL) for number, function in entries]
    return ffi.new("sasl_callback_t[]", [*table, (c.CALLBACK_END, ffi.NULL, ffi.NULL)]), (simple, asked, name, password)


@functools.cache
def client_library() -> Library:
    """libsasl2 as a client. Raises SaslSetupError."""
    lib = library()
    code = lib.sasl.sasl_client_init(lib.ffi.NULL)
    if code != c.OK:
        raise SaslSetupError(f"libsasl2 cannot start: {lib.problem(code)}")
    return lib


async def log_in(
    connection: ClientConnection,
    host: str,
    *,
    encrypted: bool,
    in_thread: Callable[..., Awaitable[Any]],
    mechanism: str | None = None,
    credentials: Credentials | None = None,
) -> None:
    """Log in to the daemon of `host` behind `connection`, and put on the layer that was agreed on.

    `encrypted`: nobody else can read the transport. `mechanism` is the only one to use; None: the best there is.
    Raises SaslError, SaslSetupError, or VirtError as the daemon sent it.
    """
    lib = client_library()
    offered = (await connection.call(remote.AUTH_SASL_INIT)).mechlist
    if mechanism is not None and mechanism not in offered.split(","):
        raise SaslError(f"{mechanism} is not offered; {offered} is")
    min_ssf = 0 if encrypted else MIN_SSF
    client = await in_thread(SaslClient, lib, host, min_ssf, credentials)
    chosen, step = await in_thread(client.start, mechanism or offered)
    args = remote.AuthSaslStartArgs(mech=chosen, nil=int(step.data is None), data=step.data or b"")
    reply: Any = await connection.call(remote.AUTH_SASL_START, args)
    while not (reply.complete and step.complete):
        if not step.complete:
            step = await in_thread(client.step, None if reply.nil else reply.data)
        if not reply.complete:
            more = remote.AuthSaslStepArgs(nil=int(step.data is None), data=step.data or b"")
            reply = await connection.call(remote.AUTH_SASL_STEP, more)
        elif not step.complete:
            raise SaslError("the daemon took the login for complete before it had shown who it is")
    _finish(connection, client, min_ssf)


def _finish(connection: ClientConnection, client: SaslClient, min_ssf: int) -> None:
    ssf = client.ssf
    if ssf < min_ssf:
        raise SaslError(f"a layer of {ssf} bits is less than the {min_ssf} that TCP needs")
    if ssf:
        connection.protect(client.layer())
