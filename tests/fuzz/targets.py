# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is fuzzed, and what must hold for each: the wire, the whole server end, the client end.

Every target takes the packets of one conversation and raises AssertionError (or whatever went wrong) when it did
anything but answer or close.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.fuzz.corpus import PROGRAMS
from tests.support.memory import MemoryTransport
from virtproxy.auth.gate import Gate
from virtproxy.driver.backend import LocalBackend
from virtproxy.drivers.test import TestDriver
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.schema import decode_error
from virtproxy.routing.backend import Backend, BackendClient
from virtproxy.routing.families import DRIVERS, Target
from virtproxy.routing.router import Router
from virtproxy.routing.rules.readonly import ReadonlyStage
from virtproxy.routing.session import Session
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.rpc.streams import Hole
from virtproxy.wire.codec import WireError, decode_exact, encode
from virtproxy.wire.frame import (
    CALL,
    CALL_WITH_FDS,
    ERROR,
    MESSAGE,
    OK,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    Frame,
    pack,
)
from virtproxy.wire.framer import FrameError, Framer, Sink


def wire(pieces: Iterable[bytes]) -> None:
    """Frames and values, or FrameError and WireError; what was decoded can be encoded."""
    framer = Framer()
    try:
        for piece in pieces:
            for frame in framer.feed(piece):
                _decode(frame)
    except FrameError:
        pass


def _decode(frame: Frame) -> None:
    program = PROGRAMS.get(frame.program)
    procedure = program.procedures.get(frame.procedure) if program else None
    if procedure is None:
        return
    try:
        if frame.status == ERROR:
            value: Any = decode_error(frame)
        elif frame.type in (CALL, CALL_WITH_FDS, MESSAGE):
            value = procedure.decode_args(frame)
        else:
            value = procedure.decode_ret(frame)
    except WireError:
        return
    if value is not None:
        # Not the payload's own bytes: a char above 127 may come with its sign or without.
        raw = encode(value)
        assert encode(decode_exact(type(value), raw)) == raw, f"{value!r} does not survive"


class FakeBackend:
    """A daemon that answers every call with nothing, refuses some and leaves some unanswered until later."""

    def __init__(self, client: BackendClient) -> None:
        self.client = client
        self.unanswered: list[Frame] = []
        self.passed = Framer()
        self.closed = False

    @property
    def name(self) -> str:
        return "a target"

    def owed_calls(self) -> Iterator[Frame]:
        yield from ()

    @property
    def owed(self) -> int:
        """What was left for later."""
        return len(self.unanswered)

    async def open(self) -> None:
        """Always there."""

    def call(self, frame: Frame) -> None:
        """Answer by the serial: three of four at once."""
        if frame.serial % 4 == 3:
            self.unanswered.append(frame)
            if len(self.unanswered) > 3:
                self._answer(self.unanswered.pop(0))
        else:
            self._answer(frame)

    def _answer(self, frame: Frame) -> None:
        ServerConnection.discard(frame)
        status = OK if frame.serial % 3 else ERROR
        self.client.reply(pack(frame.program, frame.version, frame.procedure, REPLY, frame.serial, status, bytes(44)))

    def stream(self, frame: Frame) -> None:
        """End every stream at its second packet."""
        self.client.send(pack(frame.program, frame.version, frame.procedure, STREAM, frame.serial, OK, b""))

    def passage(self, head: Frame) -> Sink | None:
        """Take half of the large packets piece by piece; they must be packets in the end."""
        return self._piece if head.serial % 2 else None

    def _piece(self, data: bytes | bytearray | memoryview) -> None:
        for frame in self.passed.feed(bytes(data)):
            assert frame.type == STREAM, frame

    async def set_identity(self, identity: Identity) -> None:
        """Take anybody."""

    def pause(self) -> None:
        """Nothing is produced unasked."""

    def resume(self) -> None:
        """Nothing was held back."""

    def close(self, error: VirtError | None = None) -> None:
        """Answer nothing more."""
        self.closed = True
        for frame in self.unanswered:
            ServerConnection.discard(frame)
        self.unanswered.clear()


