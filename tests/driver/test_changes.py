# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that go on when their client leaves."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from tests.support.toy import ToyDriver, result_of


async def finished(gate: Deferred[None], done: list[str]) -> str:
    await gate
    done.append("done")
    return "result"


def test_a_change_goes_on_when_its_caller_is_cancelled_and_a_stop_waits_for_it() -> None:
    driver, gate, done, ends = ToyDriver(), Deferred[None](), list[str](), list[Any]()

    async def method() -> str:
        return await driver.whole(finished(gate, done))

    running = Deferred.fromCoroutine(method()).addErrback(lambda failure: ends.append(failure.check(CancelledError)))
    running.cancel()
    assert (ends, done, driver.busy()) == ([CancelledError], [], 1)
    stopping = Deferred.fromCoroutine(driver.stop())
    assert not stopping.called
    gate.callback(None)
    assert done == ["done"] and stopping.called and driver.busy() == 0


def test_a_change_gives_its_caller_its_result_or_error() -> None:
    driver, gate = ToyDriver(), Deferred[None]()
    gate.callback(None)

    async def method() -> str:
        return await driver.whole(finished(gate, []))

    assert result_of(method()) == "result"
    failing = Deferred[None]()
    failing.errback(ValueError("no"))
    caught: list[Any] = []
    driver.whole(finished(failing, [])).addErrback(lambda failure: caught.append(failure.check(ValueError)))
    assert caught == [ValueError]


def test_a_failure_that_nobody_waits_for_any_more_is_no_unseen_error() -> None:
    driver, gate = ToyDriver(), Deferred[None]()
    answer = driver.whole(finished(gate, []))
    answer.addErrback(lambda failure: failure.trap(CancelledError) and None)
    answer.cancel()
    gate.errback(ValueError("nobody is there"))
    assert driver.busy() == 0
