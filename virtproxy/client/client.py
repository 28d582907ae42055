# SPDX-License-Identifier: LGPL-2.1-or-later
"""An open connection to a daemon, as a program uses it.

``connect`` makes one. What its methods return can be awaited by code on the event loop the client was opened for
(see ``adoption``); everything is started at once, whether it is awaited or not.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar, overload

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from virtproxy.client.adoption import Adopt, for_twisted
from virtproxy.client.events import Events, Subscription
from virtproxy.client.stream import Stream
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.codec import Struct

A = TypeVar("A", bound=Struct)
R = TypeVar("R", bound=Struct | None)
T = TypeVar("T")
# How long an orderly goodbye may take before the connection is closed without one.
CLOSE_SECONDS = 5.0


class CallTimeout(VirtError):
    """The daemon did not answer a call in the time its caller gave it; the call may still take effect."""


class Client:
    """One connection; ``uri`` is the URI it was opened with. As a block it is closed at the end:

        async with connect(reactor, "qemu:///system") as client:
            dom = (await client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="guest"))).dom
            info = await client.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=dom))

    Results can be awaited, and need not be: a call is on its way once it is made.
    """

    def __init__(self, connection: ClientConnection, clock: IReactorTime, uri: str, adopt: Adopt = for_twisted) -> None:
        self.uri = uri
        self._connection = connection
        self._clock = clock
        self._adopt = adopt
        self._events = Events(connection, adopt)

    def __repr__(self) -> str:
        return f"<Client {self.uri}{' (closed)' if self.closed else ''}>"

    @property
    def closed(self) -> bool:
        """Whether the connection is over, on this side's wish or not."""
        return self._connection.closed

    @overload
    def call(
        self, procedure: Procedure[None, R], args: None = None, *, fds: Sequence[int] = (), timeout: float | None = None
    ) -> Awaitable[R]: ...
    @overload
    def call(
        self, procedure: Procedure[A, R], args: A, *, fds: Sequence[int] = (), timeout: float | None = None
    ) -> Awaitable[R]: ...
    def call(
        self, procedure: Procedure[Any, R], args: Any = None, *, fds: Sequence[int] = (), timeout: float | None = None
    ) -> Awaitable[R]:
        """Call a procedure and return its result (None for one that has none).

        ``fds`` are passed along (UNIX sockets only) and stay the caller's; ``timeout`` is in seconds. Raises VirtError
        with code and domain as the daemon sent it, ConnectionClosed, CallTimeout, WireError if ``args`` cannot be sent.
        """
        return self._adopt(self._call(procedure, args, fds, timeout))

    def call_for_fds(self, procedure: Procedure[A, R], args: A) -> Awaitable[tuple[R, tuple[int, ...]]]:
        """Call a procedure that returns descriptors; the caller owns and closes them. Raises as ``call``."""
        return self._adopt(self._call_for_fds(procedure, args))

    def open_stream(self, procedure: Procedure[A, R], args: A) -> Awaitable[Stream[R]]:
        """Call a procedure that opens a stream and return the stream. Raises as ``call``."""
        return self._adopt(self._open_stream(procedure, args))

    def subscribe(
        self, event: Procedure[A, None], callback: Callable[[A], object] | None = None, *, about: Struct | None = None
    ) -> Awaitable[Subscription[A]]:
        """Ask for an event (remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, remote.NETWORK_EVENT_LIFECYCLE, ...).

        Each message goes to ``callback``; without one, iterate over the Subscription. ``about`` is the one object
        (remote.NonnullDomain, remote.NonnullNetwork, ...) whose events are wanted, None for all. Raises VirtError.
        """
        return self._adopt(self._events.subscribe(event, callback, about))

    def when_lost(self, callback: Callable[[str], object]) -> None:
        """Call ``callback`` with the reason, once, when the connection is over (at once if it is already)."""
        if self._connection.lost_reason is not None:
            callback(self._connection.lost_reason)
        else:
            self._connection.when_lost.append(lambda reason: void(callback(reason)))

    def close(self) -> Awaitable[None]:
        """Take leave of the daemon and close; what is outstanding fails with ConnectionClosed. Never raises."""
        return self._adopt(self._close())

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, procedure: Procedure[Any, R], args: Any, fds: Sequence[int], timeout: float | None) -> R:
        answer = self._connection.call(procedure, args, copies(fds))
        return await self._limited(answer, procedure, timeout)

    async def _call_for_fds(self, procedure: Procedure[A, R], args: A) -> tuple[R, tuple[int, ...]]:
        result = await self._connection.call(procedure, args)
        return result, self._connection.take_fds()

    async def _open_stream(self, procedure: Procedure[A, R], args: A) -> Stream[R]:
        answer, stream = self._connection.open_stream(procedure, args)
        return Stream(stream, procedure, await answer, self._adopt)

    def _limited(self, answer: Deferred[T], procedure: Procedure[Any, Any], seconds: float | None) -> Deferred[T]:
        if seconds is None:
            return answer

        def too_late(result: T | Failure, after: float) -> T:
            raise CallTimeout(
                ErrorCode.OPERATION_TIMEOUT, f"{self.uri} did not answer {procedure.name} in {after:g} s",
                domain=ErrorDomain.RPC,
            )  # fmt: skip

        return answer.addTimeout(seconds, self._clock, too_late)

    async def _close(self) -> None:
        if not self.closed:
            goodbye = self._connection.call(remote.CONNECT_CLOSE, None)
            with suppress(VirtError):  # it is closed all the same
                await self._limited(goodbye, remote.CONNECT_CLOSE, CLOSE_SECONDS)
        self._connection.close()
        if self._connection.lost_reason is None:
            gone: Deferred[None] = Deferred()
            self._connection.when_lost.append(lambda reason: gone.callback(None))
            await gone


def copies(fds: Sequence[int]) -> list[int]:
    """Duplicates of descriptors, which the connection closes once they are sent; all or none."""
    made: list[int] = []
    try:
        for fd in fds:
            made.append(os.dup(fd))
    except OSError:
        for fd in made:
            os.close(fd)
        raise
    return made


def void(value: object) -> None:
    """A callback may return anything; here it ends."""
