# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy of a daemon: loaded at its start, and taken over again whenever its file changes.

``plan`` loads it, and a daemon does not start with a policy that is wrong; ``service`` keeps it in step. A file that
turns out to be wrong later is refused with an error in the log, and the policy in force stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from virtproxy.daemon.documents_rule import check_documents
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.reload import FileWatch, InThread, in_threads_of, watch_files
from virtproxy.daemon.settings import Settings

if TYPE_CHECKING:
    from virtproxy.access.policy.decider import PolicyDecider
    from virtproxy.access.policy.policy import Policy

# How many mistakes of a file go to the log.
PROBLEMS_MAX = 20

# Makes the watch of some files, given whom to tell.
WatchMaker = Callable[[list[str], Callable[[], Coroutine[Any, Any, None]]], FileWatch]


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
    check_documents(settings.place("policy_file"))
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

    def __init__(
        self, decider: PolicyDecider, in_thread: InThread, watch: WatchMaker, changed: Callable[[], None]
    ) -> None:
        self._decider = decider
        self._path = decider.policy.path
        self._in_thread = in_thread
        self._changed = changed
        self._watch = watch([self._path], self.reload)

    def start(self) -> None:
        """Begin to watch the file."""
        self._watch.start()

    def stop(self) -> None:
        """Watch no more."""
        self._watch.stop()

    async def reload(self) -> None:
        """Read the file now, and put what it says in force; if it is wrong, log that and leave all as it is."""
        found = await self._in_thread(self._read)
        if isinstance(found, str):
            self._log.error("the policy stays as it was, because its file is wrong: {why}", why=found)
        elif found.digest != self._decider.policy.digest:
            self._take(found)

    def _read(self) -> Policy | str:
        """The policy of the file, or what is wrong with it. In a thread."""
        from virtproxy.access.policy.load import PolicyError, load_policy

        try:
            return load_policy(self._path)
        except PolicyError as error:
            return "\n".join(problem.at(error.path) for problem in error.problems[:PROBLEMS_MAX])

    def _take(self, policy: Policy) -> None:
        self._decider.replace(policy)
        for warning in policy_warnings(self._decider):
            self._log.warn("{warning}", warning=warning)
        self._log.info("{path} is in force as it is now: {rules} rules", path=self._path, rules=len(policy.rules))
        self._changed()


def policy_file(decider: PolicyDecider, reactor: Any, changed: Callable[[], None]) -> PolicyFile:
    """The keeper of a decider's policy on ``reactor``, a whole one, whose threads read the file."""
    return PolicyFile(decider, in_threads_of(reactor), partial(watch_files, reactor), changed)
