# SPDX-License-Identifier: LGPL-2.1-or-later
"""The container itself: it boots with nothing failed, keeps what is written over a reboot, and leaves nothing here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nspawn import booted

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]


def test_it_boots_and_boots_again() -> None:
    with booted() as container:
        assert container.run("systemctl", "is-system-running").stdout == "running\n"
        container.write("/etc/here", "yes\n")
        container.reboot()
        assert container.sh("cat /etc/here; systemctl is-system-running") == "yes\nrunning\n"
        leader = container.leader
    assert not Path(f"/proc/{leader}").exists()
