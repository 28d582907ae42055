# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls with their answers, events, and streams as a whole, out of the messages as they passed.

``trace`` prints what comes out. It keeps the calls that wait for an answer, CALLS_MAX of them, and as many streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar

from virtproxy.cli.trace_packet import CALLS, REPLIES, Packet, Said, name_of, objects_of, procedure_of, said
from virtproxy.protocol import keepalive
from virtproxy.wire.frame import CONTINUE, ERROR, MESSAGE, STREAM, STREAM_HOLE

CALLS_MAX = 100_000
# Client, program and serial.
_Key = tuple[int, int, int]
T = TypeVar("T")


@dataclass(slots=True)
class Exchange:
    """One line of a trace. ``kind``: "call", "event" or "stream"; ``seconds`` from call to answer, None without one.

    ``result`` is None for a call that was not answered; of a stream, ``up`` and ``down`` are bytes of data from and to
    the client. ``args`` is None for an answer whose call was not seen.
    """

    kind: str
    packet: Packet
    args: Said | None = None
    result: Said | None = None
    seconds: float | None = None
    up: int = 0
    down: int = 0

    @property
    def procedure(self) -> str:
        """The procedure's or event's name."""
        return name_of(self.packet.frame)

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.result is not None and self.result.error is not None


@dataclass(slots=True)
class Calls:
    """The calls and streams under way."""

    _calls: dict[_Key, tuple[Packet, Said]] = field(default_factory=dict)
    _streams: dict[_Key, Exchange] = field(default_factory=dict)

    def read(self, packet: Packet) -> Said:
        """Return what a message says; an answer does not repeat the secrets of its call."""
        _, call = self._calls.get(_key(packet), (None, None))
        return said(packet.frame, None if call is None else call.secrets)

    def take(self, packet: Packet, content: Said) -> Iterator[Exchange]:
        """Yield what the message, which says that, completes."""
        frame, key = packet.frame, _key(packet)
        if frame.type in CALLS:
            _keep(self._calls, key, (packet, content))
        elif frame.type in REPLIES:
            yield self._answered(key, packet, content)
        elif frame.type in (STREAM, STREAM_HOLE):
            yield from self._streamed(key, packet, content)
        elif frame.type == MESSAGE and frame.program != keepalive.PROGRAM.number:
            yield Exchange("event", packet, args=content)

    def unfinished(self) -> Iterator[Exchange]:
        """Yield the calls without an answer and the streams without an end."""
        for packet, args in self._calls.values():
            yield Exchange("call", packet, args=args)
        yield from self._streams.values()

    def _answered(self, key: _Key, reply: Packet, result: Said) -> Exchange:
        call, args = self._calls.pop(key, (None, None))
        if call is None:
            return Exchange("call", reply, result=result)
        procedure = procedure_of(call.frame)
        if procedure is not None and procedure.stream is not None and result.error is None:
            _keep(self._streams, key, Exchange("stream", reply))
        return Exchange("call", call, args, result, reply.time - call.time)

    def _streamed(self, key: _Key, packet: Packet, content: Said) -> Iterator[Exchange]:
        stream = self._streams.get(key)
        if stream is None:
            stream = Exchange("stream", packet)
            _keep(self._streams, key, stream)
        if packet.frame.type == STREAM and packet.frame.status == CONTINUE:
            if packet.from_client:
                stream.up += content.data or 0
            else:
                stream.down += content.data or 0
        if packet.frame.status == ERROR:
            stream.result = content
        if packet.frame.status != CONTINUE and not packet.from_client:
            del self._streams[key]
            stream.result = stream.result or content
            stream.seconds = packet.time - stream.packet.time
            yield stream


@dataclass(frozen=True, slots=True)
class Choice:
    """What to show; None and False do not ask. Texts are patterns with * and ?; ``slower_than`` in seconds."""

    client: int | None = None
    subject: str | None = None
    procedure: str | None = None
    object: str | None = None
    errors: bool = False
    slower_than: float | None = None

    def takes(self, exchange: Exchange) -> bool:
        """Whether it is to be shown. A call without an answer is slower than anything."""
        packet = exchange.packet
        return (
            self.takes_client(packet)
            and (self.procedure is None or fnmatchcase(exchange.procedure.upper(), self.procedure.upper()))
            and (not self.errors or exchange.failed)
            and (self.slower_than is None or self._is_slow(exchange, self.slower_than))
            and (self.object is None or any(fnmatchcase(word, self.object) for word in _object_words(exchange)))
        )

    def takes_client(self, packet: Packet) -> bool:
        """Whether the packet's client is one of those to be shown."""
        return (self.client is None or packet.client == self.client) and (
            self.subject is None
            or any(fnmatchcase(word, self.subject) for word in (packet.subject, *packet.subject.split()))
        )

    @staticmethod
    def _is_slow(exchange: Exchange, seconds: float) -> bool:
        return exchange.kind != "event" and (exchange.seconds is None or exchange.seconds > seconds)


def _keep(kept: dict[_Key, T], key: _Key, value: T) -> None:
    """Keep one more, and give up the oldest where there are too many: their clients may be long gone."""
    kept[key] = value
    if len(kept) > CALLS_MAX:
        del kept[next(iter(kept))]


def _key(packet: Packet) -> _Key:
    return packet.client, packet.frame.program, packet.frame.serial


def _object_words(exchange: Exchange) -> Iterator[str]:
    for part in (exchange.args, exchange.result):
        if part is not None:
            for kind, name in objects_of(part.value):
                yield name
                yield f"{kind}:{name}"
