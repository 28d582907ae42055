# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of a certificate authority's directory: written whole or not at all, with the right mode, one at a time.

The other certificates modules and ``pki`` use it. What goes wrong is a CommandError that names the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from virtproxy.auth.tls_files import MALFORMED
from virtproxy.cli.output import CommandError

PUBLIC, SECRET = 0o644, 0o600
_FILE_MAX = 4 * 1024 * 1024

Key = ec.EllipticCurvePrivateKey


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make ``directory`` (for its owner only) if it is missing, and let nobody else change it meanwhile."""
    with told(directory, "written"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def told(path: Path, done: str) -> Iterator[None]:
    """Turn what the system says about ``path`` into a CommandError: it cannot be ``done``."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{error.filename or path} cannot be {done}: {error.strerror}") from None


def read(path: Path) -> bytes:
    """Return what a file holds; FileNotFoundError if it is missing, CommandError for anything else."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_MAX + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _FILE_MAX:
        raise CommandError(f"{path} is larger than {_FILE_MAX} bytes, which no such file is")
    return data


def write(path: Path, data: bytes, mode: int, *, replace: bool) -> None:
    """Write a file that appears whole or not at all; FileExistsError if there is one and it is not to be replaced.

    Other errors are OSError; whoever calls it says more with ``told``.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.rename(path)
        else:
            _link(draft, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    _keep(path.parent)


def _link(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise FileExistsError(error.errno, error.strerror, str(path)) from None


def _keep(directory: Path) -> None:
    """Let a file's new name survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_pair(directory: Path, stem: str, certificate: x509.Certificate, key: Key, *, replace: bool) -> list[Path]:
    """Write STEMcert.pem and STEMkey.pem; returns both. CommandError if one exists and is not to be replaced."""
    check_free(directory, stem, replace=replace)
    cert_file, key_file = pair_of(directory, stem)
    try:
        # The certificate comes last: where it is, the pair is complete.
        write(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), SECRET, replace=replace)
        write(cert_file, certificate.public_bytes(Encoding.PEM), PUBLIC, replace=replace)
    except FileExistsError as error:
        raise _taken(str(error.filename)) from None
    except OSError as error:
        raise CommandError(f"{error.filename or directory} cannot be written: {error.strerror}") from None
    return [cert_file, key_file]


def check_free(directory: Path, stem: str, *, replace: bool) -> None:
    """CommandError if a file of the pair exists and is not to be replaced."""
    for path in () if replace else pair_of(directory, stem):
        if path.exists() or path.is_symlink():
            raise _taken(str(path))


def pair_of(directory: Path, stem: str) -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    return directory / f"{stem}cert.pem", directory / f"{stem}key.pem"


def _taken(path: str) -> CommandError:
    return CommandError(
        f"{path} exists and is not overwritten: move it away, write elsewhere with --out, or renew it with --replace"
    )


def load_authority(directory: Path) -> tuple[x509.Certificate, Key]:
    """The certificate and the key of a directory's authority. CommandError if it has none that can be used."""
    try:
        certificate = x509.load_pem_x509_certificate(read(directory / "cacert.pem"))
        key = load_pem_private_key(read(directory / "cakey.pem"), None)
    except FileNotFoundError as error:
        raise CommandError(f'{error.filename} does not exist: make it first, with "virtproxy pki init"') from None
    except MALFORMED as error:
        raise CommandError(f"{directory} holds no usable authority (cacert.pem and cakey.pem): {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CommandError(f"{directory / 'cakey.pem'} was not made by this tool: issue certificates with yours")
    return certificate, key


def load_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a file. CommandError if there is none."""
    try:
        return x509.load_pem_x509_certificate(read(path))
    except FileNotFoundError:
        raise CommandError(f"{path} does not exist") from None
    except MALFORMED:
        raise CommandError(f"{path} holds no certificate in PEM form") from None
