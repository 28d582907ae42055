# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions on disk: libvirt's names, modes, links and comment, and what a crash or a stranger leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.toy import result_of
from virtproxy.driver import Definitions, ErrorCode, Instance, Place, StatusFiles, VirtError, should_autostart

UUID = bytes(range(16))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.under(tmp_path)


@pytest.fixture
def pools(place: Place) -> Definitions:
    return Definitions(place, "storage", edit="pool-edit", autostart="storage/autostart")


def test_a_definition_is_kept_as_libvirt_keeps_it(pools: Definitions, tmp_path: Path) -> None:
    result_of(pools.save("one", "<pool/>\n", UUID))
    path = tmp_path / "config" / "storage" / "one.xml"
    assert pools.path("one") == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head, _, rest = path.read_text().partition("-->\n\n")
    assert rest == "<pool/>\n"
    assert head.startswith("<!--\nWARNING: ") and "\n  virsh pool-edit one\n" in head
    assert os.listdir(path.parent) == ["one.xml"]


@pytest.mark.parametrize("name", ["a b", "a--b", "it's"])
def test_a_name_that_is_no_word_of_a_shell_is_not_in_the_comment(pools: Definitions, name: str) -> None:
    result_of(pools.save(name, "<pool/>\n", UUID))
    assert "virsh pool-edit 00010203-0405-0607-0809-0a0b0c0d0e0f\n" in Path(pools.path(name)).read_text()
    result_of(pools.save(name, "<pool/>\n"))
    assert "virsh pool-edit\n" in Path(pools.path(name)).read_text()


def test_a_kind_that_virsh_does_not_edit_has_no_comment(place: Place) -> None:
    secrets = Definitions(place, "secrets")
    result_of(secrets.save("s", "<secret/>\n"))
    assert Path(secrets.path("s")).read_text() == "<secret/>\n"
    with pytest.raises(ValueError, match="starts by itself"):
        result_of(secrets.set_autostart("s", True))


