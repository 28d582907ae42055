# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who wants to hear of what: each client's registrations, and the way of an event to all of them.

A driver emits an event once; `Subscribers` offers it to every client's `Registrations`, which write the
modern or the legacy message for each registration that wants it. The limits and texts are libvirt's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Any, cast

from virtproxy.errors import internal
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.frame import Frame

LEGACY_IDS = 16


class EventClass(Enum):
    """The kinds of object that events are about; the value is the protocol's word."""

    DOMAIN = "domain"
    NETWORK = "network"
    STORAGE = "storage"
    NODEDEV = "nodedev"
    SECRET = "secret"


# How libvirt names a class in an error about an id, and in one about a callback (where a secret is a node device).
_ID_WORDS = {
    EventClass.DOMAIN: "event",
    EventClass.NETWORK: "network event",
    EventClass.STORAGE: "storage pool event",
    EventClass.NODEDEV: "node device event",
    EventClass.SECRET: "secret event",
}
_CALLBACK_WORDS = {
    EventClass.DOMAIN: "domain",
    EventClass.NETWORK: "network",
    EventClass.STORAGE: "storage pool",
    EventClass.NODEDEV: "node device",
    EventClass.SECRET: "node device",
}


@dataclass(frozen=True, slots=True)
class EventKind:
    """One event: its class and id, and the procedures that carry it."""

    event_class: EventClass
    id: int
    modern: Procedure[Any, Any]
    legacy: Procedure[Any, Any] | None


KINDS = {
    (messages.modern.program.number, messages.modern.number): EventKind(
        EventClass(word), event_id, messages.modern, messages.legacy
    )
    for (word, event_id), messages in remote.EVENTS.items()
}
_ID_COUNT = {
    event_class: 1 + max(kind.id for kind in KINDS.values() if kind.event_class is event_class)
    for event_class in EventClass
}


@dataclass(frozen=True, slots=True)
class Registration:
    """One wish of one client. `subject` is the key of the only object it wants to hear of, or None for all."""

    callback_id: int
    event_class: EventClass
    event_id: int
    subject: object
    legacy: bool


# An event procedure and its payload.
Message = tuple[Procedure[Any, Any], Any]


def key_of(reference: Any) -> object:
    """What identifies an object reference of the protocol: its UUID, or its name where it has none."""
    return getattr(reference, "uuid", None) or reference.name


class Registrations:
    """What one client registered for."""

    def __init__(self) -> None:
        self._ids = count()
        self._wishes: list[Registration] = []
        # The same by what is wanted, for the way of an event.
        self._wanted: dict[tuple[EventClass, int], list[Registration]] = {}

    def add(self, event_class: EventClass, event_id: int, subject: Any = None, *, legacy: bool = False) -> int:
        """Register and return the callback id; VirtError if there is no such event. `subject` is a reference."""
        limit = LEGACY_IDS if legacy else _ID_COUNT[event_class]
        if not 0 <= event_id < limit:
            raise internal(f"unsupported {_ID_WORDS[event_class]} ID {event_id}")
        key = None if subject is None else key_of(subject)
        wish = Registration(next(self._ids), event_class, event_id, key, legacy)
        self._wishes.append(wish)
        self._wanted.setdefault((event_class, event_id), []).append(wish)
        return wish.callback_id

    def remove(self, event_class: EventClass, callback_id: int) -> None:
        """Forget a registration; VirtError if this client has none with that id in that class."""
        for wish in self._wishes:
            if wish.event_class is event_class and wish.callback_id == callback_id:
                self._forget(wish)
                return
        raise internal(f"{_CALLBACK_WORDS[event_class]} event callback {callback_id} not registered")

    def remove_first(self, event_id: int) -> None:
        """Forget the first registration for a domain event, as the legacy calls do; VirtError if there is none."""
        for wish in self._wishes:
            if wish.event_class is EventClass.DOMAIN and wish.event_id == event_id:
                self._forget(wish)
                return
        raise internal(f"domain event {event_id} not registered")

    def _forget(self, wish: Registration) -> None:
        self._wishes.remove(wish)
        self._wanted[wish.event_class, wish.event_id].remove(wish)

    def frames(self, emission: Emission) -> list[Frame]:
        """The packets that this client is due for one event, one a registration."""
        wanted = self._wanted.get((emission.kind.event_class, emission.kind.id))
        if not wanted:
            return []
        return [emission.frame(wish) for wish in wanted if wish.subject is None or wish.subject == emission.key]


class Emission:
    """One event on its way to all: it is encoded once for all who registered alike, not once for each."""

    __slots__ = ("_frames", "_reference", "_values", "key", "kind", "subject")

    def __init__(self, kind: EventKind, subject: Any, values: tuple[Any, ...]) -> None:
        self.kind = kind
        self.subject = subject
        self._reference = subject.ref()
        self.key = key_of(self._reference)
        self._values = values
        self._frames: dict[int, Frame] = {}

    def frame(self, wish: Registration) -> Frame:
        """The packet for one registration: modern ones differ in the callback id alone, legacy ones not at all."""
        shared = -1 if wish.legacy and self.kind.legacy is not None else wish.callback_id
        frame = self._frames.get(shared)
        if frame is None:
            event, message = self._message(wish)
            frame = self._frames[shared] = event.event_frame(message)
        return frame

    def _message(self, wish: Registration) -> Message:
        """An event that has a legacy form is nested in the modern one; newer events are flat."""
        kind, modern = self.kind, cast(Any, self.kind.modern.args)
        if kind.legacy is None:
            return kind.modern, modern(wish.callback_id, self._reference, *self._values)
        legacy = cast(Any, kind.legacy.args)
        body = legacy(self._reference, *self._values)
        return (kind.legacy, body) if wish.legacy else (kind.modern, modern(wish.callback_id, body))


Listener = Callable[[Emission], None]


class Subscribers:
    """The clients of one driver that may want its events."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> None:
        """Offer every event to `listener` from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Stop offering."""
        self._listeners.remove(listener)

    def emit(self, event: Procedure[Any, Any], subject: Any, values: tuple[Any, ...]) -> None:
        """Offer one event about `subject`, a driver's object with a `ref()`; KeyError if it is no modern event."""
        kind = KINDS[(event.program.number, event.number)]
        if self._listeners:
            emission = Emission(kind, subject, values)
            for listener in list(self._listeners):
                listener(emission)
