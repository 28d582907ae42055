# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons of a benchmark: two real libvirtd in labs of their own, and virtproxyd in front of both.

__main__.py uses it. One libvirtd serves everything but networks, the other networks, so that a network
call through the proxy goes to another daemon than a domain call.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, socket

from tests.support.lab import BACKEND_SOCKETS, FAMILIES, Lab

STARTING_SECONDS = 20.0


@dataclass(frozen=True)
class Places:
    """Where everything listens; `backends` is what a further virtproxyd needs (driver to socket)."""

    hypervisor: Path
    network: Path
    proxy: Path
    backends: dict[str, Path]

    @staticmethod
    def uri(socket_path: Path, driver: str = "qemu") -> str:
        """The URI of a driver at a socket."""
        return f"{driver}+unix:///system?socket={socket_path}"


@dataclass(frozen=True)
class Started:
    """A running virtproxyd; `seconds` is its time from exec to listening."""

    path: Path
    pid: int
    seconds: float


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> float:
    """Seconds until somebody answers at `path`."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < STARTING_SECONDS:
        if process.poll() is not None:
            raise SystemExit("virtproxyd did not start; run it by hand to see why")
        with socket(AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(path))
            return time.perf_counter() - begin
        time.sleep(0.001)
    raise SystemExit(f"nobody listens at {path}")


def _configuration(directory: Path, backends: dict[str, Path], more: str) -> Path:
    sockets = ", ".join(f'"{family}={path}"' for family, path in backends.items())
    file = directory / "virtproxyd.conf"
    file.write_text(
        f'unix_sock_dir = "{directory}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
        f'backend_sockets = [ {sockets} ]\nlog_level = 4\nlog_outputs = "4:stderr"\n'
        + more.replace("{place}", str(directory))
    )
    return file


@contextlib.contextmanager
def proxy(backends: dict[str, Path], more: str = "", files: Mapping[str, str] | None = None) -> Iterator[Started]:
    """A virtproxyd in front of `backends`, ended at the end.

    `more` is configuration, in which "{place}" is its directory; `files` are put there.
    """
    with tempfile.TemporaryDirectory(prefix="vp") as name:
        directory = Path(name)
        for file, text in (files or {}).items():
            (directory / file).write_text(text)
        command = [str(Path(sys.executable).parent / "virtproxyd")]
        command += ["-f", str(_configuration(directory, backends, more)), "-p", str(directory / "pid")]
        process = subprocess.Popen(command)
        try:
            taken = wait_for(directory / "libvirt-sock", process)
            yield Started(directory / "libvirt-sock", process.pid, taken)
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def places() -> Iterator[Places]:
    """All of it, running; a guest, a network and a pool called "bench" are defined by the clients."""
    with Lab() as first, Lab() as second:
        sockets = []
        for lab in (first, second):
            lab.libvirtd(BACKEND_SOCKETS)
            sockets.append(lab.outside(BACKEND_SOCKETS / "libvirt-sock"))
        direct = Places.uri(sockets[0])
        virsh("-c", direct, "pool-create-as", "bench", "dir", "--target", "/run/bench", "--build")
        backends = {**dict.fromkeys(FAMILIES, sockets[0]), "network": sockets[1]}
        with proxy(backends) as started:
            yield Places(sockets[0], sockets[1], started.path, backends)


def virsh(*words: str) -> None:
    """Run a virsh command that must succeed."""
    subprocess.run(["virsh", *words], check=True, stdout=subprocess.DEVNULL)
