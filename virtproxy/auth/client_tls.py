# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's end of TLS: show our certificate, check the server's, wait to be let in.

The client library makes a `ClientTls` for a URI with transport tls and wraps its protocol with it. The
protocol is connected only when the server has proven its name and has sent the byte that says "come in".
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from OpenSSL import SSL
from service_identity import CertificateError, SubjectAltNameWarning, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from virtproxy import errors
from virtproxy.auth.tls_context import client_context, reasons
from virtproxy.auth.tls_files import Credentials, load_authorities, load_credentials, load_revocations
from virtproxy.auth.tls_sanity import check_key_matches, check_sanity
from virtproxy.auth.tls_settings import PkiFiles, TlsSettings, TlsSetupError, directory_files, system_files, user_files
from virtproxy.auth.tls_transport import ACCEPTED, Handshake, TlsTransport, new_connection, tls_factory, tls_transport

if TYPE_CHECKING:
    from virtproxy.rpc.reactor import Clock
    from virtproxy.rpc.transport import StreamProtocol

__all__ = ["ClientTls", "TlsSetupError", "client_files"]


def client_files(pkipath: str | None = None, home: Path | None = None) -> PkiFiles:
    """Where a client's files are: in `pkipath` if given, else the user's (not for root), else the system's."""
    if pkipath:
        return directory_files(Path(pkipath), "client")
    return system_files("client") if os.geteuid() == 0 else user_files("client", home)


class ClientTls:
    """The TLS of a client, from one reading of its files."""

    def __init__(
        self, files: PkiFiles, *, no_verify: bool = False, no_sanity: bool = False, priority: str | None = None
    ) -> None:
        """`no_verify`, `no_sanity` and `priority` are the URI parameters no_verify, no_sanity and tls_priority."""
        self.settings = TlsSettings(
            files.cert,
            files.key,
            files.ca,
            crl_file=files.crl,
            no_verify=no_verify,
            no_sanity=no_sanity,
            priority=priority,
        )

    def check(self) -> None:
        """Read the files and try them. TlsSetupError says what to mend."""
        if self._credentials.chain:
            check_key_matches(self.settings, self._credentials)
            if not self.settings.no_sanity:
                check_sanity(self.settings, self._credentials, "client", datetime.datetime.now(datetime.UTC))
        self._context  # noqa: B018 -- made now, so that what OpenSSL dislikes shows now

    def wrap(self, clock: Clock, host: str, protocol: StreamProtocol) -> tuple[TlsTransport, Deferred[None]]:
        """The protocol for a socket connected to the server called `host` (a name or an address).

        The Deferred fires when the server has let us in and `protocol` is connected to the TLS transport. It
        fails with VirtError if that never comes; `protocol` has then not been called at all.
        """
        handshake = ClientHandshake(clock, self.settings, host, protocol)
        factory = tls_factory(_ConnectionCreator(self._context, host), True)
        return tls_transport(factory, handshake), handshake.accepted

    @cached_property
    def _credentials(self) -> Credentials:
        if self.settings.cert_file.exists() or self.settings.key_file.exists():
            return load_credentials(self.settings)
        # Without a certificate a server may still let us in, as libvirt's client has it.
        authorities = load_authorities(self.settings.ca_file)
        return Credentials(authorities, load_revocations(self.settings), (), None)

    @cached_property
    def _context(self) -> SSL.Context:
        return client_context(self.settings, self._credentials)


@implementer(IOpenSSLClientConnectionCreator)
class _ConnectionCreator:
    """Makes the OpenSSL connection to one named server."""

    def __init__(self, context: SSL.Context, host: str) -> None:
        self._context = context
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Twisted asks for the OpenSSL connection."""
        connection = new_connection(self._context, tlsProtocol)
        if _address(self._host) is None and self._host.isascii():
            connection.set_tlsext_host_name(self._host.encode())
        return connection


class ClientHandshake(Handshake):
    """One attempt to be let in by a server."""

    def __init__(self, clock: Clock, settings: TlsSettings, host: str, protocol: StreamProtocol) -> None:
        super().__init__(clock)
        self._settings = settings
        self._host = host
        self._protocol = protocol
        self._up = False
        self.accepted: Deferred[None] = Deferred(lambda _: self.transport.abortConnection())

    def completed(self) -> None:
        """Check who the server is; it decides about us at the same time."""
        self._up = True
        if self._settings.no_verify:
            return
        problems = self.transport.peer.problems(self.transport.openssl(), "server", None)
        if not problems:
            problems = name_problems(self.transport.openssl(), self._host)
        if problems:
            self.refuse(f"the certificate of {self._host} is not to be trusted: {'; '.join(problems)}")

    def dataReceived(self, data: bytes) -> None:
        """The server has decided."""
        if self._why is not None:
            return
        if data[:1] != ACCEPTED:
            self.refuse(f"{self._host} is not a libvirt server: it began with byte {data[0]} instead of 1")
            return
        self.done()
        self.transport.hand_over(self._protocol)
        if data[1:]:
            self._protocol.dataReceived(data[1:])
        self.accepted.callback(None)

    def failed(self, why: str | None, reason: Failure) -> None:
        """Say why we are not in."""
        if why is None:
            why = self._reason(reason)
        if not self.accepted.called:
            self.accepted.errback(errors.auth_failed(why))

    def _reason(self, reason: Failure) -> str:
        if not reason.check(ConnectionDone, ConnectionLost):
            return f"the TLS handshake with {self._host} failed: {reasons(reason.value)}"
        if self._up:
            return f"{self._host} closed the connection after the handshake: it does not accept our certificate"
        return f"{self._host} closed the connection during the TLS handshake"


def name_problems(connection: SSL.Connection, host: str) -> list[str]:
    """Why the certificate of the server at the other end is not that of `host`."""
    address = _address(host)
    try:
        with warnings.catch_warnings():
            # Old versions fall back to the common name with a warning, new ones refuse: so do we with both.
            warnings.simplefilter("error", SubjectAltNameWarning)
            if address is None:
                verify_hostname(connection, host)
            else:
                verify_ip_address(connection, address)
    except (VerificationError, CertificateError, SubjectAltNameWarning, ValueError):
        return [f'none of its names (subject alternative names) is "{host}"']
    return []


def _address(host: str) -> str | None:
    """`host` without an IPv6 zone if it is an address, None if it is a name."""
    plain = host.strip("[]").partition("%")[0]
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        return None
