# SPDX-License-Identifier: LGPL-2.1-or-later
"""The URI of a client that names none."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.probe import SYSTEM_ORDER, default_uri


def sockets(directory: Path, *present: str) -> dict[str, str]:
    """The path of every driver's socket, of which only the `present` exist."""
    for driver in present:
        (directory / driver).touch()
    return {driver: str(directory / driver) for driver in SYSTEM_ORDER}


@pytest.mark.parametrize(
    ("present", "uri"),
    [
        (("qemu",), "qemu:///system"),
        (("xen", "qemu", "lxc"), "xen:///system"),
        (("lxc", "vbox", "bhyve"), "lxc:///system"),
        (("vbox", "bhyve"), "vbox:///system"),
        (("bhyve",), "bhyve:///system"),
    ],
)
def test_the_first_driver_that_is_there(tmp_path: Path, present: tuple[str, ...], uri: str) -> None:
    assert default_uri("system", sockets(tmp_path, *present).get) == uri


def test_a_session_takes_a_socket_before_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert default_uri("session", sockets(tmp_path, "vbox").get) == "vbox:///session"


def test_a_session_daemon_that_could_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "virtqemud"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert default_uri("session", lambda driver: None) == "qemu:///session"


def test_nothing_there_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(VirtError, match="virtxend, virtqemud, virtlxcd") as caught:
        default_uri("system", sockets(tmp_path).get)
    assert caught.value.code == ErrorCode.NO_CONNECT