class ServerEnd:
    """The session, the gate, the router, the pretended host and fake daemons behind a server connection."""

    def __init__(self) -> None:
        self._driver = TestDriver()
        local: dict[str, Any] = dict.fromkeys(DRIVERS, self._fake)
        # It needs no reactor where every backend is in this process.
        clock: Any = Clock()
        self._router = Router(clock, "system", {}, {**local, "test": self._pretended})

    def _fake(self, target: Target, flags: int, identity: Identity, client: BackendClient) -> Backend:
        return FakeBackend(client)

    def _pretended(self, target: Target, flags: int, identity: Identity, client: BackendClient) -> Backend:
        return LocalBackend(self._driver, client, identity, uri=target.uri, readonly=bool(flags & 1))

    def _session(self, client: ServerConnection) -> Session:
        return Session(client, Gate("none"), self._router, Identity(uid=0), (ReadonlyStage,))

    def converse(self, uri: str | None, pieces: Iterable[bytes]) -> None:
        """One client's conversation; ``uri`` is opened first, None opens nothing."""
        clock = Clock()
        lost: list[ServerConnection] = []
        connection = ServerConnection(clock, ServerSettings(), self._session, lost.append)
        transport = MemoryTransport(connection)
        connection.makeConnection(transport)
        asked = Asked()
        if uri is not None:
            opening = remote.CONNECT_OPEN.call_frame(0xFFFF, remote.ConnectOpenArgs(name=uri, flags=0))
            asked.see(opening.raw)
            connection.dataReceived(opening.raw)
        for piece in pieces:
            if transport.closing or transport.paused:
                break
            asked.see(piece)
            connection.dataReceived(piece)
            clock.advance(0)
            asked.answered(bytes(transport.written))
            transport.written.clear()
        transport.end()
        clock.advance(0)
        assert lost == [connection]
        assert not clock.getDelayedCalls(), clock.getDelayedCalls()


class Asked:
    """Counts calls and answers: at most one answer a call, and nothing that was not asked for."""

    def __init__(self) -> None:
        self._calls: Counter[int] = Counter()
        self._asking, self._answering = Framer(), Framer()

    def see(self, data: bytes) -> None:
        """Bytes of the client."""
        with contextlib.suppress(FrameError):
            self._count(self._asking.feed(data, 1))
            while self._asking.rest is not None:
                self._count(self._asking.feed(b"", 1))

    def _count(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            if frame.type in (CALL, CALL_WITH_FDS):
                self._calls[frame.serial] += 1

    def answered(self, data: bytes) -> None:
        """Bytes of the server: whole packets, each an answer, a stream packet or an event."""
        for frame in self._answering.feed(data) if data else ():
            if frame.type in (REPLY, REPLY_WITH_FDS):
                self._calls[frame.serial] -= 1
                assert self._calls[frame.serial] >= 0, f"{frame!r} answers no call"
                if frame.status == ERROR and len(frame.payload) != 44:
                    error = decode_error(frame)
                    assert "Traceback" not in (error.message or "")
            else:
                assert frame.type in (MESSAGE, STREAM), frame
        assert self._answering.missing == 0


# The calls (one of them opens a stream) that a client waits for.
OUTSTANDING = 17


class ClientEnd:
    """Our client, given a server that says anything."""

    def converse(self, pieces: Iterable[bytes]) -> None:
        """Calls, a stream and events are outstanding; whatever comes, they end with a value or an error."""
        clock = Clock()
        client = ClientConnection(clock)
        transport = MemoryTransport(client)
        client.makeConnection(transport)
        ended = Counter[str]()
        begun = self._begin(client, ended)
        for piece in pieces:
            if transport.closing or transport.paused:
                break
            client.dataReceived(piece)
            clock.advance(0)
        transport.end()
        assert ended["calls"] == begun, (ended, begun)
        assert not clock.getDelayedCalls()

    def _event(self, message: remote.DomainEventCallbackLifecycleMsg) -> None:
        assert encode(message)

    def _begin(self, client: ClientConnection, ended: Counter[str]) -> int:
        def end(result: object) -> None:
            ended["calls"] += 1

        domain = remote.NonnullDomain(name="test", uuid=bytes(16), id=1)
        client.on_event(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, self._event)
        for _ in range(8):
            client.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=domain)).addBoth(end)
            client.call(remote.CONNECT_GET_CAPABILITIES).addBoth(end)
        args = remote.StorageVolDownloadArgs(vol=remote.NonnullStorageVol(pool="", name="", key=""), offset=0,
                                             length=0, flags=1)  # fmt: skip
        opened, stream = client.open_stream(remote.STORAGE_VOL_DOWNLOAD, args)
        opened.addBoth(end)

        async def read() -> None:
            while item := await stream.read_item():
                assert isinstance(item, (bytes, Hole))

        Deferred.fromCoroutine(read()).addBoth(end)
        return OUTSTANDING + 1
