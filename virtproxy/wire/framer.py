# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts a byte stream into frames and hands each its descriptors.

A connection feeds it whatever the socket gave, in any chunks. It never looks past the header
(and the descriptor count), and refuses a broken length before it keeps a byte of the packet.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable

from virtproxy.wire.frame import CALL_WITH_FDS, HEADER, REPLY_WITH_FDS, Frame
from virtproxy.wire.limits import FD_COUNT_SIZE, FDS_MAX, LENGTH_SIZE, PACKET_MAX, PACKET_MIN

_unpack_header = HEADER.unpack_from
_HEADER_BYTES = HEADER.size


class FrameError(ValueError):
    """The peer's bytes are not packets; the connection cannot go on."""


class Framer:
    """State of one direction of one connection: a partial packet and unclaimed descriptors."""

    __slots__ = ("_buffer", "_fds", "_needed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = LENGTH_SIZE
        self._fds: deque[int] = deque()

    @property
    def missing(self) -> int:
        """How many bytes are known to be missing of the packet under way (0: none under way)."""
        return self._needed - len(self._buffer) if self._buffer else 0

    def add_fds(self, fds: Iterable[int]) -> None:
        """Take descriptors that arrived with the bytes of the next `feed`; the framer owns them."""
        self._fds.extend(fds)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the packets that `data` completes, in order.

        Raises FrameError on a length out of bounds, and on descriptors without a message.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        frames: list[Frame] = []
        try:
            offset = self._cut(data, frames)
            if offset < len(data):
                self._buffer += data[offset:] if offset else data
            self._check_fds()
        except FrameError:
            # The frames before the fault are lost with the connection; `close` finds their descriptors here.
            self._fds.extend(fd for frame in frames for fd in frame.fds)
            raise
        return frames

    def _check_fds(self) -> None:
        if self._fds and not self._buffer:
            raise FrameError("file descriptors arrived without a message that announces them")
        if len(self._fds) > FDS_MAX:
            raise FrameError(f"more than {FDS_MAX} file descriptors are waiting for a message")

    def _cut(self, data: bytes, frames: list[Frame]) -> int:
        """Append the whole packets of `data` to `frames`; return where the partial one starts."""
        offset, end = 0, len(data)
        while end - offset >= LENGTH_SIZE:
            length = int.from_bytes(data[offset : offset + LENGTH_SIZE], "big")
            if not PACKET_MIN <= length <= PACKET_MAX:
                raise FrameError(
                    f"a packet announces {length} bytes; from {PACKET_MIN} to {PACKET_MAX} are allowed"
                )
            if length > end - offset:
                self._needed = length
                return offset
            raw = data if length == end and not offset else data[offset : offset + length]
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
        frame.fds = tuple(self._fds.popleft() for _ in range(count))
        return count

    def close(self) -> None:
        """Close the descriptors that no message claimed."""
        while self._fds:
            os.close(self._fds.popleft())
