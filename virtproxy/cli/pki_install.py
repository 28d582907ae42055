# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki install`: puts certificates where libvirt's daemons and clients look for them, below /etc/pki.

pki.py calls it. Each file appears whole, with its mode; the key before its certificate, so that who watches the
certificate finds the pair. What is there and differs is kept unless it is to be replaced.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from virtproxy.auth.tls_files import load_certificates, load_key
from virtproxy.auth.tls_settings import PkiFiles, TlsSettings, TlsSetupError, directory_files, system_files
from virtproxy.cli import certificates_files as files
from virtproxy.cli.output import CommandError, Narrator

_PUBLIC_DIRECTORY, _SECRET_DIRECTORY = 0o755, 0o700


def install(options: argparse.Namespace) -> int:
    """Copy what the options name."""
    source = options.source or options.dir
    end = "server" if options.what == "crl" else options.what
    here, there = directory_files(source, end), _below(options.root, system_files(end))
    if options.what == "crl":
        plan = [(here.crl, there.crl, files.PUBLIC)]
    else:
        _check_pair(here)
        plan = [(here.ca, there.ca, files.PUBLIC), (here.key, there.key, files.SECRET)]
        plan.append((here.cert, there.cert, files.PUBLIC))
        if here.crl.exists():
            plan.insert(0, (here.crl, there.crl, files.PUBLIC))
    # A revocation list is made anew all the time: it may be written over without being asked for.
    _check_free([(a, b) for a, b, _ in plan if b != there.crl], options.replace)
    tell = Narrator()
    for origin, place, mode in plan:
        _put(origin, place, mode)
        tell.done(f"wrote {place}")
    return 0


def _below(root: Path, paths: PkiFiles) -> PkiFiles:
    return PkiFiles(*(root / path.relative_to("/") for path in (paths.ca, paths.crl, paths.cert, paths.key)))


def _check_pair(here: PkiFiles) -> None:
    """CommandError unless certificate and key belong together: what is installed is taken over at once."""
    from virtproxy.auth.tls_files import Credentials
    from virtproxy.auth.tls_sanity import check_key_matches

    settings = TlsSettings(here.cert, here.key, here.ca)
    try:
        chain, key = load_certificates(here.cert, "cert_file"), load_key(here.key)
        check_key_matches(settings, Credentials(load_certificates(here.ca, "ca_file"), (), chain, key))
    except TlsSetupError as error:
        raise CommandError(f"nothing was installed: {error}") from None


def _check_free(pairs: list[tuple[Path, Path]], replace: bool) -> None:
    for origin, place in () if replace else pairs:
        try:
            there = files.read(place)
        except FileNotFoundError:
            continue
        if there != files.read(origin):
            raise CommandError(f"{place} is there and is not the same: nothing was installed; --replace writes over it")


def _put(origin: Path, place: Path, mode: int) -> None:
    try:
        data = files.read(origin)
    except FileNotFoundError:
        raise CommandError(f"{origin} does not exist: make it first, with virtproxy pki") from None
    with files.told(place, "written"):
        _make_directory(place.parent, _SECRET_DIRECTORY if mode == files.SECRET else _PUBLIC_DIRECTORY)
        files.write(place, data, mode, replace=True)


def _make_directory(directory: Path, mode: int) -> None:
    if directory.is_dir():
        return
    _make_directory(directory.parent, _PUBLIC_DIRECTORY)
    directory.mkdir()
    # Not by mkdir, whose mode the umask makes smaller: a daemon that is not root must get through.
    os.chmod(directory, mode)
