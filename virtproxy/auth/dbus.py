# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system bus, as far as a daemon needs it: calls of methods, with a time limit, over one shared connection.

polkit.py asks its questions through it. jeepney writes and reads the messages; the socket is rpc's, so that it works
on every reactor. It offers no service on the bus, and waits for nobody without a limit unless told to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from jeepney import (  # type: ignore[import-untyped]
    HeaderFields,
    Message,
    MessageFlag,
    MessageType,
    Parser,
    message_bus,
)
from jeepney.auth import BEGIN, Authenticator  # type: ignore[import-untyped]
from jeepney.bus import get_connectable_addresses  # type: ignore[import-untyped]
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from virtproxy.rpc.connect import connect_unix
from virtproxy.rpc.reactor import StreamReactor

DEFAULT_ADDRESS = "unix:path=/run/dbus/system_bus_socket"
# How long the bus itself may take to let us in: it is on this host and asks nobody.
CONNECT_SECONDS = 5.0
# What is asked here has small answers; the bus would let 128 MiB through.
MESSAGE_MAX = 1024 * 1024


class BusError(Exception):
    """A call got no answer that counts. The text says why in words; `name` is the error's on the bus, or empty."""

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.name = name


def system_bus_path(environ: Mapping[str, str]) -> str:
    """The socket of the system bus as DBUS_SYSTEM_BUS_ADDRESS has it, or the usual one.

    An abstract socket starts with a zero. BusError if the address names no UNIX socket.
    """
    address = environ.get("DBUS_SYSTEM_BUS_ADDRESS") or DEFAULT_ADDRESS
    try:
        path: str = next(get_connectable_addresses(address))
    except (RuntimeError, ValueError):
        raise BusError(f'DBUS_SYSTEM_BUS_ADDRESS = "{address}" names no UNIX socket') from None
    return path


class SystemBus:
    """The daemon's connection to the bus: made when it is first needed, and anew after a loss."""

    def __init__(self, reactor: StreamReactor, environ: Mapping[str, str] = os.environ) -> None:
        self._reactor = reactor
        self._environ = environ
        self._link: _Link | None = None
        self._opening: Deferred[None] | None = None
        self._waiting: list[Deferred[_Link]] = []

    async def call(self, message: Message, seconds: float | None) -> Any:
        """Send a method call and return its answer's body, a tuple.

        BusError if there is no answer within `seconds` (None: as long as it takes), or an error for one. It may be
        cancelled.
        """
        link = self._link or await self._opened()
        return await link.call(message, seconds)

    def tell(self, message: Message) -> None:
        """Send a method call whose answer does not matter; dropped if there is no connection."""
        if self._link is not None:
            self._link.send(message, MessageFlag.no_reply_expected)

    def close(self) -> None:
        """Leave the bus; calls under way fail."""
        if self._opening is not None:
            self._opening.cancel()
        if self._link is not None:
            self._link.abort("the daemon stops")

    def _opened(self) -> Deferred[_Link]:
        """Wait for the one attempt to connect, which is begun by whoever comes first."""
        waiting: Deferred[_Link] = Deferred(self._waiting_no_more)
        self._waiting.append(waiting)
        if self._opening is None:
            opening = ensureDeferred(self._open())
            if not opening.called:
                self._opening = opening
        return waiting

    def _waiting_no_more(self, waiting: Deferred[_Link]) -> None:
        self._waiting.remove(waiting)

    async def _open(self) -> None:
        link = _Link(self._reactor, self._lost)
        result: _Link | BusError = link
        timer = self._reactor.callLater(CONNECT_SECONDS, link.abort, f"it let nobody in for {CONNECT_SECONDS:g} s")
        try:
            await connect_unix(self._reactor, system_bus_path(self._environ), link)
            await link.admitted
            await link.call(message_bus.Hello(), None)
            self._link = link
        except CancelledError:
            link.abort("the daemon stops")
            result = BusError("the daemon stops")
        except OSError as failure:
            result = BusError(f"the system bus cannot be reached: {failure.strerror or failure}")
        except BusError as failure:
            link.abort(str(failure))
            result = failure
        finally:
            if timer.active():
                timer.cancel()
        self._opening = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(result) if isinstance(result, _Link) else one.errback(result)

    def _lost(self, link: _Link) -> None:
        if self._link is link:
            self._link = None


