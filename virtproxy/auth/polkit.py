# SPDX-License-Identifier: LGPL-2.1-or-later
"""Questions to polkit: may this process do that action.

The login of UNIX clients and the access driver ask through one `Authority` a daemon. Which action and which details
is theirs to say; here is how it is asked, for how long, and what becomes of a question that nobody waits for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, ensureDeferred
from twisted.logger import Logger

from virtproxy.auth.dbus import BusError, SystemBus
from virtproxy.identity import Identity
from virtproxy.rpc.reactor import Clock

_AUTHORITY = DBusAddress(
    "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1", "org.freedesktop.PolicyKit1.Authority"
)
_PEER = _AUTHORITY.with_interface("org.freedesktop.DBus.Peer")
_ALLOW_USER_INTERACTION = 1
# A bus refuses more than 128 calls under way: so many questions, so many more for humans, and room to ping.
QUESTIONS_AT_ONCE = 64
LOGINS_AT_ONCE = 24
# A name longer than this is nobody's; a message too long for the bus would cost everybody the connection.
DETAIL_MAX = 16384
# The log says at most this often that polkit cannot be asked: clients that knock must not fill it.
_SAY_AGAIN_SECONDS = 60.0
_ADVICE = "install polkitd and dbus (Debian packages of these names) and see that both run"
_ADVICE_ACTIONS = (
    "/usr/share/polkit-1/actions must have libvirt's files: install the Debian package libvirt-daemon-system, "
    'or a newer one, or run "virtproxy install"'
)


class PolkitUnavailable(Exception):
    """Polkit gave no answer; the log has the reason."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What polkit says. `challenge`: a password would help, and there was no agent to ask for it."""

    authorized: bool
    challenge: bool = False
    dismissed: bool = False


class Authority:
    """Polkit on the system bus. `seconds`: how long a question may take that no human is asked for."""

    _log = Logger()

    def __init__(self, bus: SystemBus, clock: Clock, seconds: float) -> None:
        self._bus = bus
        self._clock = clock
        self._seconds = seconds
        self._numbers = count(1)
        self._said_at: float | None = None
        self._turns = DeferredSemaphore(QUESTIONS_AT_ONCE)
        self._login_turns = DeferredSemaphore(LOGINS_AT_ONCE)

    async def check(
        self, identity: Identity, action: str, details: Mapping[str, str], *, interactive: bool = False
    ) -> Verdict:
        """Ask whether the caller may do `action`; `interactive` lets polkit ask a human, who may take long.

        A caller that is no process of this host is not authorized, nor for a thing whose details D-Bus cannot carry.
        PolkitUnavailable if there is no answer. Cancelling takes the question back.
        """
        if not identity.is_process or not all(_carried(detail) for detail in details.values()):
            return Verdict(False)
        turns = self._login_turns if interactive else self._turns
        await turns.acquire()
        try:
            return await self._ask(identity, action, details, interactive)
        finally:
            turns.release()

    async def _ask(self, identity: Identity, action: str, details: Mapping[str, str], interactive: bool) -> Verdict:
        number = f"virtproxy-{next(self._numbers)}"
        flags = _ALLOW_USER_INTERACTION if interactive else 0
        body = (_subject(identity), action, dict(details), flags, number)
        question = new_method_call(_AUTHORITY, "CheckAuthorization", "(sa{sv})sa{ss}us", body)
        try:
            answer = await (self._patient(question) if interactive else self._bus.call(question, self._seconds))
        except CancelledError:
            self._take_back(number)
            raise
        except BusError as failure:
            if not failure.name:
                self._take_back(number)
            raise self._unavailable(failure) from None
        try:
            return _verdict(answer)
        except (AttributeError, IndexError, TypeError, ValueError):
            raise self._unavailable(BusError("its answer is not understood")) from None

    async def permits(self, identity: Identity, action: str, details: Mapping[str, str]) -> bool | None:
        """The answer of `check` in one word, None if there is none. What the access driver asks."""
        try:
            return (await self.check(identity, action, details)).authorized
        except PolkitUnavailable:
            return None

    def close(self) -> None:
        """Leave the bus; questions under way are given up."""
        self._bus.close()

    async def _patient(self, question: Any) -> Any:
        """Wait for a human as long as it takes, and for polkit only while it shows signs of life."""
        answer = ensureDeferred(self._bus.call(question, None))
        stuck: list[BusError] = []
        watch = ensureDeferred(self._watch(answer, stuck))
        try:
            return await answer
        except CancelledError:
            if stuck:
                raise stuck[0] from None
            raise
        finally:
            if not stuck:
                watch.cancel()

    async def _watch(self, answer: Deferred[Any], stuck: list[BusError]) -> None:
        """Give `answer` up, and note why, when polkit does not answer a ping; until this is cancelled."""
        try:
            while True:
                await _pause(self._clock, self._seconds)
                await self._bus.call(new_method_call(_PEER, "Ping"), self._seconds)
        except CancelledError:
            return
        except BusError as failure:
            stuck.append(failure)
            answer.cancel()

    def _take_back(self, number: str) -> None:
        self._bus.tell(new_method_call(_AUTHORITY, "CancelCheckAuthorization", "s", (number,)))

    def _unavailable(self, failure: BusError) -> PolkitUnavailable:
        now = self._clock.seconds()
        if self._said_at is None or now - self._said_at >= _SAY_AGAIN_SECONDS:
            self._said_at = now
            # Polkit's words for an action that no file on this host declares.
            advice = _ADVICE_ACTIONS if "not registered" in str(failure) else _ADVICE
            self._log.error("polkit cannot be asked: {reason}; {advice}", reason=failure, advice=advice)
        return PolkitUnavailable(str(failure))


def _carried(text: str) -> bool:
    """Whether D-Bus can carry it: the bus leaves whoever sends a zero, or bytes that are no UTF-8."""
    return len(text) <= DETAIL_MAX and "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _verdict(answer: Any) -> Verdict:
    authorized, challenge, details = answer[0]
    return Verdict(bool(authorized), bool(challenge), bool(details.get("polkit.dismissed")))


def _pause(clock: Clock, seconds: float) -> Deferred[None]:
    pause: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(seconds, pause.callback, None)
    return pause


def _subject(identity: Identity) -> tuple[str, dict[str, tuple[str, int | None]]]:
    """How polkit is told of a process; a user's number has a sign there."""
    uid = identity.uid or 0
    signed = uid - (1 << 32) if uid >= 1 << 31 else uid
    facts = {"pid": ("u", identity.pid), "start-time": ("t", identity.process_start_time), "uid": ("i", signed)}
    return "unix-process", facts
