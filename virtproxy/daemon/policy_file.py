# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy of a daemon: loaded at its start, and taken over again whenever its file changes.

``plan`` loads it, and a daemon does not start with a policy that is wrong; ``service`` keeps it in step. A file that
turns out to be wrong later is refused with an error in the log, and the policy in force stays.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.settings import Settings

if TYPE_CHECKING:
    from virtproxy.access.policy.decider import PolicyDecider
    from virtproxy.access.policy.policy import Policy

# How often the file is looked at. Two looks must agree before it is read: it may be in the middle of being written.
LOOK_SECONDS = 1.0

# Calls a function where it may block, and says later what it returned.
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


def policy_of(settings: Settings) -> PolicyDecider | None:
    """The decider of the policy that ``policy_file`` names; None if it names none. Raises StartupError."""
    path = settings.text("policy_file")
    if path is None:
        return None
    # Only a daemon with a policy pays for loading it.
    from virtproxy.access.policy.decider import PolicyDecider
    from virtproxy.access.policy.load import PolicyError, load_policy

    if not os.path.isabs(path):
        raise settings.error("policy_file", f'policy_file must be an absolute path, not "{path}"')
    try:
        return PolicyDecider(load_policy(path))
    except PolicyError as error:
        problem = f"the policy cannot be used: {error}"
        raise StartupError(f"{settings.place('policy_file')}: {problem}", ExitCode.CONFIGURATION) from None


def policy_warnings(decider: PolicyDecider | None) -> list[str]:
    """What the log is to say about the policy when the daemon starts."""
    if decider is None:
        return []
    policy = decider.policy
    report = [f"{policy.path}: mode is report: nothing is refused, what would be is logged"] if policy.report else []
    return [*(problem.at(policy.path) for problem in policy.warnings), *report]


class PolicyFile:
    """Keeps a decider's policy as its file is. ``changed`` is called when another one is in force."""

    _log = Logger()

    def __init__(self, decider: PolicyDecider, clock: Any, in_thread: InThread, changed: Callable[[], None]) -> None:
        self._decider = decider
        self._path = decider.policy.path
        self._clock = clock
        self._in_thread = in_thread
        self._changed = changed
        self._seen: object = None
        # What the file looked like when it was last read: unknown at first, as it may have changed since the start.
        self._read: object = None
        self._timer: IDelayedCall | None = None
        self._running = False

    def start(self) -> None:
        """Begin to look at the file."""
        self._running = True
        self._timer = self._clock.callLater(0, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _look(self) -> None:
        looking = Deferred.fromCoroutine(self._compare())
        looking.addErrback(lambda failure: self._log.failure("the policy could not be looked at", failure=failure))
        looking.addBoth(lambda _: self._look_again())

    def _look_again(self) -> None:
        if self._running:
            self._timer = self._clock.callLater(LOOK_SECONDS, self._look)

    async def _compare(self) -> None:
        now = await self._in_thread(lambda: _stamp(self._path))
        settled, self._seen = now == self._seen, now
        if settled and now != self._read:
            await self.reload()

    async def reload(self) -> None:
        """Read the file now, and put what it says in force; if it is wrong, log that and leave all as it is."""
        from virtproxy.access.policy.load import PolicyError, load_policy

        def read() -> tuple[object, Policy | str]:
            stamp = _stamp(self._path)
            try:
                return stamp, load_policy(self._path)
            except PolicyError as error:
                return stamp, "\n".join(problem.at(error.path) for problem in error.problems[:20])

        self._read, found = await self._in_thread(read)
        if isinstance(found, str):
            self._log.error("the policy stays as it was, because its file is wrong: {why}", why=found)
        elif found.digest != self._decider.policy.digest:
            self._take(found)

    def _take(self, policy: Policy) -> None:
        self._decider.replace(policy)
        for warning in policy_warnings(self._decider):
            self._log.warn("{warning}", warning=warning)
        self._log.info("{path} is in force as it is now: {rules} rules", path=self._path, rules=len(policy.rules))
        self._changed()


def _stamp(path: str) -> object:
    """What tells the file from another and from its former self; what it may be read by, too."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return (
        *(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns),
        *(found.st_uid, found.st_mode),
    )


def policy_file(decider: PolicyDecider, reactor: Any, changed: Callable[[], None]) -> PolicyFile:
    """The keeper of a decider's policy on ``reactor``, a whole one, whose threads read the file."""
    return PolicyFile(
        decider, reactor, lambda function: deferToThreadPool(reactor, reactor.getThreadPool(), function), changed
    )
