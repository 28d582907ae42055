# SPDX-License-Identifier: LGPL-2.1-or-later
"""One client's negotiation with libsasl2, at the daemon's end.

``login`` drives it: start, steps, then who the client is. Its calls may take long (a password server, a name that
must be looked up), so they are made in threads, never two at a time. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtproxy.auth.sasl import library as c
from virtproxy.auth.sasl.negotiation import Negotiation, SaslError, Step
from virtproxy.auth.sasl.server import SERVICE, Said, Server

# Not offered: they take tokens of any mechanism of the GSSAPI, among them such that end the process (see `token`),
# and no client of libvirt needs them beside GSSAPI.
NEVER = ("GSS-SPNEGO", "GS2-")


@dataclass(frozen=True, slots=True)
class Demands:
    """What the transport asks of a mechanism. Strengths are in bits.

    `min_ssf` is the least of a security layer; 0: there shall be none, for the transport is safe already.
    `external_ssf` is what TLS has. `remote` is the peer as ``address;port``, where it has an address.
    """

    min_ssf: int
    external_ssf: int = 0
    remote: str | None = None


class SaslConnection(Negotiation):
    """A negotiation. Not for two threads at once."""

    def __init__(self, server: Server, demands: Demands) -> None:
        """Begin one; SaslError if it cannot be. Looks up this host's name, which may take time."""
        lib, ffi = server.lib, server.ffi
        self.said = Said()
        callbacks, kept = server.log_to(self.said)
        made, null = ffi.new("sasl_conn_t **"), ffi.NULL
        remote = null if demands.remote is None else demands.remote.encode()
        code = lib.sasl.sasl_server_new(
            SERVICE.encode(), null, null, null, remote, callbacks, c.SUCCESS_DATA, made
        )  # fmt: skip
        if code != c.OK:
            raise SaslError(lib.problem(code))
        super().__init__(lib, made, callbacks, kept)
        self.demand(demands.min_ssf, demands.external_ssf)

    def mechanisms(self) -> list[str]:
        """The mechanisms that may be tried here; none if nothing fits the demands."""
        result, length, count = self._ffi.new("const char **"), self._ffi.new("unsigned *"), self._ffi.new("int *")
        null = self._ffi.NULL
        code = self._sasl.sasl_listmech(self._conn, null, b"", b",", b"", result, length, count)
        if code != c.OK:
            return []
        names = (self._lib.text(result[0]) or "").split(",")
        return [name for name in names if name and not name.startswith(NEVER)]

    def start(self, mechanism: str, data: bytes | None) -> Step:
        """Begin with `mechanism`. SaslError if libsasl2 will not have it."""
        return self._advance(self._sasl.sasl_server_start, mechanism.encode(), *self._given(data))

    def step(self, data: bytes | None) -> Step:
        """Go on; only after `start`, and not after it is complete. SaslError if the client is refused."""
        return self._advance(self._sasl.sasl_server_step, *self._given(data))

    @property
    def user(self) -> str | None:
        """Who the client is, once it is complete: ``joe``; ``joe@REALM`` by Kerberos of another realm than ours."""
        return self._text(c.USERNAME)

    @property
    def principal(self) -> str | None:
        """The whole name of a client who came by Kerberos, with its realm even if that is this host's own."""
        user = self.user
        return self._lib.principal(user) if user and self.mechanism == "GSSAPI" else None
