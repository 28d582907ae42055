# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of streams in real threads: whatever ends a transfer, the file is closed, and only when no thread uses it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from virtproxy.driver import Hole, Place, VirtError
from virtproxy.driver.stream_files import READ_SIZE, Target, _File, read_segments


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.under(tmp_path, reactor=reactor)


def opened(path: Path) -> int:
    """How many descriptors of this process are of the file."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{fd}") == str(path)
        except FileNotFoundError:
            continue
    return count


async def closed(path: Path) -> None:
    """Wait until nobody has the file open."""
    for _ in range(500):
        if not opened(path):
            return
        await deferLater(reactor, 0.005)
    pytest.fail(f"{path} stays open")


@pytest_twisted.ensureDeferred
async def test_a_reader_that_is_given_up_closes_its_file(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(3 * READ_SIZE))

    async def read() -> None:
        async for segment in read_segments(place, str(path), 0, None, holes=False):
            assert isinstance(segment, bytes) and len(segment) == READ_SIZE
            await Deferred()

    reading = Deferred.fromCoroutine(read())
    while not opened(path):
        await deferLater(reactor, 0.001)
    await deferLater(reactor, 0.02)
    reading.cancel()
    with pytest.raises(CancelledError):
        await reading
    await closed(path)


@pytest_twisted.ensureDeferred
async def test_a_caller_keeps_its_own_descriptor(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    fd = os.open(path, os.O_RDWR)
    got = [segment async for segment in read_segments(place, fd, 3, 2, holes=False)]
    async with Target(place, fd, 1, None) as target:
        await target.write([b"xy", Hole(2)])
    assert got == [b"te"] and path.read_bytes() == b"cxy\0\0nt"
    assert os.read(fd, 3) == b"cxy", "its position was left alone"
    os.close(fd)
    await closed(path)


def test_a_file_in_a_threads_hands_is_closed_by_the_thread(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"content")
    file = _File(str(path), os.O_RDONLY)
    inside, go = threading.Event(), threading.Event()
    read: list[bytes] = []

    def work() -> None:
        inside.set()
        assert go.wait(10)
        read.append(os.pread(file.fd, 7, 0))

    thread = threading.Thread(target=file.use, args=(work,))
    thread.start()
    assert inside.wait(10)
    file.close()
    assert opened(path) == 1
    go.set()
    thread.join(10)
    assert read == [b"content"] and opened(path) == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.use(lambda: None)


@pytest_twisted.ensureDeferred
async def test_what_is_no_regular_file_gets_zeros_for_a_hole(place: Place) -> None:
    reader, writer = os.pipe()
    with pytest.raises(VirtError, match="cannot write to stream: Illegal seek"):
        async with Target(place, writer, 0, None) as target:
            await target.write([Hole(5)])
    os.close(reader)
    os.close(writer)
