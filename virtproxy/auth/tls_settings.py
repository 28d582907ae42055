# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which files and rules TLS works with, and where libvirt keeps them.

The daemon's configuration makes a `TlsSettings` by `server_settings`; tls_files.py reads what it names.
Nothing is opened here but to see whether a file of the user's exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SYSTEM_CA = Path("/etc/pki/CA/cacert.pem")
SYSTEM_CRL = Path("/etc/pki/CA/cacrl.pem")
SYSTEM_PKI = Path("/etc/pki/libvirt")


class TlsSetupError(Exception):
    """TLS cannot work as configured; the message names the file or key, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The files of a TLS end (paths), and which checks it makes.

    A `crl_file` that is not `crl_required` may be absent. `allowed_dns` None lets every valid
    certificate in, an empty list none.
    """

    cert_file: Path
    key_file: Path
    ca_file: Path
    crl_file: Path | None = None
    crl_required: bool = False
    no_verify: bool = False
    no_sanity: bool = False
    allowed_dns: tuple[str, ...] | None = None
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class PkiFiles:
    """The four files of one end, wherever they are."""

    ca: Path
    crl: Path
    cert: Path
    key: Path


def user_pki_directory(home: Path | None = None) -> Path:
    """Where a user's own certificates are; `home` is asked of the system if not given."""
    return (home or Path.home()) / ".pki" / "libvirt"


def system_files(end: str) -> PkiFiles:
    """The system's files of `end`, "server" or "client"."""
    return PkiFiles(SYSTEM_CA, SYSTEM_CRL, SYSTEM_PKI / f"{end}cert.pem", SYSTEM_PKI / "private" / f"{end}key.pem")


def directory_files(directory: Path, end: str) -> PkiFiles:
    """The files of `end` in one directory, laid out as the URI parameter pkipath expects it."""
    return PkiFiles(
        directory / "cacert.pem", directory / "cacrl.pem", directory / f"{end}cert.pem", directory / f"{end}key.pem"
    )


def user_files(end: str, home: Path | None = None) -> PkiFiles:
    """A user's files of `end`; the system's for each that is missing, certificate and key only as a pair."""
    own = directory_files(user_pki_directory(home), end)
    system = system_files(end)
    pair = own if own.cert.exists() and own.key.exists() else system
    return PkiFiles(
        own.ca if own.ca.exists() else system.ca, own.crl if own.crl.exists() else system.crl, pair.cert, pair.key
    )


def server_settings(
    *,
    session: bool = False,
    cert_file: str | None = None,
    key_file: str | None = None,
    ca_file: str | None = None,
    crl_file: str | None = None,
    no_verify: bool = False,
    no_sanity: bool = False,
    allowed_dns: list[str] | None = None,
    priority: str | None = None,
    home: Path | None = None,
) -> TlsSettings:
    """The settings of a daemon's TLS port from the keys of its configuration (None: not set).

    TlsSetupError if only some of cert_file, key_file and ca_file are set.
    """
    cert, key, ca, crl = _server_files(session, cert_file, key_file, ca_file, crl_file, home)
    return TlsSettings(
        cert_file=cert,
        key_file=key,
        ca_file=ca,
        crl_file=crl,
        crl_required=bool(crl_file),
        no_verify=no_verify,
        no_sanity=no_sanity,
        allowed_dns=None if allowed_dns is None else tuple(allowed_dns),
        priority=priority or None,
    )


def _server_files(
    session: bool, cert: str | None, key: str | None, ca: str | None, crl: str | None, home: Path | None
) -> tuple[Path, Path, Path, Path | None]:
    if cert and key and ca:
        return Path(cert), Path(key), Path(ca), Path(crl) if crl else None
    missing = [name for name, value in (("cert_file", cert), ("key_file", key), ("ca_file", ca)) if not value]
    if len(missing) < 3:
        raise TlsSetupError(
            f"{' and '.join(missing)} must be set too: set all of cert_file, key_file and ca_file, "
            "or none of them to use the default files"
        )
    files = user_files("server", home) if session else system_files("server")
    return files.cert, files.key, files.ca, Path(crl) if crl else files.crl
