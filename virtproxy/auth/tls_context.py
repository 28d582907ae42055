# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes OpenSSL contexts: TLS 1.2 and newer, no resumption, no renegotiation, and a verdict of our own.

tls.py and client_tls.py each make one from what was read of their files: no file is opened here, so that the
context is of the same reading as the checks. A context is never changed after.

A server offers TLS 1.3 only where OpenSSL can be kept from sending session tickets: libvirt's client takes
the first record after the handshake for the byte that lets it in, and gives up if it is a ticket. pyOpenSSL
cannot turn tickets off (SSL_CTX_set_num_tickets), OpenSSL's own configuration can (NumTickets = 0 in the
section that ssl_conf's system_default names), and so `sends_tickets` looks.
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import replace

from cryptography import x509
from OpenSSL import SSL, crypto

from virtproxy.auth.tls_files import Credentials
from virtproxy.auth.tls_priority import Priority, parse_priority
from virtproxy.auth.tls_settings import TlsSettings, TlsSetupError
from virtproxy.auth.tls_verify import note_verification

# A chain is a leaf, an authority and rarely one or two between.
_DEPTH_MAX = 9
# More than all that one end says before it waits for the other.
_FLIGHT_MAX = 1 << 18


def server_context(settings: TlsSettings, credentials: Credentials) -> SSL.Context:
    """A context that asks clients for a certificate but leaves it to the caller to judge it."""
    priority = parse_priority(settings.priority)
    context = _context(settings, credentials, priority)
    if not priority.tls_1_3 or not sends_tickets(context):
        return context
    if not priority.tls_1_2:
        raise TlsSetupError(
            f'tls_priority = "{settings.priority}" leaves only TLS 1.3, whose session tickets no libvirt client '
            "understands: allow TLS 1.2 too, or set NumTickets = 0 in OpenSSL's configuration"
        )
    return _context(settings, credentials, replace(priority, tls_1_3=False))


def client_context(settings: TlsSettings, credentials: Credentials) -> SSL.Context:
    """A context that shows our certificate if `credentials` has one; the caller judges the server's."""
    return _context(settings, credentials, parse_priority(settings.priority))


def sends_tickets(context: SSL.Context) -> bool:
    """Whether a server with `context` says anything more once a TLS 1.3 handshake is complete."""
    client, server = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None), SSL.Connection(context, None)
    client.set_connect_state()
    server.set_accept_state()
    try:
        for end, other in ((client, server), (server, client), (client, server)):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            other.bio_write(end.bio_read(_FLIGHT_MAX))
        server.do_handshake()
    except SSL.Error:
        return True  # nothing is known: the careful answer
    try:
        return bool(server.bio_read(_FLIGHT_MAX))
    except SSL.WantReadError:
        return False


def _context(settings: TlsSettings, credentials: Credentials, priority: Priority) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    set_protocol(context, priority)
    try:
        store = context.get_cert_store()
        assert store is not None  # a context always has one
        _set_store(store, credentials)
    except (SSL.Error, crypto.Error) as error:
        raise TlsSetupError(f"ca_file or crl_file cannot be used: {reasons(error)}") from error
    # No list of authorities is sent: a client then shows its certificate even if it is a wrong one, and the
    # log can say which. Nor does the handshake fail without one: that too is for us to say.
    context.set_verify(SSL.VERIFY_PEER, note_verification)
    context.set_verify_depth(_DEPTH_MAX)
    if credentials.chain:
        _use_own_certificate(context, settings, credentials)
    return context


def set_protocol(context: SSL.Context, priority: Priority) -> None:
    """Apply what may be negotiated to a fresh context. TlsSetupError if that is nothing."""
    lowest, highest = priority.versions
    context.set_min_proto_version(lowest)
    context.set_max_proto_version(highest)
    try:
        context.set_cipher_list(priority.cipher_list.encode())
    except SSL.Error as error:
        raise TlsSetupError("tls_priority leaves no cipher for TLS 1.2: take less away") from error
    if priority.suites_13 != Priority().suites_13:
        if not hasattr(context, "set_tls13_ciphersuites"):
            raise TlsSetupError(
                "tls_priority takes ciphers of TLS 1.3 away, which needs pyOpenSSL 25.2 or newer: "
                "add -VERS-TLS1.3 or leave it out"
            )
        context.set_tls13_ciphersuites(":".join(priority.suites_13).encode())
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | _NO_RENEGOTIATION)
    # A resumed session would bring its old verdict with it: there are none.
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"virtproxy")
    # An idle connection then holds no 32 KiB of read and write buffers.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)


# Older pyOpenSSL has no name for openssl/ssl.h's SSL_OP_NO_RENEGOTIATION.
_NO_RENEGOTIATION: int = getattr(SSL, "OP_NO_RENEGOTIATION", 1 << 30)


def _set_store(store: crypto.X509Store, credentials: Credentials) -> None:
    # GnuTLS trusts whatever is in the file, also an authority that has another one above it.
    flags = crypto.X509StoreFlags.PARTIAL_CHAIN
    for authority in credentials.authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
    for revocations in credentials.revocations:
        _add_revocations(store, revocations)
        flags |= crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL
    store.set_flags(flags)


def _add_revocations(store: crypto.X509Store, revocations: x509.CertificateRevocationList) -> None:
    try:
        store.add_crl(revocations)
    except AttributeError:  # before pyOpenSSL 24.3 it wants an object of its own class
        store.add_crl(getattr(crypto, "CRL").from_cryptography(revocations))  # noqa: B009 -- newer ones have none


def _use_own_certificate(context: SSL.Context, settings: TlsSettings, credentials: Credentials) -> None:
    own, *between = map(crypto.X509.from_cryptography, credentials.chain)
    try:
        with warnings.catch_warnings():
            # The newest pyOpenSSL would rather have cryptography's objects, which the oldest does not take.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.use_certificate(own)
            for certificate in between:
                context.add_extra_chain_cert(certificate)
            context.use_privatekey(crypto.PKey.from_cryptography_key(credentials.key))  # type: ignore[arg-type]
        context.check_privatekey()
    except (SSL.Error, crypto.Error, TypeError) as error:
        raise TlsSetupError(
            f"cert_file {settings.cert_file} and key_file {settings.key_file} cannot be used: {reasons(error)}"
        ) from error


def reasons(error: BaseException | None) -> str:
    """What OpenSSL put into an error, as one phrase; its class's name if nothing."""
    if error is None:
        return "unknown"
    entries = error.args[0] if error.args else []
    if isinstance(entries, list):
        return ", ".join(str(entry[-1]) for entry in entries) or type(error).__name__
    return str(error) or type(error).__name__
