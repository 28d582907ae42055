# SPDX-License-Identifier: LGPL-2.1-or-later
"""The directory of the sockets: made for its user alone, and not used where others could take the daemon's place."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon_process import COMMAND, environment
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.options import options_for
from virtproxy.daemon.plan import Plan, make_plan
from virtproxy.daemon.run_dir import make_run_dir


def plan(place: Path) -> Plan:
    """A user's daemon."""
    options = options_for(ROWS["virtproxyd"])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse([])
    return make_plan(options, {"HOME": str(place), "XDG_RUNTIME_DIR": str(place / "run")}, 1000)


def test_it_is_made_for_the_user_alone(place: Path) -> None:
    make_run_dir(plan(place))
    assert stat.S_IMODE((place / "run/libvirt").stat().st_mode) == 0o700
    make_run_dir(plan(place))


def refusal(place: Path) -> str:
    with pytest.raises(StartupError) as refused:
        make_run_dir(plan(place))
    assert refused.value.exit_code == ExitCode.RUNDIR
    return refused.value.message


def test_one_that_everybody_may_write(place: Path) -> None:
    (place / "run/libvirt").mkdir(parents=True)
    (place / "run/libvirt").chmod(0o777)
    assert f"{place}/run/libvirt may be written by everybody, so that anybody could" in refusal(place)


@pytest.mark.root
def test_one_of_another_user(place: Path) -> None:
    (place / "run/libvirt").mkdir(parents=True)
    os.chown(place / "run/libvirt", 12345, 12345)
    assert f"{place}/run/libvirt belongs to another user, who could take this daemon's place: set " in refusal(place)


def test_one_that_cannot_be_made(place: Path) -> None:
    (place / "run").touch()
    assert f"cannot make the directory {place}/run/libvirt: Not a directory" in refusal(place)


@pytest.mark.programs("unshare")
def test_the_daemon_says_it_and_leaves_nothing(place: Path) -> None:
    (place / "run/libvirt").mkdir(parents=True)
    (place / "run/libvirt").chmod(0o777)
    nobody = ("unshare", "--user") if os.geteuid() == 0 else ()
    done = subprocess.run([*nobody, *COMMAND], capture_output=True, text=True, env=environment(place), timeout=25)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "may be written by everybody" in done.stderr
    assert os.listdir(place / "run/libvirt") == []
