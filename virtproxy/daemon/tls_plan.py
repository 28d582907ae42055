# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which TLS files and rules a configuration names, for ``plan`` and for ``virtproxy pki check``.

It opens nothing but to see whether a user's own files exist.
"""

from __future__ import annotations

from virtproxy.auth.tls_settings import TlsSettings, server_settings
from virtproxy.daemon.settings import Settings


def tls_settings(settings: Settings, *, session: bool) -> TlsSettings:
    """Return the files and rules of a daemon's TLS. Raises TlsSetupError if only some of the files are named."""
    allowed = settings.texts("tls_allowed_dn_list")
    return server_settings(
        session=session,
        cert_file=settings.text("cert_file"),
        key_file=settings.text("key_file"),
        ca_file=settings.text("ca_file"),
        crl_file=settings.text("crl_file"),
        no_verify=settings.flag("tls_no_verify_certificate"),
        no_sanity=settings.flag("tls_no_sanity_certificate"),
        allowed_dns=None if allowed is None else list(allowed),
        priority=settings.text("tls_priority"),
    )
