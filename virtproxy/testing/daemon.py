# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtproxyd as a child process, in a directory of its own and on sockets of its own.

The fake and the demonstration start it. The child is ended with them, by its own process id; nothing else is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

HOST = "127.0.0.1"
START_LIMIT = 20.0
STOP_LIMIT = 10.0
_POLL_INTERVAL = 0.02
# Of a UNIX socket's path, in bytes (Linux unix(7): sun_path is 108 with its final zero).
SOCKET_PATH_MAX = 107


class StartFailed(Exception):
    """virtproxyd cannot be started here; the message is a sentence that says why."""


@contextlib.contextmanager
def running_daemon(
    config: Path, log: Path, sockets: Sequence[Path], ports: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Provide a virtproxyd that has begun to listen on all of these; StartFailed with its own words if it does not."""
    files = ["-f", str(config), "-p", str(config.with_name("virtproxyd.pid"))]
    command = [sys.executable, "-m", "virtproxy.cli.daemons", "virtproxyd", *files]
    with log.open("wb") as output:
        # In a session of its own: Ctrl-C is for whoever started it, who then ends the daemon in order.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_listening(process, log, sockets, ports)
        yield process
    finally:
        _end(process)


def _wait_until_listening(
    process: subprocess.Popen[bytes], log: Path, sockets: Sequence[Path], ports: Sequence[int]
) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not all([*map(_listens_unix, sockets), *map(_listens_inet, ports)]):
        if process.poll() is not None:
            raise StartFailed(f"virtproxyd did not start: {last_words(log)}")
        if time.monotonic() > deadline:
            raise StartFailed(f"virtproxyd does not listen after {START_LIMIT:.0f} seconds: {last_words(log)}")
        time.sleep(_POLL_INTERVAL)


def _listens_unix(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _listens_inet(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def last_words(log: Path) -> str:
    """Return the last line of the daemon's log, which says why it ended."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port(port: int) -> int:
    """Return ``port`` of the loopback interface, or a free one for 0; StartFailed if it cannot be listened on."""
    with socket.socket() as listener, socket.socket() as caller:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
            # A loopback interface that is down lets one listen all the same, but never be reached.
            caller.connect(listener.getsockname())
        except OSError as error:
            raise StartFailed(_why_no_port(port, error)) from error
        number: int = listener.getsockname()[1]
        return number


def _why_no_port(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {HOST} is taken: end what listens there, or choose another port (0: a free one)"
    if error.errno in (errno.EADDRNOTAVAIL, errno.ENETUNREACH):
        return f"{HOST} cannot be reached: the loopback interface is down (ip link set lo up)"
    return f"cannot listen on port {port} of {HOST}: {error.strerror}"


def fits_a_socket(path: Path) -> bool:
    """Whether a UNIX socket may have that path."""
    return len(os.fsencode(path)) <= SOCKET_PATH_MAX
