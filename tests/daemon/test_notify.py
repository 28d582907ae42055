# SPDX-License-Identifier: LGPL-2.1-or-later
"""Telling the service manager."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from virtproxy.daemon.notify import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_that_listens_is_told(place: Path, abstract: bool) -> None:
    name = f"\0vp{os.getpid()}" if abstract else str(place / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        assert notify({"NOTIFY_SOCKET": name.replace("\0", "@")}, "READY=1") is True
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1", "/nonexistent/socket"])
def test_without_one_nothing_happens(address: str) -> None:
    assert notify({"NOTIFY_SOCKET": address}, "READY=1") is False
    assert notify({}, "READY=1") is False
