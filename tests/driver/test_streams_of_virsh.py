# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams of a local driver with the real client: virsh uploads and downloads, with holes and without."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from tests.support.proxy import Proxy
from virtproxy.driver import Call, Driver, ErrorCode, Place, Stream, VirtError, implements, remote
from virtproxy.driver.backend import LocalBackend

pytestmark = pytest.mark.programs("virsh")
MIB = 1 << 20


class Volume:
    name, uuid = "bench", bytes(range(16))


class VolumeDriver(Driver):
    """One pool with one volume, the file "volume" in the place's state directory."""

    name = "toy"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.path = os.path.join(place.state, "volume")
        self.refuses = False

    @implements(remote.STORAGE_POOL_LOOKUP_BY_NAME)
    async def pool(self, call: Call, args: remote.StoragePoolLookupByNameArgs) -> remote.StoragePoolLookupByNameRet:
        call.authorize(Volume)
        return remote.StoragePoolLookupByNameRet(remote.NonnullStoragePool("bench", bytes(16)))

    @implements(remote.STORAGE_POOL_IS_ACTIVE)
    async def active(self, call: Call, args: remote.StoragePoolIsActiveArgs) -> remote.StoragePoolIsActiveRet:
        call.authorize(Volume)
        return remote.StoragePoolIsActiveRet(1)

    @implements(remote.STORAGE_VOL_LOOKUP_BY_NAME)
    async def volume(self, call: Call, args: remote.StorageVolLookupByNameArgs) -> remote.StorageVolLookupByNameRet:
        call.authorize(Volume)
        return remote.StorageVolLookupByNameRet(remote.NonnullStorageVol("bench", args.name, self.path))

    @implements(remote.STORAGE_VOL_DOWNLOAD)
    async def download(self, call: Call, args: remote.StorageVolDownloadArgs) -> None:
        call.authorize(Volume)
        call.stream.serve(lambda stream: stream.send_from(self.path, offset=args.offset, length=args.length or None))

    @implements(remote.STORAGE_VOL_UPLOAD)
    async def upload(self, call: Call, args: remote.StorageVolUploadArgs) -> None:
        call.authorize(Volume)
        call.stream.serve(partial(self._receive, args))

    async def _receive(self, args: remote.StorageVolUploadArgs, stream: Stream) -> None:
        if self.refuses:
            await stream.receive()
            raise VirtError.of(ErrorCode.OPERATION_FAILED, "the toy wants no more")
        await stream.receive_into(self.path, offset=args.offset, length=args.length or None)


class Rig:
    """The driver behind a socket, and virsh in front of it."""

    def __init__(self, directory: Path) -> None:
        self.place = Place.under(directory, reactor=reactor)
        os.makedirs(self.place.state)
        self.driver = VolumeDriver(self.place)
        Path(self.driver.path).write_bytes(b"")
        self.proxy = Proxy(reactor, {}, local={"toy": self._open})

    def _open(self, target: Any, flags: int, identity: Any, client: Any) -> LocalBackend:
        return LocalBackend(self.driver, client, identity, uri=target.uri)

    async def virsh(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["virsh", "-c", f"toy+unix:///system?socket={self.proxy.path}", *words]
        done: subprocess.CompletedProcess[str] = await deferToThread(
            subprocess.run, command, capture_output=True, text=True, timeout=25
        )
        return done


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    pytest_twisted.blockon(ensureDeferred(made.proxy.close()))


def sparse_file(path: Path) -> Path:
    """A file of 4 GiB that is nearly all hole."""
    with path.open("wb") as file:
        for offset in (0, 700 * MIB + 12345, 4095 * MIB):
            file.seek(offset)
            file.write(os.urandom(MIB))
        file.truncate(4096 * MIB)
    return path


def digest(path: str | Path) -> str:
    """The checksum of a file's data, each with its place; holes are not read."""
    found = hashlib.sha256(str(os.stat(path).st_size).encode())
    fd = os.open(path, os.O_RDONLY)
    at = 0
    try:
        while True:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                return found.hexdigest()
            at = os.lseek(fd, start, os.SEEK_HOLE)
            data = os.pread(fd, at - start, start)
            found.update(b"%d:" % start + data)
    finally:
        os.close(fd)


@pytest_twisted.ensureDeferred
async def test_a_volume_comes_back_as_it_went(rig: Rig, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(20 * MIB + 17))
    done = await rig.virsh("vol-upload", "--pool", "bench", "v", str(source))
    assert done.returncode == 0, done.stderr
    assert Path(rig.driver.path).read_bytes() == source.read_bytes()
    back = tmp_path / "back"
    done = await rig.virsh("vol-download", "--pool", "bench", "v", str(back), "--offset", "100", "--length", "3000000")
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == source.read_bytes()[100:3000100]


@pytest_twisted.ensureDeferred
async def test_four_gibibytes_of_holes_go_and_come_as_holes(rig: Rig, tmp_path: Path) -> None:
    source = sparse_file(tmp_path / "source")
    done = await rig.virsh("vol-upload", "--pool", "bench", "v", str(source), "--sparse")
    assert done.returncode == 0, done.stderr
    assert digest(rig.driver.path) == digest(source)
    assert os.stat(rig.driver.path).st_blocks * 512 < 8 * MIB
    back = tmp_path / "back"
    done = await rig.virsh("vol-download", "--pool", "bench", "v", str(back), "--sparse")
    assert done.returncode == 0, done.stderr
    assert digest(back) == digest(source)
    assert back.stat().st_blocks * 512 < 8 * MIB


@pytest_twisted.ensureDeferred
async def test_a_stream_that_breaks_is_told_in_the_drivers_words(rig: Rig, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(30 * MIB))
    rig.driver.refuses = True
    done = await rig.virsh("vol-upload", "--pool", "bench", "v", str(source))
    assert done.returncode == 1
    assert "the toy wants no more" in done.stderr
    rig.driver.refuses = False
    Path(rig.driver.path).write_bytes(b"fine")
    done = await rig.virsh("vol-download", "--pool", "bench", "v", str(tmp_path / "back"))
    assert (done.returncode, (tmp_path / "back").read_bytes()) == (0, b"fine"), done.stderr
