# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy install``: what it lays down, what it leaves alone, and that it takes away what it brought."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from virtproxy.cli.main import main
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.conf_file import conf_file
from virtproxy.daemon.units import units

UNITS = "usr/local/lib/systemd/system"
CONF = "etc/libvirt/virtproxyd.conf"
POLKIT = "usr/share/polkit-1/actions/org.libvirt.unix.policy"
SASL = "etc/sasl2/libvirt.conf"


def install(root: Path, *options: str) -> int:
    return main(["install", "--root", str(root), *options])


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def actions(capsys: pytest.CaptureFixture[str], root: Path, *options: str) -> dict[str, str]:
    """What a run says that it did, by path below the root."""
    capsys.readouterr()
    assert install(root, "--json", *options) == 0
    return {os.path.relpath(each["path"], root): each["action"] for each in json.loads(capsys.readouterr().out)}


def test_everything_that_virtproxyd_takes(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert install(tmp_path) == 0
    finally:
        os.umask(before)
    made = units(ROWS["virtproxyd"])
    polkit = {POLKIT, "usr/share/polkit-1/actions/org.libvirt.api.policy"}
    assert files(tmp_path) == {*(f"{UNITS}/{name}" for name in made), CONF, SASL, *polkit}
    assert (tmp_path / UNITS / "virtproxyd.service").read_text() == made["virtproxyd.service"]
    assert (tmp_path / CONF).read_text() == conf_file(ROWS["virtproxyd"])
    for path in (tmp_path / name for name in files(tmp_path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
        assert path.stat().st_uid == os.geteuid()


def test_it_removes_all_of_it_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_text("")
    assert install(tmp_path, "--daemons", "all") == 0
    assert len(files(tmp_path)) == 1 + 11 * 4 + 2 * 6 + 14 + 3
    assert install(tmp_path, "--daemons", "all", "--remove") == 0
    assert files(tmp_path) == {"etc/hosts"}
    assert list(tmp_path.iterdir()) == [tmp_path / "etc"]


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(tmp_path) == 0
    assert set(actions(capsys, tmp_path).values()) == {"same"}
    assert install(tmp_path) == 0
    assert "Nothing to do." in capsys.readouterr().out


def test_an_edited_file_stays_and_the_new_one_lies_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(tmp_path) == 0
    for name in (CONF, SASL):
        (tmp_path / name).write_text("mine = 1\n")
    assert install(tmp_path) == 0
    assert f"{tmp_path}/{CONF}.new: written beside the one that is there, which differs" in capsys.readouterr().out
    assert (tmp_path / CONF).read_text() == "mine = 1\n"
    assert (tmp_path / f"{CONF}.new").read_text() == conf_file(ROWS["virtproxyd"])
    said = actions(capsys, tmp_path, "--remove")
    assert (said[CONF], said[f"{CONF}.new"], said[SASL]) == ("keep", "remove", "keep")
    assert files(tmp_path) == {CONF, SASL}


def test_an_older_unit_of_ours_is_replaced_and_anybody_elses_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(tmp_path) == 0
    service, socket = tmp_path / UNITS / "virtproxyd.service", tmp_path / UNITS / "virtproxyd.socket"
    service.write_text(service.read_text().replace("WatchdogSec=60", "WatchdogSec=1"))
    socket.write_text("[Socket]\n")
    (tmp_path / POLKIT).write_text("<policyconfig/>")
    said = actions(capsys, tmp_path)
    assert said[f"{UNITS}/virtproxyd.service"] == "replace"
    assert said[f"{UNITS}/virtproxyd.socket"] == said[POLKIT] == "foreign"
    assert "WatchdogSec=60" in service.read_text()
    assert socket.read_text() == "[Socket]\n"
    assert install(tmp_path, "--remove") == 0
    assert files(tmp_path) == {f"{UNITS}/virtproxyd.socket", POLKIT}


def test_a_masked_unit_stays_masked(tmp_path: Path) -> None:
    (tmp_path / UNITS).mkdir(parents=True)
    (tmp_path / UNITS / "virtproxyd.socket").symlink_to("/dev/null")
    assert install(tmp_path) == 0
    assert (tmp_path / UNITS / "virtproxyd.socket").is_symlink()


def test_what_else_is_enabled_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = tmp_path / "etc/systemd/system/sockets.target.wants"
    wanted.mkdir(parents=True)
    assert install(tmp_path) == 0
    assert "libvirtd's sockets" not in capsys.readouterr().out
    for name in ("libvirtd.socket", "virtproxyd.socket"):
        (wanted / name).symlink_to(f"/usr/lib/systemd/system/{name}")
    assert install(tmp_path) == 0
    assert "note: libvirtd's sockets are enabled, and exclude these" in capsys.readouterr().out
    assert install(tmp_path, "--remove") == 0
    assert "note: it is still enabled: systemctl disable --now virtproxyd.socket" in capsys.readouterr().out


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(tmp_path / "new", "--dry-run") == 0
    assert f"{tmp_path}/new/{CONF}: would be written" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()
    assert install(tmp_path) == 0
    assert install(tmp_path, "--remove", "--dry-run") == 0
    assert (tmp_path / CONF).exists()


def test_what_daemons_share_goes_with_the_last(tmp_path: Path) -> None:
    assert install(tmp_path, "--daemons", "virtproxyd,virtqemud") == 0
    assert install(tmp_path, "--daemons", "virtqemud", "--remove") == 0
    assert (tmp_path / SASL).exists()
    assert not (tmp_path / "etc/libvirt/virtqemud.conf").exists()
    assert install(tmp_path, "--remove") == 0
    assert files(tmp_path) == set()


def test_places_of_a_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install(tmp_path, "--unit-dir", "/usr/lib/systemd/system", "--bin-dir", "/opt/bin") == 0
    text = (tmp_path / "usr/lib/systemd/system/virtproxyd.service").read_text()
    assert "\nExecStart=/opt/bin/virtproxyd $VIRTPROXYD_ARGS\n" in text
    assert "there is no program virtproxyd in /opt/bin yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--daemons", "virtfoo"], "there is no daemon 'virtfoo'; they are libvirtd, virtproxyd,"),
        (["--daemons", ","], "--daemons names none"),
        (["--unit-dir", "units"], "--unit-dir must be an absolute path"),
    ],
)
def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str) -> None:
    assert install(tmp_path, *options) == 1
    assert said in capsys.readouterr().err
    assert files(tmp_path) == set()


def test_a_link_that_leads_out_of_the_tree_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / "etc").symlink_to(elsewhere)
    assert install(root) == 1
    assert f"leads out of {root} by a symbolic link" in capsys.readouterr().err
    assert [path.name for path in root.iterdir()] == ["etc"]
    assert list(elsewhere.iterdir()) == []


def test_if_one_file_cannot_be_written_none_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").write_text("a file where a directory should be")
    assert install(tmp_path) == 1
    assert "etc" in capsys.readouterr().err
    assert files(tmp_path) == {"etc"}
    (tmp_path / "etc").unlink()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device", "/x")

    monkeypatch.setattr(os, "fsync", full)
    assert install(tmp_path) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert files(tmp_path) == set()
