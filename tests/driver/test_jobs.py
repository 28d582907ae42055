# SPDX-License-Identifier: LGPL-2.1-or-later
"""One change of an object at a time: who waits, for how long, and what an abort does."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.toy import result_of
from virtproxy.driver import ErrorCode, ErrorDomain, Job, VirtError


class Worker:
    """Holds a job until `go` fires; `result` is what came of it."""

    def __init__(self, job: Job, name: str) -> None:
        self.go: Deferred[None] = Deferred()
        self.has_it = False
        self.result: Any = None
        self.running = Deferred.fromCoroutine(self._work(job, name))
        self.running.addBoth(self._ended)

    async def _work(self, job: Job, name: str) -> str:
        async with job.begin(name) as work:
            self.has_it = True
            await work.during(self._wait())
        return "done"

    async def _wait(self) -> None:
        await self.go

    def _ended(self, result: Any) -> None:
        self.result = getattr(result, "value", result)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def job(clock: Clock) -> Job:
    return Job(clock, domain=ErrorDomain.TEST)


def test_the_job_goes_from_one_to_the_next_in_their_order(job: Job) -> None:
    first, second, third = (Worker(job, name) for name in "abc")
    assert (first.has_it, second.has_it, third.has_it) == (True, False, False)
    first.go.callback(None)
    assert (first.result, second.has_it, third.has_it) == ("done", True, False)
    second.go.callback(None)
    third.go.callback(None)
    assert (second.result, third.result, job.work) == ("done", "done", None)


def test_who_waits_too_long_is_told_who_holds_it(job: Job, clock: Clock) -> None:
    first, second = Worker(job, "virDomainSave"), Worker(job, "b")
    clock.advance(29.9)
    assert second.result is None
    clock.advance(0.2)
    assert isinstance(second.result, VirtError)
    assert (second.result.code, second.result.domain) == (ErrorCode.OPERATION_TIMEOUT, ErrorDomain.TEST)
    assert second.result.message == (
        "Timed out during operation: cannot acquire state change lock (held by monitor=virDomainSave)"
    )
    first.go.callback(None)
    assert first.result == "done" and not clock.getDelayedCalls()


def test_a_waiting_client_that_leaves_is_forgotten(job: Job, clock: Clock) -> None:
    first, second, third = (Worker(job, name) for name in "abc")
    second.running.cancel()
    first.go.callback(None)
    assert third.has_it and not second.has_it
    third.go.callback(None)
    assert not clock.getDelayedCalls()


def test_a_failed_job_is_free_again(job: Job) -> None:
    first, second = Worker(job, "a"), Worker(job, "b")
    first.go.errback(ValueError("x"))
    assert isinstance(first.result, ValueError) and second.has_it
    second.go.callback(None)


def test_an_abort_cancels_the_work(job: Job) -> None:
    worker = Worker(job, "dump")
    job.abort()
    assert isinstance(worker.result, VirtError)
    assert worker.result.code == ErrorCode.OPERATION_ABORTED
    assert job.work is None
    with pytest.raises(VirtError) as caught:
        job.abort()
    assert caught.value.message == "Requested operation is not valid: no job is active on the domain"


def test_progress_is_told_and_ends_an_aborted_job(job: Job, clock: Clock) -> None:
    async def work() -> None:
        async with job.begin("save") as mine:
            mine.progress(10, total=100)
            assert job.work is not None
            assert (job.work.done, job.work.total, job.work.started) == (10, 100, clock.seconds())
            job.abort()
            mine.progress(20)

    with pytest.raises(VirtError, match="canceled by client"):
        result_of(work())


def test_without_a_clock_one_waits_as_long_as_it_takes() -> None:
    job = Job()
    first, second = Worker(job, "a"), Worker(job, "b")
    first.go.callback(None)
    assert second.has_it
    second.go.callback(None)
