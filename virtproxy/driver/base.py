# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a driver derives from: a class whose methods say which procedure they implement.

A driver holds the state that all its clients share; each client reaches it through a `LocalBackend`. The
table of procedures is made when the class is, from the methods of the class and its bases, and belongs to
that class alone. A driver never sees frames or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, ClassVar, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from virtproxy.driver.call import Call
from virtproxy.driver.changes import Changes
from virtproxy.driver.events import EventClass, Subscribers
from virtproxy.driver.instance import Instance
from virtproxy.driver.place import NOWHERE, Place
from virtproxy.errors import no_connect
from virtproxy.identity import Identity
from virtproxy.protocol.errors import ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import Struct

D = TypeVar("D", bound="Driver")
A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
T = TypeVar("T")

Method = Callable[[D, Call, A], Coroutine[Any, Any, R]]
_MARK = "__implements__"
Key = tuple[int, int]


def implements(procedure: Procedure[A, R]) -> Callable[[Method[D, A, R]], Method[D, A, R]]:
    """Mark an async method `(self, call, args) -> result` as the one that serves `procedure`.

    A procedure without arguments passes None, one without a result returns None. TypeError for an event.
    """
    if procedure.event:
        raise TypeError(f"{procedure.name} is an event: a driver emits it")

    def mark(method: Method[D, A, R]) -> Method[D, A, R]:
        setattr(method, _MARK, procedure)
        return method

    return mark


class HangUp(Exception):
    """Raised by a method that wants its client's connection closed, unanswered; the text says why, for the log."""


class Driver:
    """The base of every driver.

    `name` is the scheme of its URIs and the stem of its daemon's name; `error_domain` is what its own
    errors carry; `event_classes` are the classes of events it emits; `features` are the driver feature
    numbers it answers with yes, beyond those that every driver has.
    """

    name: ClassVar[str]
    error_domain: ClassVar[ErrorDomain] = ErrorDomain.NONE
    event_classes: ClassVar[frozenset[EventClass]] = frozenset()
    features: ClassVar[frozenset[int]] = frozenset()
    # Its directory below the place's `run`, if it keeps files: then it is there once a host; see `instance`.
    run_directory: ClassVar[str | None] = None
    methods: ClassVar[dict[Key, str]] = {}

    def __init_subclass__(cls, **rest: object) -> None:
        super().__init_subclass__(**rest)
        cls.methods = dict(_procedure_table(cls))

    def __init__(self, place: Place | None = None) -> None:
        self.place = NOWHERE if place is None else place
        self.subscribers = Subscribers()
        self.changes = Changes()
        self._instance: Instance | None = None
        self._is_ready = False
        self._awaiting: list[Deferred[None]] = []

    # Its life, which the daemon leads

    async def start(self) -> None:
        """Read what is on disk, attach to what runs, start what starts by itself. Called once, before any client."""

    async def stop(self) -> None:
        """The daemon ends: finish or give up what is under way, and close what is open. Guests go on."""
        await self.changes.settled()

    async def reload(self) -> None:
        """The administrator asks to read the configuration again (SIGHUP)."""

    def busy(self) -> int:
        """How much of it keeps a daemon from ending when idle: guests that run, work under way."""
        return len(self.changes)

    async def ready(self) -> None:
        """Start it if nobody has; all who ask meanwhile wait. Raises what `start` raises: the next one tries again."""
        if self._is_ready:
            return
        waiting: Deferred[None] = Deferred()
        self._awaiting.append(waiting)
        if len(self._awaiting) == 1:
            Deferred.fromCoroutine(self._first_start()).addBoth(self._started)
        await waiting

    async def _first_start(self) -> None:
        if self.run_directory is not None and self._instance is None:
            instance = Instance(self.place, self.run_directory)
            await self.place.blocking(instance.acquire)
            self._instance = instance
        await self.start()

    def _started(self, result: Any) -> None:
        self._is_ready = not isinstance(result, Failure)
        waiting, self._awaiting = self._awaiting, []
        for one in waiting:
            one.callback(result)

    # What it serves

    def method(self, procedure: Procedure[Any, Any]) -> Callable[[Call, Any], Coroutine[Any, Any, Any]] | None:
        """The bound method that serves `procedure`, or None if the driver has none."""
        found = self.methods.get((procedure.program.number, procedure.number))
        return None if found is None else getattr(self, found)

    def check_uri(self, uri: str) -> None:
        """Raise VirtError if this driver does not serve `uri`."""
        if uri.partition(":")[0].partition("+")[0] != self.name:
            raise no_connect(uri)

    async def serving(self, uri: str, identity: Identity) -> Driver:
        """The driver that a client of `uri` gets: this one, or one that is made for it alone. VirtError.

        Asked when the client opens the URI; `identity` is who asks, for URIs that only some may open.
        """
        self.check_uri(uri)
        return self

    def whole(self, change: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Make a change of disk and memory to its end even if the client that asked for it leaves; await its result."""
        return self.changes.whole(change)

    def emit(self, event: Procedure[Any, Any], subject: Any, *values: Any) -> None:
        """Tell every subscriber of `event` about `subject`; `values` are the message's further fields.

        `event` is the modern event (with a callback id); legacy subscribers get its legacy form.
        """
        self.subscribers.emit(event, subject, values)

    def last_client_left(self) -> None:
        """Called when no client is connected any more."""


def _procedure_table(cls: type[Driver]) -> Iterator[tuple[Key, str]]:
    """The implemented procedures of `cls`; TypeError if two methods claim one."""
    seen: dict[Key, str] = {}
    for attribute in dir(cls):
        procedure = _marked(cls, attribute)
        if procedure is None:
            continue
        key = (procedure.program.number, procedure.number)
        if key in seen:
            raise TypeError(f"{cls.__name__}: both {seen[key]} and {attribute} implement {procedure.name}")
        seen[key] = attribute
        yield key, attribute


def _marked(cls: type[Driver], attribute: str) -> Procedure[Any, Any] | None:
    """The procedure that the method `attribute` implements; an override keeps its base's mark."""
    for base in cls.__mro__:
        procedure = getattr(base.__dict__.get(attribute), _MARK, None)
        if isinstance(procedure, Procedure):
            return procedure
    return None
