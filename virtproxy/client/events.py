# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events of a connection: who asked for which, and whom a message is for.

``Client.subscribe`` calls it. Each subscription is a registration of its own at the daemon, so the daemon filters
by object; what arrives is told apart by the callback id that the daemon gave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.client.adoption import Adopt
from virtproxy.errors import VirtError
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.client import ClientConnection, connection_closed
from virtproxy.wire.codec import Struct

M = TypeVar("M", bound=Struct)
# What a subscription keeps for an iterator that does not come for it.
UNREAD_MAX = 10_000


class Registration(NamedTuple):
    """How an event is asked for, and how it is given up."""

    register: Procedure[Any, Any]
    arguments: Callable[[Any], Struct | None]
    deregister: Procedure[Any, None]


_BY_CLASS: dict[str, tuple[Procedure[Any, Any], Procedure[Any, None]]] = {
    "domain": (remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY),
    "network": (remote.CONNECT_NETWORK_EVENT_REGISTER_ANY, remote.CONNECT_NETWORK_EVENT_DEREGISTER_ANY),
    "storage": (remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, remote.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY),
    "nodedev": (remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, remote.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY),
    "secret": (remote.CONNECT_SECRET_EVENT_REGISTER_ANY, remote.CONNECT_SECRET_EVENT_DEREGISTER_ANY),
}


def registration_of(event: Procedure[Any, None]) -> Registration:
    """Return how ``event`` is subscribed to; VirtError (INVALID_ARG) for one that has no callback id."""
    if event is qemu.DOMAIN_MONITOR_EVENT:
        return Registration(
            qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER,
            lambda about: qemu.ConnectDomainMonitorEventRegisterArgs(dom=about, event=None, flags=0),
            qemu.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
        )
    if event is remote.CONNECT_EVENT_CONNECTION_CLOSED:
        return Registration(
            remote.CONNECT_REGISTER_CLOSE_CALLBACK, lambda about: None, remote.CONNECT_UNREGISTER_CLOSE_CALLBACK
        )
    for (kind, number), messages in remote.EVENTS.items():
        if messages.modern is event:
            register, deregister = _BY_CLASS[kind]
            return Registration(register, partial(cast("Any", register.args), number), deregister)
    raise errors.invalid_arg(f"{event.name} is not an event that can be subscribed to")


class Subscription(Generic[M]):
    """One registered event: its messages go to a callback, or are read with ``async for``.

        changes = await client.subscribe(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE)
        async for change in changes:
            print(change.msg.dom.name, change.msg.event)

    The loop ends after ``unsubscribe`` and raises ConnectionClosed when the connection is lost.
    """

    _log = Logger()

    def __init__(
        self, event: Procedure[M, None], callback: Callable[[M], object] | None, leave: Callable[[], Awaitable[None]],
        adopt: Adopt,
    ) -> None:  # fmt: skip
        self.event = event
        self._callback = callback
        self._leave = leave
        self._adopt = adopt
        self._unread: deque[M] = deque()
        self._reader: Deferred[None] | None = None
        self._over = False
        self._error: VirtError | None = None

    def unsubscribe(self) -> Awaitable[None]:
        """Tell the daemon to send no more; harmless if it is over already. Raises VirtError."""
        return self._leave()

    def __aiter__(self) -> Subscription[M]:
        return self

    def __anext__(self) -> Awaitable[M]:
        return self._adopt(self._next())

    async def _next(self) -> M:
        if self._callback is not None:
            raise RuntimeError("this subscription has a callback, to which its messages go")
        while not self._unread:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            if self._reader is not None:
                raise RuntimeError("a subscription has one reader")
            self._reader = Deferred()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._unread.popleft()

    def deliver(self, message: M) -> None:
        """A message came."""
        if self._over:
            return
        if self._callback is not None:
            self._callback(message)
        elif len(self._unread) >= UNREAD_MAX:
            self.end(errors.internal(f"{UNREAD_MAX} messages of {self.event.name} were not read"))
        else:
            self._unread.append(message)
            self._wake()

    def end(self, error: VirtError | None = None) -> None:
        """No more messages come."""
        if not self._over:
            self._over, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)


class Events:
    """The subscriptions of one connection."""

    def __init__(self, connection: ClientConnection, adopt: Adopt) -> None:
        self._connection = connection
        self._adopt = adopt
        # By event, then by the daemon's callback id.
        self._subscribed: dict[Procedure[Any, None], dict[int, Subscription[Any]]] = {}
        connection.when_lost.append(self._lost)

    async def subscribe(
        self, event: Procedure[M, None], callback: Callable[[M], object] | None, about: Any
    ) -> Subscription[M]:
        """Register at the daemon; raises VirtError."""
        registration = registration_of(event)
        reply = await self._connection.call(registration.register, registration.arguments(about))
        number = int(reply.callback_id) if reply is not None else 0
        subscription = Subscription(event, callback, lambda: self._adopt(self._leave(registration, event, number)),
                                    self._adopt)  # fmt: skip
        if event not in self._subscribed:
            self._subscribed[event] = {}
            self._connection.on_event(event, lambda message: self._received(event, message))
        self._subscribed[event][number] = subscription
        return subscription

    def _received(self, event: Procedure[Any, None], message: Any) -> None:
        subscription = self._subscribed[event].get(getattr(message, "callback_id", 0))
        if subscription is not None:
            subscription.deliver(message)

    async def _leave(self, registration: Registration, event: Procedure[Any, None], number: int) -> None:
        subscription = self._subscribed[event].pop(number, None)
        if subscription is None:
            return
        subscription.end()
        kind = registration.deregister.args
        await self._connection.call(registration.deregister, None if kind is None else kind(number))

    def _lost(self, reason: str) -> None:
        subscribed, self._subscribed = self._subscribed, {event: {} for event in self._subscribed}
        for subscriptions in subscribed.values():
            for subscription in subscriptions.values():
                subscription.end(connection_closed(reason))
