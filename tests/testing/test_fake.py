# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fake host as a test of a tool sees it, with libvirt's own client; and that nothing is left of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from virtproxy.testing import FakeLibvirt, RequestRefused, StartFailed, fake_libvirt

TWENTY = """
[host]
base = "empty"
[[guests]]
name = "web-{n:02}"
count = 20
state = { running = 3, shutoff = 1 }
"""


def virsh(fake: FakeLibvirt, *words: str, uri: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["virsh", "-c", uri or fake.uri, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.programs("virsh")
def test_a_scenario_is_served_changed_and_put_back() -> None:
    with fake_libvirt(TWENTY, tcp=0) as fake:
        assert len(virsh(fake, "list", "--name").stdout.split()) == 15
        assert len(virsh(fake, "list", "--all", "--name", uri=fake.tcp_uri).stdout.split()) == 20
        fake.set_fault("virDomainDestroy", object="web-0*", error="OPERATION_FAILED", message="it is busy", nth=1)
        running = [name for name in virsh(fake, "list", "--name").stdout.split() if name.startswith("web-0")]
        assert "operation failed: it is busy" in virsh(fake, "destroy", running[0]).stderr
        assert virsh(fake, "destroy", running[0]).returncode == 0
        assert [(one["seen"], one["struck"]) for one in fake.faults()] == [(2, 1)]
        # One command's doings are there for the next.
        assert len(virsh(fake, "list", "--name").stdout.split()) == 14
        fake.reset()
        assert fake.faults() == []
        assert len(virsh(fake, "list", "--name").stdout.split()) == 15


@pytest.mark.programs("virsh")
def test_a_client_that_is_hung_up_on_can_come_again() -> None:
    with fake_libvirt() as fake:
        fake.set_fault("virDomainLookupByName", disconnect=True, times=1)
        gone = virsh(fake, "domid", "test")
        assert gone.returncode == 1
        assert "end of file" in gone.stderr
        assert virsh(fake, "domid", "test").stdout.strip() == "1"
        fake.set_fault("virConnectOpen", error="NO_CONNECT", nth=1)
        assert virsh(fake, "list").returncode == 1
        assert virsh(fake, "list").returncode == 0
        fake.clear_faults()
        assert fake.faults() == []


@pytest.mark.programs("virsh")
def test_the_state_is_kept_from_run_to_run(tmp_path: Path) -> None:
    state = tmp_path / "state.xml"
    with fake_libvirt(state=state) as fake:
        virsh(fake, "suspend", "test")
        virsh(fake, "vol-create-as", "default-pool", "made", "1M")
        assert not state.exists()
    with fake_libvirt(state=state) as fake:
        assert virsh(fake, "domstate", "test").stdout.strip() == "paused"
        assert "made" in virsh(fake, "vol-list", "default-pool").stdout
    # libvirt's own driver reads the file as well.
    read = subprocess.run(["virsh", "-c", f"test://{state}", "list"], capture_output=True, text=True, check=False)
    assert "paused" in read.stdout, read.stderr


def test_nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    with fake_libvirt() as fake:
        assert fake.directory.stat().st_mode & 0o777 == 0o700
        assert fake.control.stat().st_mode & 0o777 == 0o600
        os.kill(fake.pid, 0)
    assert not fake.directory.exists()
    assert not Path(f"/proc/{fake.pid}").exists()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    wrong = tmp_path / "s.toml"
    wrong.write_text("[[guests]]\nname = 'a'\nmemry = '1 GiB'\n")
    with pytest.raises(StartFailed, match=f'{wrong}:3: there is no key "memry" here; did you mean memory'):
        fake_libvirt(wrong).__enter__()
    with pytest.raises(StartFailed, match="No such file"):
        fake_libvirt(str(tmp_path / "none.toml")).__enter__()
    with pytest.raises(StartFailed, match="without quotation marks"):
        fake_libvirt(state=tmp_path / 'a"b').__enter__()
    with fake_libvirt() as fake, pytest.raises(RequestRefused, match="did you mean virDomainCreate"):
        fake.set_fault("virDomainCrate", hang=True)
    with pytest.raises(RequestRefused, match="no fake answers"):
        fake.reset()
