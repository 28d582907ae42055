# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtproxyd of a demonstration, as a child process.

demo calls it. The child is ended with the demonstration, by its own process id.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from virtproxy.cli.demo_place import HOST, Place
from virtproxy.cli.output import CommandError

START_LIMIT = 20.0
STOP_LIMIT = 10.0
_POLL_INTERVAL = 0.05


@contextlib.contextmanager
def running_daemon(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Provide a virtproxyd that listens at the place; CommandError with its own words where it does not start."""
    files = ["-f", str(place.config), "-p", str(place.directory / "virtproxyd.pid")]
    command = [sys.executable, "-m", "virtproxy.cli.daemons", "virtproxyd", *files]
    with place.log.open("wb") as log:
        # In a session of its own: Ctrl-C is for the demonstration, which then ends the daemon in order.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_listening(process, place)
        yield process
    finally:
        _end(process)


def _wait_until_listening(process: subprocess.Popen[bytes], place: Place) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not (_listens_unix(place) and _listens_tls(place)):
        if process.poll() is not None:
            raise CommandError(f"virtproxyd did not start: {last_words(place.log)}")
        if time.monotonic() > deadline:
            raise CommandError(f"virtproxyd does not listen after {START_LIMIT:.0f} seconds: {last_words(place.log)}")
        time.sleep(_POLL_INTERVAL)


def _listens_unix(place: Place) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(place.socket)) == 0


def _listens_tls(place: Place) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, place.port)) == 0


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
