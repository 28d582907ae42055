# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fake libvirt host: a virtproxyd with a scenario, and what one may do to it while it runs.

`virtproxy fake` and the pytest fixtures use it. It writes nowhere but into its own temporary directory, and into the
file that is to keep the state.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtproxy.testing.daemon import HOST, StartFailed, fits_a_socket, free_port, running_daemon

# A scenario is made anew within it, however large.
ANSWER_LIMIT = 120.0
_CONFIG = """\
# Written for a fake of virtproxy.testing.
unix_sock_dir = "{directory}"
auth_unix_rw = "none"
auth_unix_ro = "none"
listen_tls = 0
test_scenario = "{scenario}"
test_control = "{control}"
"""
_TCP = """\
listen_tcp = 1
listen_addr = "{host}"
tcp_port = "{port}"
auth_tcp = "none"
"""


class RequestRefused(Exception):
    """The fake did not do what was asked for; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class FakeLibvirt:
    """A fake that runs. `uri` is for libvirt's clients on this host, `tcp_uri` where it was asked for."""

    directory: Path
    pid: int
    port: int | None = None

    @property
    def socket(self) -> Path:
        """The read-write socket."""
        return self.directory / "libvirt-sock"

    @property
    def control(self) -> Path:
        """The socket by which it is changed while it runs."""
        return self.directory / "control"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.directory / "virtproxyd.log"

    @property
    def uri(self) -> str:
        """What a client opens."""
        return f"test+unix:///default?socket={self.socket}"

    @property
    def tcp_uri(self) -> str | None:
        """The same over TCP, without a login; None unless it listens there."""
        return None if self.port is None else f"test+tcp://{HOST}:{self.port}/default"

    def set_fault(self, calls: str, **rest: object) -> None:
        """Add a fault, with the keys that a scenario's [[faults]] have. RequestRefused with what is wrong."""
        ask(self.control, "set", faults=faults_text({"calls": calls, **rest}))

    def faults(self) -> list[dict[str, Any]]:
        """Every fault: its `calls` and `object`, what it `does`, how many calls it has `seen` and `struck`."""
        found: list[dict[str, Any]] = ask(self.control, "list")["faults"]
        return found

    def clear_faults(self) -> None:
        """Let nothing go wrong from now on."""
        ask(self.control, "clear")

    def reset(self) -> None:
        """Make everything as the scenario has it, its faults too."""
        ask(self.control, "reset")


def faults_text(row: dict[str, object]) -> str:
    """A row of [[faults]] as TOML, whose strings, numbers and lists are written as JSON's are."""
    return "[[faults]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in row.items())


def ask(control: Path, deed: str, **rest: str) -> dict[str, Any]:
    """Have a fake do something and return its answer. RequestRefused, with its words or because it is not there."""
    try:
        with socket.socket(socket.AF_UNIX) as talk:
            talk.settimeout(ANSWER_LIMIT)
            talk.connect(str(control))
            talk.sendall(json.dumps({"do": deed, **rest}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(talk.makefile("rb").readline() or b"{}")
    except OSError as error:
        raise RequestRefused(f"no fake answers at '{control}': {error.strerror or error}") from error
    if "error" in answer:
        raise RequestRefused(str(answer["error"]))
    return answer


@contextlib.contextmanager
def fake_libvirt(
    scenario: str | Path = "", *, state: Path | None = None, tcp: int | None = None
) -> Iterator[FakeLibvirt]:
    """Provide a fake until the block ends; nothing is left of it.

    `scenario` is TOML text, or a file: a Path, or a name that ends in .toml; without one it is libvirt's usual test
    host, which here stays as it is left. `state` is a file that keeps the host, `tcp` a port of the loopback interface
    (0: a free one). Raises StartFailed with what is wrong with the scenario, for one.
    """
    directory = Path(tempfile.mkdtemp(prefix="virtproxy-"))
    try:
        port = None if tcp is None else free_port(tcp)
        fake = _furnished(directory, scenario, state, port)
        ports = () if port is None else (port,)
        with running_daemon(directory / "virtproxyd.conf", fake.log, (fake.socket, fake.control), ports) as process:
            yield FakeLibvirt(directory, process.pid, port)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _furnished(directory: Path, scenario: str | Path, state: Path | None, port: int | None) -> FakeLibvirt:
    """Write the files of a fake, which is returned as it will be."""
    fake = FakeLibvirt(directory, 0, port)
    if not fits_a_socket(fake.socket):
        raise StartFailed(f"'{directory}' is too long for a UNIX socket in it: set TMPDIR to a shorter path")
    path = directory / "scenario.toml"
    if isinstance(scenario, Path) or scenario.endswith(".toml"):
        path = Path(scenario).absolute()
    else:
        path.write_text(scenario)
    for named in (directory, path, *([] if state is None else [state])):
        if '"' in str(named) or not str(named).isprintable():
            raise StartFailed(f"{str(named)!r} cannot be used: a path must be printable, without quotation marks")
    config = _CONFIG.format(directory=directory, scenario=path, control=fake.control)
    config += "" if state is None else f'test_state = "{os.path.abspath(state)}"\n'
    config += "" if port is None else _TCP.format(host=HOST, port=port)
    (directory / "virtproxyd.conf").write_text(config)
    return fake
