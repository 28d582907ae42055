# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that a driver runs: their output, their end, and what is kept from them and of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from virtproxy.driver import ErrorCode, Place, VirtError, run_program


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.under(tmp_path, reactor=reactor)


@ensureDeferred
async def test_a_program_gets_its_input_and_its_output_is_read(place: Place) -> None:
    finished = await run_program(place, ["cat"], input=b"hello")
    assert (finished.status, finished.text, finished.complaint) == (0, "hello", b"")


@ensureDeferred
async def test_its_environment_is_small_and_its_language_is_c(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    finished = await run_program(place, ["env"], env={"MORE": "1"})
    lines = finished.text.splitlines()
    assert "LC_ALL=C" in lines and "MORE=1" in lines
    assert {line.partition("=")[0] for line in lines} <= {
        "LC_ALL", "MORE", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR",
    }  # fmt: skip


@ensureDeferred
async def test_a_failure_says_what_was_run_and_what_it_complained_of(place: Place) -> None:
    with pytest.raises(VirtError) as caught:
        await run_program(place, ["sh", "-c", "echo no such luck >&2; exit 3"])
    assert caught.value.code == ErrorCode.INTERNAL_ERROR
    message = caught.value.message or ""
    assert message.startswith("internal error: Child process (/")
    assert message.endswith(") unexpected exit status 3: no such luck")
    finished = await run_program(place, ["sh", "-c", "exit 3"], ok=(0, 3))
    assert finished.status == 3


@ensureDeferred
async def test_a_killed_program_is_a_failure(place: Place) -> None:
    with pytest.raises(VirtError, match="unexpected fatal signal 15"):
        await run_program(place, ["sh", "-c", "kill -TERM $$"])


@ensureDeferred
async def test_a_program_that_is_not_there_is_named(place: Place) -> None:
    with pytest.raises(VirtError) as caught:
        await run_program(place, ["no-such-program"])
    assert caught.value.code == ErrorCode.SYSTEM_ERROR
    assert caught.value.message == "Cannot find 'no-such-program' in path: No such file or directory"


@ensureDeferred
async def test_endless_output_and_endless_time_are_cut_off(place: Place) -> None:
    with pytest.raises(VirtError, match="prints more than 1000 bytes"):
        await run_program(place, ["cat", "/dev/zero"], output_max=1000)
    with pytest.raises(VirtError, match=r"took more than 0\.1 seconds"):
        await run_program(place, ["sleep", "60"], seconds=0.1)


@ensureDeferred
async def test_a_caller_that_leaves_kills_it(place: Place, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    running = Deferred.fromCoroutine(run_program(place, ["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"]))
    while not (pid_file.exists() and pid_file.read_text().endswith("\n")):
        await deferLater(reactor, 0.01)
    running.cancel()
    with pytest.raises(CancelledError):
        await running
    for _ in range(200):
        try:
            os.kill(int(pid_file.read_text()), 0)
        except ProcessLookupError:
            return
        await deferLater(reactor, 0.01)
    pytest.fail("it still runs")


@ensureDeferred
async def test_it_gets_the_descriptors_it_is_given(place: Place, tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as file:
        await run_program(place, ["sh", "-c", "echo hi >&5"], fds={5: file.fileno()})
    assert (tmp_path / "f").read_text() == "hi\n"