class _Link:
    """One connection to the bus; a StreamProtocol of rpc's transport."""

    def __init__(self, reactor: StreamReactor, lost: Callable[[_Link], None]) -> None:
        self._reactor = reactor
        self._lost = lost
        self._transport: Any = None
        self._login: Any = Authenticator()
        self._parser = Parser()
        self._serials = count(1)
        self._calls: dict[int, tuple[Deferred[Any], IDelayedCall | None]] = {}
        self._reason: str | None = None
        self.admitted: Deferred[None] = Deferred()

    # From the transport

    def makeConnection(self, transport: Any) -> None:
        """Connected: say who we are."""
        self._transport = transport
        if self._reason is None:
            transport.write(self._login.data_to_send())
        else:
            transport.abortConnection(self._reason)

    def dataReceived(self, data: bytes) -> None:
        """Read the login's line, then messages."""
        try:
            if self._login is not None:
                self._let_in(data)
                return
            self._parser.add_data(data)
            while self._reason is None and (message := self._parser.get_next_message()) is not None:
                self._received(message)
            if self._parser.bytes_desired() > MESSAGE_MAX:
                raise ValueError("a message is too large")
        except Exception as failure:  # jeepney raises what its parts raise; all of it means bytes that are not D-Bus
            self.abort(f"the bus sent what is not understood: {failure}")

    def _let_in(self, data: bytes) -> None:
        self._login.feed(data)
        if self._login.authenticated:
            self._login = None
            self._transport.write(BEGIN)
            self.admitted.callback(None)

    def connectionLost(self, reason: Failure) -> None:
        """The bus is gone: so is every answer."""
        text = self._reason or f"lost the system bus: {reason.getErrorMessage()}"
        self._reason = text
        self._lost(self)
        if not self.admitted.called:
            self.admitted.errback(BusError(text))
        calls, self._calls = self._calls, {}
        for answer, timer in calls.values():
            _stop(timer)
            answer.errback(BusError(text))

    # To the transport

    def call(self, message: Message, seconds: float | None) -> Deferred[Any]:
        """Send a call; the Deferred has its body or a BusError, and may be cancelled."""
        serial = self.send(message)
        answer: Deferred[Any] = Deferred(lambda _: self._drop(serial))
        if self._reason is not None:
            answer.errback(BusError(self._reason))
            return answer
        timer = None if seconds is None else self._reactor.callLater(seconds, self._expired, serial, seconds)
        self._calls[serial] = (answer, timer)
        return answer

    def send(self, message: Message, flags: int = 0) -> int:
        """Send a message and return its serial."""
        serial = next(self._serials)
        message.header.flags = MessageFlag(flags)
        self._transport.write(message.serialise(serial=serial))
        return serial

    def abort(self, reason: str) -> None:
        """Leave the bus at once."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abortConnection(reason)

    # Answers

    def _received(self, message: Message) -> None:
        kind = message.header.message_type
        if kind not in (MessageType.method_return, MessageType.error):
            return
        answer = self._forget(message.header.fields.get(HeaderFields.reply_serial, 0))
        if answer is None:
            return
        if kind is MessageType.method_return:
            answer.callback(message.body)
        else:
            name = message.header.fields.get(HeaderFields.error_name, "")
            text = message.body[0] if message.body and isinstance(message.body[0], str) else "no reason given"
            answer.errback(BusError(text, name))

    def _expired(self, serial: int, seconds: float) -> None:
        answer = self._forget(serial)
        if answer is not None:
            answer.errback(BusError(f"no answer within {seconds:g} s"))

    def _drop(self, serial: int) -> None:
        self._forget(serial)

    def _forget(self, serial: int) -> Deferred[Any] | None:
        answer, timer = self._calls.pop(serial, (None, None))
        _stop(timer)
        return answer


def _stop(timer: IDelayedCall | None) -> None:
    if timer is not None and timer.active():
        timer.cancel()
