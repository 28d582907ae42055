# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pid file: who holds it, and that it is gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from virtproxy.daemon.pidfile import PidFile, PidFileError

HOLD = """
import sys
from virtproxy.daemon.pidfile import PidFile
PidFile(sys.argv[1]).acquire()
print("held", flush=True); sys.stdin.read()
"""
HOLD_AS_LIBVIRT = """
import fcntl, os, sys
f = open(sys.argv[1], "w"); fcntl.lockf(f, fcntl.LOCK_EX, 0); print(os.getpid(), file=f, flush=True)
print("held", flush=True); sys.stdin.read()
"""


def test_it_holds_the_process_id_and_goes_with_it(place: Path) -> None:
    path = place / "d.pid"
    held = PidFile(str(path))
    held.check()
    held.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()
    held.release()
    assert not path.exists()
    held.release()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("program", [HOLD, HOLD_AS_LIBVIRT])
def test_a_second_daemon_hears_whose_it_is(place: Path, program: str) -> None:
    path = str(place / "d.pid")
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        for step in (PidFile(path).check, PidFile(path).acquire):
            with pytest.raises(PidFileError, match=f"process {holder.pid} holds the pid file {path}") as refused:
                step()
            assert refused.value.exit_code == 1
        assert Path(path).read_text() == f"{holder.pid}\n"
        holder.kill()


def test_a_stale_one_is_taken_over(place: Path) -> None:
    path = place / "d.pid"
    path.write_text("999999999999\nleft by a crash\n")
    held = PidFile(str(path))
    held.check()
    held.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    held.release()


def test_one_that_was_removed_meanwhile_is_made_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place / "d.pid"
    held = PidFile(str(path))
    real = os.stat
    with monkeypatch.context() as patch:

        def vanish(name: str) -> os.stat_result:
            patch.setattr(os, "stat", real)
            os.unlink(name)
            raise FileNotFoundError(name)

        patch.setattr(os, "stat", vanish)
        held.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    held.release()


def test_a_place_that_cannot_be_written(place: Path) -> None:
    with pytest.raises(PidFileError, match=r"cannot write the pid file .*: No such file or directory"):
        PidFile(str(place / "none" / "d.pid")).acquire()


def test_removing_everything_under_it_is_no_failure(place: Path) -> None:
    (place / "sub").mkdir()
    held = PidFile(str(place / "sub" / "d.pid"))
    held.acquire()
    shutil.rmtree(place / "sub")
    held.release()
