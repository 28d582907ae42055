# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts a byte stream into frames and hands each its descriptors.

A connection feeds it whatever the socket gave, in any chunks. It never looks past the header
(and the descriptor count), and refuses a broken length before it keeps a byte of the packet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import cast

from virtproxy.wire.frame import CALL_WITH_FDS, HEADER, REPLY_WITH_FDS, Frame
from virtproxy.wire.limits import FD_COUNT_SIZE, FDS_MAX, LENGTH_SIZE, PACKET_MAX, PACKET_MIN

_unpack_header = HEADER.unpack_from
_HEADER_BYTES = HEADER.size


# A part of a packet, and where the parts of a diverted packet go.
Piece = bytes | bytearray | memoryview
Sink = Callable[[Piece], None]
# A smaller packet is better kept until it is whole.
DIVERT_MIN = 16384
# A larger one is not copied once more when it is whole: that would keep every other connection waiting.
LARGE_MIN = 1024 * 1024
_ALL = 1 << 62


class FrameError(ValueError):
    """The peer's bytes are not packets; the connection cannot go on."""


class Framer:
    """State of one direction of one connection: a partial packet and unclaimed descriptors."""

    __slots__ = ("_buffer", "_fds", "_fresh", "_left", "_needed", "_sink", "packet_max", "rest")

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Bytes that came and were not looked at, because `feed` was to return only so many packets.
        self.rest: memoryview | None = None
        # The owner may lower it, to as much as it would want to keep for this peer.
        self.packet_max = PACKET_MAX
        # The start of a packet as it just came; it moves to the buffer only if more must be waited for.
        self._fresh: memoryview | None = None
        self._needed = LENGTH_SIZE
        # A list, as everywhere where little waits: an empty deque takes ten times its room, for every client.
        self._fds: list[int] = []
        # Where the rest of a diverted packet goes, and how many bytes that still is.
        self._sink: Sink | None = None
        self._left = 0

    @property
    def missing(self) -> int:
        """How many bytes are known to be missing of the packet under way (0: none under way)."""
        if self._fresh is not None:
            return self._needed - len(self._fresh)
        return self._needed - len(self._buffer) if self._buffer else self._left

    @property
    def keeps_large(self) -> bool:
        """Whether the packet under way is a large one that is kept until it is whole."""
        return self._needed >= LARGE_MIN and self._sink is None

    def add_fds(self, fds: Iterable[int]) -> None:
        """Take descriptors that arrived with the bytes of the next `feed`; the framer owns them."""
        self._fds.extend(fds)

    def feed(self, data: bytes | memoryview, most: int = _ALL) -> list[Frame]:
        """Return the packets that `data` completes, in order, and at most `most` of them.

        What is then left to be looked at is `rest`; feed nothing to go on with it. Raises FrameError on a length out
        of bounds, and on descriptors without a message.
        """
        if self.rest is not None:
            data = b"".join((self.rest, data)) if data else self.rest
            self.rest = None
        elif self._sink is not None:
            data = self._pass_on(self._sink, data)
            if not data:
                return []
        if self._fresh is not None:
            self._buffer += self._fresh
            self._fresh = None
        frames: list[Frame] = []
        if self._buffer:
            if len(self._buffer) + len(data) < self._needed:
                self._buffer += data
                return []
            data = self._complete(data, frames)
        try:
            offset = self._cut(data, frames, most)
            if offset < len(data):
                left = memoryview(data)[offset:]
                if len(frames) < most:
                    self._fresh = left
                else:
                    self.rest = left
            self._check_fds()
        except FrameError:
            # The frames before the fault are lost with the connection; `close` finds their descriptors here.
            self._fds.extend(fd for frame in frames for fd in frame.fds)
            raise
        return frames

    def _complete(self, data: bytes | memoryview, frames: list[Frame]) -> bytes | memoryview:
        """Complete the kept packet; return the bytes to cut packets from, without it if it is in `frames`."""
        missing = self._needed - len(self._buffer) if self._needed >= LARGE_MIN else len(data)
        view = memoryview(data)
        self._buffer += view[:missing]
        if self._needed >= LARGE_MIN:
            _, *fields = _unpack_header(self._buffer)
            frame = Frame(cast(bytes, self._buffer), *fields)
            if not frame.carries_fds:
                self._buffer = bytearray()
                self._needed = LENGTH_SIZE
                frames.append(frame)
                return view[missing:]
        whole = bytes(self._buffer) + bytes(view[missing:])
        self._buffer.clear()
        return whole

    def head(self) -> Frame | None:
        """The header of a large packet whose start just came, as a frame without payload."""
        if self._fresh is None or self._needed < DIVERT_MIN or len(self._fresh) < PACKET_MIN:
            return None
        return Frame(b"", *_unpack_header(self._fresh)[1:])

    def divert(self, sink: Sink) -> None:
        """Give the packet of `head` to `sink`, piece by piece as it comes, instead of keeping it."""
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            self._left = self._needed - len(fresh)
            self._sink = sink
            sink(fresh)

    def _pass_on(self, sink: Sink, data: bytes | memoryview) -> bytes | memoryview:
        """Give the sink its part of `data`; return what belongs to the packets after it."""
        left = self._left
        if len(data) < left:
            self._left -= len(data)
            sink(data)
            return b""
        self._sink, self._left = None, 0
        view = memoryview(data)
        sink(view[:left])
        return view[left:]

    def _check_fds(self) -> None:
        if self._fds and self._fresh is None and self.rest is None:
            raise FrameError("file descriptors arrived without a message that announces them")
        if len(self._fds) > FDS_MAX:
            raise FrameError(f"more than {FDS_MAX} file descriptors are waiting for a message")

    def _cut(self, data: bytes | memoryview, frames: list[Frame], most: int) -> int:
        """Append the whole packets of `data` to `frames`, up to `most`; return where what is left starts."""
        offset, end, largest = 0, len(data), self.packet_max
        while end - offset >= LENGTH_SIZE and len(frames) < most:
            length = int.from_bytes(data[offset : offset + LENGTH_SIZE], "big")
            if not PACKET_MIN <= length <= largest:
                raise FrameError(f"a packet announces {length} bytes; from {PACKET_MIN} to {largest} are allowed")
            if length > end - offset:
                self._needed = length
                return offset
            raw = data if length == end and not offset else data[offset : offset + length]
            if type(raw) is not bytes:
                raw = bytes(raw)
            _, program, version, procedure, kind, serial, status = _unpack_header(raw)
            frame = Frame(raw, program, version, procedure, kind, serial, status)
            if kind == CALL_WITH_FDS or kind == REPLY_WITH_FDS:
                count = self._claim(frame, end - offset)
                if count is None:
                    return offset
                length += count
            frames.append(frame)
            offset += length
        if offset < end:
            self._needed = LENGTH_SIZE
        return offset

    def _claim(self, frame: Frame, available: int) -> int | None:
        """Give the frame its descriptors; return how many bytes they took, None if some are missing.

        Each descriptor travels on one zero byte after the packet, outside its length.
        """
        start = PACKET_MIN
        if len(frame.raw) < start + FD_COUNT_SIZE:
            raise FrameError("a message with descriptors is too short to say how many")
        count = int.from_bytes(frame.raw[start : start + FD_COUNT_SIZE], "big")
        if count > FDS_MAX:
            raise FrameError(f"a message announces {count} descriptors; {FDS_MAX} are allowed")
        if available < len(frame.raw) + count:
            self._needed = len(frame.raw) + count
            return None
        if len(self._fds) < count:
            raise FrameError(f"a message announces {count} descriptors; {len(self._fds)} arrived")
        frame.fds = tuple(self._fds.pop(0) for _ in range(count))
        return count

    def close(self) -> None:
        """Close the descriptors that no message claimed."""
        while self._fds:
            os.close(self._fds.pop(0))
