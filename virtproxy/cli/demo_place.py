# SPDX-License-Identifier: LGPL-2.1-or-later
"""The directory of a demonstration: certificates, configuration, log, and what they are called.

demo calls it. It must write nowhere else, and not into a directory that holds something already.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from virtproxy.cli.output import CommandError
from virtproxy.testing.daemon import HOST, StartFailed, fits_a_socket, free_port

CONFIG = """\
# Written by "virtproxy demo".
unix_sock_dir = "{run}"
auth_unix_rw = "none"
auth_unix_ro = "none"
listen_tls = 1
listen_tcp = 0
listen_addr = "{host}"
tls_port = "{port}"
auth_tls = "none"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one demonstration."""

    directory: Path
    port: int

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def socket(self) -> Path:
        return self.directory / "libvirt-sock"

    @property
    def config(self) -> Path:
        return self.directory / "virtproxyd.conf"

    @property
    def log(self) -> Path:
        return self.directory / "virtproxyd.log"

    @property
    def unix_uri(self) -> str:
        return f"test+unix:///default?socket={self.socket}"

    @property
    def tls_uri(self) -> str:
        return f"test+tls://{HOST}:{self.port}/default?pkipath={self.pki}"

    def write_config(self) -> None:
        """Write the daemon's configuration for these files."""
        self.config.write_text(CONFIG.format(run=self.directory, host=HOST, port=self.port, pki=self.pki))


@contextlib.contextmanager
def make_place(directory: str | None, port: int) -> Iterator[Place]:
    """Provide an empty directory: the one given, which is kept, or a temporary one, which is removed.

    ``port`` 0 takes a free one. Raises CommandError where the directory or the port cannot be used.
    """
    try:
        path = _given(Path(directory)) if directory else Path(tempfile.mkdtemp(prefix="virtproxy-"))
    except OSError as error:
        raise CommandError(f"cannot use a directory for the demonstration: {error.filename or ''}: {error.strerror}"
                           .replace(" : ", " ")) from error  # fmt: skip
    try:
        place = Place(path, _port(port))
        if not fits_a_socket(place.socket):
            raise CommandError(f"'{path}' is too long for a UNIX socket in it: choose a shorter --dir")
        yield place
    finally:
        if not directory:
            shutil.rmtree(path, ignore_errors=True)


def _given(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise CommandError(f"'{path}' is not empty: choose another --dir, so that nothing of yours is overwritten")
    if not os.access(path, os.W_OK | os.X_OK):
        raise CommandError(f"'{path}' is not writable: choose another --dir")
    return path.resolve()


def _port(port: int) -> int:
    try:
        return free_port(port)
    except StartFailed as error:
        raise CommandError(str(error)) from error
