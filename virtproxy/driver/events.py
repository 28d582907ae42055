# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who wants to hear of what: each client's registrations, and the way of an event to all of them.

A driver emits an event once; `Subscribers` offers it to every client's `Registrations`, which write the
modern or the legacy message for each registration that wants it. The limits and texts are libvirt's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Any

from virtproxy.errors import internal
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure

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

    def add(self, event_class: EventClass, event_id: int, subject: Any = None, *, legacy: bool = False) -> int:
        """Register and return the callback id; VirtError if there is no such event. `subject` is a reference."""
        limit = LEGACY_IDS if legacy else _ID_COUNT[event_class]
        if not 0 <= event_id < limit:
            raise internal(f"unsupported {_ID_WORDS[event_class]} ID {event_id}")
        key = None if subject is None else key_of(subject)
        wish = Registration(next(self._ids), event_class, event_id, key, legacy)
        self._wishes.append(wish)
        return wish.callback_id

    def remove(self, event_class: EventClass, callback_id: int) -> None:
        """Forget a registration; VirtError if this client has none with that id in that class."""
        for wish in self._wishes:
            if wish.event_class is event_class and wish.callback_id == callback_id:
                self._wishes.remove(wish)
                return
        raise internal(f"{_CALLBACK_WORDS[event_class]} event callback {callback_id} not registered")

    def remove_first(self, event_id: int) -> None:
        """Forget the first registration for a domain event, as the legacy calls do; VirtError if there is none."""
        for wish in self._wishes:
            if wish.event_class is EventClass.DOMAIN and wish.event_id == event_id:
                self._wishes.remove(wish)
                return
        raise internal(f"domain event {event_id} not registered")

    def messages(self, kind: EventKind, reference: Any, values: tuple[Any, ...]) -> Iterator[Message]:
        """The messages (event procedure, payload) that this client is due for one event, one a registration."""
        key = key_of(reference)
        for wish in self._wishes:
            if wish.event_class is kind.event_class and wish.event_id == kind.id and wish.subject in (None, key):
                yield _message(kind, wish, reference, values)


def _message(kind: EventKind, wish: Registration, reference: Any, values: tuple[Any, ...]) -> Message:
    """An event that has a legacy form is nested in the modern one; newer events are flat."""
    modern: Any = kind.modern.args
    if kind.legacy is None:
        return kind.modern, modern(wish.callback_id, reference, *values)
    legacy: Any = kind.legacy.args
    body = legacy(reference, *values)
    if wish.legacy:
        return kind.legacy, body
    return kind.modern, modern(wish.callback_id, body)


# Takes the kind, the driver's object, its reference and the further values of the message.
Listener = Callable[[EventKind, Any, Any, tuple[Any, ...]], None]


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
        reference = subject.ref()
        for listener in list(self._listeners):
            listener(kind, subject, reference, values)
