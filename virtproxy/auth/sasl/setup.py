# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether SASL can let anybody in as it is set up on this host, and in words what is missing.

The daemon's plan asks before anything is opened. It tries what clients will be offered; files it only looks at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from virtproxy.auth.sasl.config import SASLDB, config_file
from virtproxy.auth.sasl.connection import SaslConnection
from virtproxy.auth.sasl.library import SaslSetupError
from virtproxy.auth.sasl.login import SaslRules
from virtproxy.auth.sasl.negotiation import SaslError
from virtproxy.auth.sasl.server import Server
from virtproxy.identity import Identity

KEYTAB = "/etc/krb5.keytab"

# The Debian package of each family of mechanisms.
_PACKAGES = (
    (re.compile("GS"), "libsasl2-modules-gssapi-mit"),
    (re.compile("OTP"), "libsasl2-modules-otp"),
    (re.compile("SCRAM-|DIGEST-MD5$|CRAM-MD5$|PLAIN$|LOGIN$|NTLM$|ANONYMOUS$"), "libsasl2-modules"),
)
_KERBEROS = re.compile("GSSAPI$|GS2-|GSS-")
_BY_PASSWORD = re.compile("SCRAM-|DIGEST-MD5$|CRAM-MD5$|NTLM$")
_BY_PLAIN_PASSWORD = re.compile("PLAIN$|LOGIN$")


class Setup:
    """What is configured and installed here."""

    def __init__(self, server: Server, environ: Mapping[str, str]) -> None:
        self._server = server
        self._environ = environ
        self._wanted = re.split(r"[\s,]+", (server.option("mech_list") or "").strip().upper())
        self._installed = server.installed()

    def offered(self, rules: SaslRules, transport: str) -> list[str]:
        """The mechanisms that a client over `transport` can choose from. SaslSetupError if there is none."""
        try:
            demands = rules.demands(Identity(transport=transport))
            names = SaslConnection(self._server, demands).mechanisms()
        except SaslError as failure:
            raise SaslSetupError(f"libsasl2 cannot begin a login: {failure}") from None
        if names:
            return names
        reasons = self.missing() or [self._unfit(demands.min_ssf)]
        raise SaslSetupError(f"SASL has no mechanism to offer: {'; '.join(reasons)}")

    def missing(self) -> list[str]:
        """What libvirt.conf of SASL asks for and is not there: mechanisms, with what to install."""
        if self._wanted == [""]:
            return [] if self._installed else ["no plugin is installed (Debian: apt install libsasl2-modules)"]
        return [self._why_missing(name) for name in self._wanted if name not in self._installed]

    def _why_missing(self, name: str) -> str:
        asked = f"mech_list in {self.config_file()} asks for {name}"
        keytab = self._server.option("keytab")
        if _KERBEROS.match(name) and keytab is not None and not os.access(keytab, os.R_OK):
            return f"{asked}, whose keytab {keytab} (keytab in that file) {_trouble(keytab)}"
        for pattern, package in _PACKAGES:
            if pattern.match(name):
                return f"{asked}, whose plugin is not installed or does not start (Debian: apt install {package})"
        return f"{asked}, which no installed plugin has"

    def _unfit(self, min_ssf: int) -> str:
        names = ", ".join(self._wanted if self._wanted != [""] else self._installed)
        if not min_ssf:
            return f"of {names} none can be used here"
        return (
            f"{names} cannot encrypt with the {min_ssf} bits that TCP needs (tcp_min_ssf); let clients come over TLS "
            f"(listen_tls = 1, auth_tls), or set up Kerberos and add gssapi to mech_list in {self.config_file()}"
        )

    def troubles(self, offered: set[str]) -> list[str]:
        """What will keep clients from logging in by one of the `offered` mechanisms, for the log."""
        found = self.missing()
        if any(_KERBEROS.match(name) for name in offered):
            found += _file_trouble(self._keytab(), "the keytab {path}, without which nobody logs in by Kerberos, {why}")
        if any(self._asks_sasldb(name) for name in offered):
            text = "the SASL users are kept in {path}, which {why}: add one with virtproxy user add NAME"
            found += _file_trouble(self._server.option("sasldb_path") or SASLDB, text)
        return found

    def _asks_sasldb(self, name: str) -> bool:
        if "sasldb" not in (self._server.option("auxprop_plugin") or "sasldb"):
            return False
        checks = self._server.option("pwcheck_method") or "auxprop"
        return bool(_BY_PASSWORD.match(name) or ("auxprop" in checks and _BY_PLAIN_PASSWORD.match(name)))

    def _keytab(self) -> str:
        named = self._server.option("keytab") or self._environ.get("KRB5_KTNAME") or KEYTAB
        return re.sub("^(WR)?FILE:", "", named)

    def config_file(self) -> str:
        """The path of libvirt.conf of SASL; where it should be if there is none."""
        return config_file(self._environ)


def _file_trouble(path: str, text: str) -> list[str]:
    return [] if os.access(path, os.R_OK) else [text.format(path=path, why=_trouble(path))]


def _trouble(path: str) -> str:
    return "cannot be read by this user" if os.path.exists(path) else "does not exist"
