# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds for every test: nothing may be left running, and no failure may be dropped.

pytest loads this by itself. The reactor is pytest-twisted's; a Deferred that fails unseen or a timer that
outlives its test passes there, so the fixtures below turn both into failures of the test that caused them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

pytest_plugins = ["tests.support.leave_out"]

FlushErrors = Callable[..., "list[Failure]"]

# Turns of the event loop a test's own closing may take: a socket's goodbye needs a few.
_SETTLE_TURNS = 10


def pytest_collection_finish() -> None:
    """Take everything imported so far out of the garbage collector, which runs after each test."""
    gc.collect()
    gc.freeze()


@implementer(ILogObserver)
class _ErrorLog:
    """Collects the failures that were logged while one test ran."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def __call__(self, event: LogEvent) -> None:
        failure = event.get("log_failure")
        if failure is not None:
            self.failures.append(failure)

    def flush(self, *kinds: type[BaseException]) -> list[Failure]:
        """Return and forget the failures of these kinds, or all of them if none is given."""
        taken = [f for f in self.failures if not kinds or f.check(*kinds)]
        self.failures = [f for f in self.failures if f not in taken]
        return taken


@pytest.fixture(autouse=True)
def _error_log() -> Iterator[_ErrorLog]:
    log = _ErrorLog()
    globalLogPublisher.addObserver(log)
    yield log
    gc.collect()  # a Deferred in a cycle reports its failure only when it is collected
    globalLogPublisher.removeObserver(log)
    if log.failures:
        pytest.fail("errors logged and not flushed:\n" + "\n".join(f.getTraceback() for f in log.failures))


@pytest.fixture
def flush_errors(_error_log: _ErrorLog) -> FlushErrors:
    """For a test that expects a logged failure: ``flush_errors(SomeError)`` returns and forgets those."""
    return _error_log.flush


@pytest.fixture(autouse=True)
def _no_leftover_calls(_error_log: _ErrorLog) -> Iterator[None]:
    from twisted.internet import reactor as installed

    reactor: Any = installed
    before = set(reactor.getDelayedCalls())
    yield
    for _ in range(_SETTLE_TURNS):
        if not set(reactor.getDelayedCalls()) - before:
            return
        pytest_twisted.blockon(deferLater(reactor, 0, lambda: None))
    left = [call for call in set(reactor.getDelayedCalls()) - before if call.active()]
    for call in left:
        call.cancel()
    if left:
        pytest.fail("delayed calls left over: " + ", ".join(map(str, left)))