def test_definitions_are_loaded_with_what_starts_by_itself(pools: Definitions, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        result_of(pools.save(name, f"<pool>{name}</pool>"))
    result_of(pools.set_autostart("b", True))
    link = tmp_path / "config" / "storage" / "autostart" / "b.xml"
    assert os.readlink(link) == pools.path("b")
    loaded = result_of(pools.load(lambda text: text.rpartition("<pool>")[2]))
    assert [tuple(stored) for stored in loaded] == [
        ("a", "a</pool>", False),
        ("b", "b</pool>", True),
        ("c", "c</pool>", False),
    ]
    result_of(pools.set_autostart("b", False))
    assert not link.is_symlink()


def test_a_link_that_leads_elsewhere_starts_nothing(pools: Definitions, tmp_path: Path) -> None:
    result_of(pools.save("a", "x"))
    result_of(pools.save("b", "x"))
    result_of(pools.set_autostart("a", True))
    link = tmp_path / "config" / "storage" / "autostart" / "a.xml"
    link.unlink()
    link.symlink_to(pools.path("b"))
    assert [stored.autostart for stored in result_of(pools.load(str))] == [False, False]
    link.unlink()
    link.symlink_to("/nonexistent")
    assert [stored.autostart for stored in result_of(pools.load(str))] == [False, False]


def test_a_missing_directory_has_no_definitions(pools: Definitions) -> None:
    assert result_of(pools.load(str)) == []


def test_what_cannot_be_used_is_skipped(pools: Definitions, tmp_path: Path) -> None:
    directory = tmp_path / "config" / "storage"
    result_of(pools.save("good", "<pool/>"))
    (directory / "bytes.xml").write_bytes(b"\xff\xfe\xfa")
    (directory / "folder.xml").mkdir()
    (directory / "dangling.xml").symlink_to("/nonexistent")
    (directory / "broken.xml").write_text("broken")
    (directory / "huge.xml").write_bytes(b"")
    os.truncate(directory / "huge.xml", 1 << 30)
    (directory / "half.xml.new").write_text("<pool/>")
    (directory / "notes.txt").write_text("<pool/>")

    def parse(text: str) -> str:
        if "<pool" not in text:
            raise VirtError.of(ErrorCode.XML_ERROR, "this is no pool")
        return text

    assert [stored.name for stored in result_of(pools.load(parse))] == ["good"]


def test_a_removed_definition_takes_its_link_along(pools: Definitions, tmp_path: Path) -> None:
    result_of(pools.save("a", "x"))
    result_of(pools.set_autostart("a", True))
    result_of(pools.delete("a"))
    assert not os.path.lexists(pools.path("a"))
    assert os.listdir(tmp_path / "config" / "storage" / "autostart") == []
    result_of(pools.delete("a"))


def test_a_renamed_definition_takes_its_link_along(pools: Definitions) -> None:
    result_of(pools.save("a", "<pool>a</pool>"))
    result_of(pools.set_autostart("a", True))
    result_of(pools.rename("a", "b", "<pool>b</pool>"))
    (only,) = result_of(pools.load(str))
    assert (only.name, only.autostart) == ("b", True) and "<pool>b</pool>" in only.value


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a\0b"])
def test_a_name_that_is_no_file_name_is_refused(pools: Definitions, name: str) -> None:
    with pytest.raises(VirtError) as caught:
        result_of(pools.save(name, "x"))
    assert caught.value.code == ErrorCode.INVALID_ARG


def test_a_write_that_fails_leaves_the_old_content(pools: Definitions, monkeypatch: pytest.MonkeyPatch) -> None:
    result_of(pools.save("a", "old"))

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(VirtError) as caught:
            result_of(pools.save("a", "new"))
    assert (caught.value.code, caught.value.int1) == (ErrorCode.SYSTEM_ERROR, 28)
    assert (caught.value.message or "").endswith(f"'{pools.path('a')}': No space left on device")
    assert Path(pools.path("a")).read_text().endswith("old")
    assert os.listdir(pools.directory) == ["a.xml"]


def test_a_leftover_of_a_crash_or_a_trap_is_replaced(pools: Definitions, tmp_path: Path) -> None:
    result_of(pools.save("a", "old"))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path(f"{pools.path('a')}.new").symlink_to(victim)
    result_of(pools.save("a", "new"))
    assert victim.read_text() == "precious"
    assert Path(pools.path("a")).read_text().endswith("new")


def test_status_files_are_below_the_run_directory(place: Place, tmp_path: Path) -> None:
    status = StatusFiles(place, "storage")
    result_of(status.save("a", "<poolstate/>"))
    assert status.path("a") == str(tmp_path / "run" / "storage" / "a.xml")
    assert [stored.name for stored in result_of(StatusFiles(place, "storage").load(str))] == ["a"]


def test_what_starts_by_itself_is_started_once_after_the_host(place: Place, tmp_path: Path) -> None:
    assert result_of(should_autostart(place, "storage"))
    assert not result_of(should_autostart(place, "storage"))
    assert (tmp_path / "run" / "storage" / "autostarted").exists()


def test_a_users_own_status_files_are_one_level_deeper(tmp_path: Path) -> None:
    place = Place.under(tmp_path, mode="session")
    assert StatusFiles(place, place.run_of("storage")).path("a") == str(tmp_path / "run" / "storage" / "run" / "a.xml")


def test_a_driver_is_there_once_a_host(place: Place, tmp_path: Path) -> None:
    instance = Instance(place, "storage")
    instance.acquire()
    path = tmp_path / "run" / "storage" / "driver.pid"
    assert path.read_text() == str(os.getpid())
    script = (
        "import sys; from virtproxy.driver import Instance, Place, VirtError\n"
        f"try: Instance(Place.under({str(tmp_path)!r}), 'storage').acquire()\n"
        "except VirtError as error: sys.exit(error.message)"
    )
    second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert second.returncode == 1 and f"(process {os.getpid()})" in second.stderr
    instance.release()
    assert not path.exists()
    assert subprocess.run([sys.executable, "-c", script], timeout=20).returncode == 0
