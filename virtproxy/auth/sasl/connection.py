# SPDX-License-Identifier: LGPL-2.1-or-later
"""One client's negotiation with libsasl2, and the security layer that may come of it.

``login`` drives it: start, steps, then who the client is. Its calls may take long (a password server, a name that
must be looked up), so all but the layer's are made in threads, never two at a time. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from virtproxy.auth.sasl import library as c
from virtproxy.auth.sasl.server import SERVICE, Server
from virtproxy.rpc.security_layer import LayerError

# As libvirt asks for it: the largest piece that either side puts into a layer, and the strongest layer.
BUFFER_MAX = 100_000
SSF_MAX = 100_000


class SaslError(Exception):
    """libsasl2 refused; why, for the log."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What the transport asks of a mechanism. Strengths are in bits.

    `min_ssf` is the least of a security layer; 0: there shall be none, for the transport is safe already.
    `external_ssf` is what TLS has. `remote` is the peer as ``address;port``, where it has an address.
    """

    min_ssf: int
    external_ssf: int = 0
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What libsasl2 answered: whether the client is known now, and what it must be told (None: not even "")."""

    complete: bool
    data: bytes | None


class SaslConnection:
    """A negotiation. Not for two threads at once."""

    def __init__(self, server: Server, demands: Demands) -> None:
        """Begin one; SaslError if it cannot be. Looks up this host's name, which may take time."""
        self._lib, self._ffi, self._sasl = server.lib, server.ffi, server.lib.sasl
        # What libsasl2 said; may tell why a login failed.
        self.said: list[str] = []
        callbacks, kept = server.log_to(self.said)
        made = self._ffi.new("sasl_conn_t **")
        remote = self._ffi.NULL if demands.remote is None else demands.remote.encode()
        null = self._ffi.NULL
        code = self._sasl.sasl_server_new(
            SERVICE.encode(), null, null, null, remote, callbacks, c.SUCCESS_DATA, made
        )  # fmt: skip
        self._check(code, None)
        self._conn = self._ffi.gc(made[0], partial(_dispose, self._ffi, self._sasl, callbacks, kept))
        self._demand(demands)

    def _demand(self, demands: Demands) -> None:
        open_wire = demands.min_ssf > 0
        properties = self._ffi.new("sasl_security_properties_t *")
        properties.min_ssf = demands.min_ssf
        properties.max_ssf = SSF_MAX if open_wire else 0
        properties.maxbufsize = BUFFER_MAX
        # Nobody is let in without a name, not even where libvirt would: an anonymous login is no login.
        properties.security_flags = c.NO_ANONYMOUS | (c.NO_PLAINTEXT if open_wire else 0)
        if demands.external_ssf:
            strength = self._ffi.new("unsigned *", demands.external_ssf)
            self._check(self._sasl.sasl_setprop(self._conn, c.SSF_EXTERNAL, strength), self._conn)
        self._check(self._sasl.sasl_setprop(self._conn, c.SEC_PROPS, properties), self._conn)

    def mechanisms(self) -> list[str]:
        """The mechanisms that may be tried here; none if nothing fits the demands."""
        result, length, count = self._ffi.new("const char **"), self._ffi.new("unsigned *"), self._ffi.new("int *")
        null = self._ffi.NULL
        code = self._sasl.sasl_listmech(self._conn, null, b"", b",", b"", result, length, count)
        if code != c.OK:
            return []
        return [name for name in (self._lib.text(result[0]) or "").split(",") if name]

    def start(self, mechanism: str, data: bytes | None) -> Step:
        """Begin with `mechanism`. SaslError if libsasl2 will not have it."""
        return self._advance(self._sasl.sasl_server_start, mechanism.encode(), data)

    def step(self, data: bytes | None) -> Step:
        """Go on; only after `start`, and not after it is complete. SaslError if the client is refused."""
        return self._advance(self._sasl.sasl_server_step, None, data)

    def _advance(self, function: Any, mechanism: bytes | None, data: bytes | None) -> Step:
        out, length = self._ffi.new("const char **"), self._ffi.new("unsigned *")
        given: tuple[Any, ...] = () if mechanism is None else (mechanism,)
        given += (self._ffi.NULL, 0) if data is None else (data, len(data))
        code = function(self._conn, *given, out, length)
        if code not in (c.OK, c.CONTINUE):
            self._check(code, self._conn)
        return Step(code == c.OK, self._bytes(out, length))

    @property
    def user(self) -> str | None:
        """Who the client is, once it is complete: ``joe``; ``joe@REALM`` by Kerberos of another realm than ours."""
        return self._lib.text(self._ffi.cast("const char *", self._property(c.USERNAME)))

    @property
    def mechanism(self) -> str:
        """The mechanism by which it is complete, as libsasl2 calls it."""
        return self._lib.text(self._ffi.cast("const char *", self._property(c.MECHNAME))) or ""

    @property
    def principal(self) -> str | None:
        """The whole name of a client who came by Kerberos, with its realm even if that is this host's own."""
        return self._lib.gss_name(self._property(c.GSS_PEER_NAME))

    @property
    def ssf(self) -> int:
        """The strength of the layer that was agreed on, in bits; 0 for none."""
        return self._number(c.SSF)

    def layer(self) -> SaslLayer:
        """The layer that was agreed on; `ssf` is not 0."""
        return SaslLayer(self, self.ssf, min(self._number(c.MAXOUTBUF) or BUFFER_MAX, BUFFER_MAX))

    def transform(self, function: Any, data: bytes) -> bytes:
        """Put `data` through the layer. LayerError if that cannot be."""
        out, length = self._ffi.new("const char **"), self._ffi.new("unsigned *")
        code = function(self._conn, data, len(data), out, length)
        if code != c.OK:
            raise LayerError(self._lib.problem(code))
        return self._bytes(out, length) or b""

    def _bytes(self, out: Any, length: Any) -> bytes | None:
        return None if out[0] == self._ffi.NULL else bytes(self._ffi.buffer(out[0], length[0]))

    def _number(self, which: int) -> int:
        pointer = self._property(which)
        return 0 if pointer == self._ffi.NULL else int(self._ffi.cast("unsigned *", pointer)[0])

    def _property(self, which: int) -> Any:
        value = self._ffi.new("const void **")
        return value[0] if self._sasl.sasl_getprop(self._conn, which, value) == c.OK else self._ffi.NULL

    def _check(self, code: int, connection: Any) -> None:
        if code != c.OK:
            raise SaslError(self._lib.problem(code, connection))


class SaslLayer:
    """The security layer of a negotiation that is complete (rpc.security_layer.SecurityLayer)."""

    def __init__(self, connection: SaslConnection, ssf: int, piece_max: int) -> None:
        self._connection = connection
        self._sasl = connection._sasl
        self.ssf = ssf
        self.piece_max = piece_max

    def encode(self, data: bytes) -> bytes:
        """Protect at most `piece_max` bytes."""
        return self._connection.transform(self._sasl.sasl_encode, data)

    def decode(self, data: bytes) -> bytes:
        """What is readable by now; the rest waits within."""
        return self._connection.transform(self._sasl.sasl_decode, data)


def _dispose(ffi: Any, sasl: Any, callbacks: object, handle: object, connection: Any) -> None:
    """Free a connection; until then its callbacks may be called."""
    sasl.sasl_dispose(ffi.new("sasl_conn_t **", connection))
