# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server's end of TLS: who the client is by its certificate, and whether it may come in.

The daemon makes one `ServerTls` from its configuration, asks it to `check` itself before it opens a port, and
wraps each accepted client with `wrap`. A ServerTls never changes: for new files make another one, `check` it and
whether it may take the old one's place (`check_replacement`), and wrap the clients that come from then on with it. A
refusal costs a log line and one connection.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from virtproxy.auth.tls_context import reasons, server_context
from virtproxy.auth.tls_files import Credentials, load_credentials
from virtproxy.auth.tls_sanity import check_key_matches, check_replacement, check_sanity, setup_warnings
from virtproxy.auth.tls_settings import TlsSettings, TlsSetupError, server_settings
from virtproxy.auth.tls_transport import ACCEPTED, Handshake, TlsTransport, new_connection, tls_factory, tls_transport
from virtproxy.auth.tls_verify import printable
from virtproxy.identity import Identity

if TYPE_CHECKING:
    from virtproxy.rpc.reactor import Clock
    from virtproxy.rpc.transport import StreamProtocol

__all__ = ["ServerTls", "TlsSettings", "TlsSetupError", "server_settings"]


@implementer(IOpenSSLServerConnectionCreator)
class ServerTls:
    """The TLS of a daemon's port, from one reading of its files."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings

    def check(self) -> list[str]:
        """Read the files and try them; returns warnings for the log. TlsSetupError says what to mend."""
        now = datetime.datetime.now(datetime.UTC)
        check_key_matches(self.settings, self.credentials)
        if not self.settings.no_sanity:
            check_sanity(self.settings, self.credentials, "server", now)
        self._context  # noqa: B018 -- made now, so that what OpenSSL dislikes shows now
        return setup_warnings(self.settings, self.credentials, now)

    def check_replacement(self, old: ServerTls) -> bool:
        """Check that clients can be served with this instead of `old`; returns whether anything is different.

        TlsSetupError if something that makes the door safe is missing now. Both have passed `check`.
        """
        check_replacement(self.settings, self.credentials, old.credentials, datetime.datetime.now(datetime.UTC))
        return self.credentials.shown != old.credentials.shown

    def wrap(
        self,
        clock: Clock,
        address: str,
        protocol_for: Callable[[Identity], StreamProtocol],
        log: Logger | None = None,
        refused: Callable[[str, str], None] = lambda why, certificate: None,
        client: object = None,
    ) -> TlsTransport:
        """The protocol for a newly accepted socket whose peer is at `address`.

        When the client is accepted, `protocol_for` is called with its identity, and what it returns is
        connected to the TLS transport. Otherwise it never is, and `refused` is called with the reason and the
        certificate, unless the client just went away. `clock` measures the time limit; `client` is whom the log's
        messages are about.
        """
        handshake = ServerHandshake(clock, self.settings, address, protocol_for, log or _LOG, refused, client)
        return tls_transport(self._factory, handshake)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Twisted asks for the OpenSSL connection of one client."""
        return new_connection(self._context, tlsProtocol)

    @cached_property
    def credentials(self) -> Credentials:
        """What the files held when they were first asked for. TlsSetupError as `check`."""
        return load_credentials(self.settings)

    @cached_property
    def _context(self) -> SSL.Context:
        return server_context(self.settings, self.credentials)

    @cached_property
    def _factory(self) -> TLSMemoryBIOFactory:
        return tls_factory(self, False)


_LOG = Logger(namespace="virtproxy.auth.tls")


class ServerHandshake(Handshake):
    """One client, from its first byte to being accepted or refused."""

    def __init__(
        self,
        clock: Clock,
        settings: TlsSettings,
        address: str,
        protocol_for: Callable[[Identity], StreamProtocol],
        log: Logger,
        refused: Callable[[str, str], None],
        client: object,
    ) -> None:
        super().__init__(clock)
        self._client = client
        self._refused = refused
        self._settings = settings
        self._address = address
        self._protocol_for = protocol_for
        self._log = log

    def completed(self) -> None:
        """Judge the client, and let it in or refuse it."""
        peer = self.transport.peer
        problems = peer.problems(self.transport.openssl(), "client", self._settings.allowed_dns)
        if problems and not self._settings.no_verify:
            self.refuse("; ".join(problems))
            return
        if problems:
            self._log.info(
                "TLS client {address} with {certificate} let in, because of tls_no_verify_certificate, although: {why}",
                address=self._address,
                why="; ".join(problems),
                certificate=self._shown_certificate(),
                client=self._client,
            )
        self._accept(None if problems else peer.name, () if problems else peer.sans)

    def _accept(self, name: str | None, sans: tuple[str, ...]) -> None:
        self.done()
        shown = self._shown_certificate()
        text = "TLS client {address} with {certificate} accepted"
        self._log.debug(text, address=self._address, certificate=shown, client=self._client)
        self.transport.write(ACCEPTED)  # type: ignore[no-untyped-call]  # Twisted has no types here
        bits = self.transport.openssl().get_cipher_bits() or 0
        identity = Identity(transport="tls", address=self._address, x509_dname=name, x509_sans=sans, ssf=bits)
        self.transport.hand_over(self._protocol_for(identity))

    def failed(self, why: str | None, reason: Failure) -> None:
        """Log what became of the client."""
        if why is not None:
            self._log.warn(
                "TLS client {address} with {certificate} refused: {why}",
                address=self._address,
                why=why,
                certificate=self._shown_certificate(),
                client=self._client,
            )
            self._refused(why, self._shown_certificate())
        elif reason.check(ConnectionDone, ConnectionLost):
            text = "TLS client {address} went away during the handshake"
            self._log.info(text, address=self._address, client=self._client)
        else:
            self._log.warn(
                "TLS client {address} with {certificate} refused, because the handshake failed: {why}",
                address=self._address,
                why=reasons(reason.value),
                certificate=self._shown_certificate(),
                client=self._client,
            )
            self._refused(reasons(reason.value), self._shown_certificate())

    def _shown_certificate(self) -> str:
        name = self.transport.peer.name
        return "no certificate" if name is None else f'certificate "{printable(name)}"'
