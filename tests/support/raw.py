# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client without manners: sends any bytes to a daemon's socket and tells what came of it."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from virtproxy.protocol import remote
from virtproxy.protocol.schema import decode_error
from virtproxy.wire.frame import ERROR, Frame
from virtproxy.wire.framer import Framer

PATIENCE = 10.0
# The serial of the question whether the connection still lives.
PROBE = 0x7E57


@dataclass
class Outcome:
    """What a daemon did: its answers as (serial, error code or 0, message), and whether it closed."""

    answers: list[tuple[int, int, str]] = field(default_factory=list)
    closed: bool = False


class RawClient:
    """A connection to a daemon's UNIX socket."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(path))
        self.framer = Framer()
        self.frames: list[Frame] = []

    def send(self, *data: bytes | Frame) -> None:
        """Send bytes; a daemon that has closed already is no error here."""
        for item in data:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.sock.sendall(item.raw if isinstance(item, Frame) else item)

    def send_fds(self, data: bytes, fds: Iterable[int]) -> None:
        """Send data with descriptors beside it."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendmsg([data], rights)

    def receive(self) -> Frame | None:
        """The next packet, or None when the daemon has closed."""
        while not self.frames:
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.frames += self.framer.feed(data)
        return self.frames.pop(0)

    def call(self, frame: Frame) -> Frame:
        """Send a call and return its answer; what comes before it is dropped."""
        self.send(frame)
        while True:
            answer = self.receive()
            assert answer is not None, "the daemon closed"
            if answer.serial == frame.serial:
                return answer

    def open(self, uri: str = "test:///default") -> None:
        """Go through authentication and open a URI."""
        self.call(remote.AUTH_LIST.call_frame(1, None))
        answer = self.call(remote.CONNECT_OPEN.call_frame(2, remote.ConnectOpenArgs(name=uri, flags=0)))
        assert answer.status != ERROR, decode_error(answer)

    def outcome(self, expected: int = 0) -> Outcome:
        """Ask whether the connection lives; return what came before that answer and, of what is expected, after it."""
        self.send(remote.AUTH_LIST.call_frame(PROBE, None))
        found, alive = Outcome(), False
        while not alive or len(found.answers) < expected:
            frame = self.receive()
            if frame is None:
                found.closed = True
                return found
            if frame.serial == PROBE:
                alive = True
                continue
            error = decode_error(frame) if frame.status == ERROR else None
            found.answers.append((frame.serial, error.code if error else 0, (error and error.message) or ""))
        return found

    def close(self) -> None:
        """Leave without a word."""
        self.sock.close()


@contextlib.contextmanager
def raw_client(path: Path) -> Iterator[RawClient]:
    """A connection that is gone at the end of the block."""
    client = RawClient(path)
    try:
        yield client
    finally:
        client.close()


def open_fds(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kib(pid: int) -> int:
    """Resident memory of a process in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
