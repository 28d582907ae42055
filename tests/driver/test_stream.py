# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver's streams, with the client's end in hand: data and holes both ways, and every way to end one."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.support.toy import error_of, result_of
from virtproxy.driver import Call, Driver, ErrorCode, Hole, Place, Stream, VirtError, implements, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.driver.harness_stream import HarnessStream
from virtproxy.driver.local_streams import KEPT_HIGH, STREAMS_MAX
from virtproxy.wire.frame import ERROR
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

VOL = remote.NonnullStorageVol(pool="p", name="v", key="/v")
SPARSE = 1
Serve = Callable[[Stream], Coroutine[Any, Any, None]]


class Volume:
    """What the driver authorizes."""

    name = "v"


class StreamDriver(Driver):
    """One volume; `work` serves its streams."""

    name = "toy"

    def __init__(self, place: Place | None = None) -> None:
        super().__init__(place)
        self.work: Serve | None = None

    @implements(remote.STORAGE_VOL_DOWNLOAD)
    async def download(self, call: Call, args: remote.StorageVolDownloadArgs) -> None:
        call.authorize(Volume())
        if self.work is not None:
            call.stream.serve(self.work)

    @implements(remote.STORAGE_VOL_UPLOAD)
    async def upload(self, call: Call, args: remote.StorageVolUploadArgs) -> None:
        call.authorize(Volume())
        if self.work is not None:
            call.stream.serve(self.work)

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call: Call, args: None) -> remote.ConnectGetHostnameRet:
        return remote.ConnectGetHostnameRet(hostname=str(call.stream))


@pytest.fixture
def driver() -> StreamDriver:
    return StreamDriver()


@pytest.fixture
def harness(driver: StreamDriver) -> DriverHarness:
    return DriverHarness(driver)


def download(harness: DriverHarness, flags: int = 0) -> HarnessStream:
    args = remote.StorageVolDownloadArgs(vol=VOL, offset=0, length=0, flags=flags)
    return result_of(harness.open(remote.STORAGE_VOL_DOWNLOAD, args))[1]


def upload(harness: DriverHarness, flags: int = 0) -> HarnessStream:
    args = remote.StorageVolUploadArgs(vol=VOL, offset=0, length=0, flags=flags)
    return result_of(harness.open(remote.STORAGE_VOL_UPLOAD, args))[1]


def test_data_goes_out_in_packets_that_old_clients_take_and_ends_with_an_empty_one(
    driver: StreamDriver, harness: DriverHarness
) -> None:
    data = os.urandom(STREAM_PAYLOAD_MAX * 2 + 5)

    async def work(stream: Stream) -> None:
        await stream.send(data)

    driver.work = work
    stream = download(harness)
    assert [len(item) for item in stream.items if not isinstance(item, Hole)] == [262120, 262120, 5]
    assert stream.ended and not stream.confirmed
    assert result_of(stream.read_all()) == data
    assert stream.confirmed


def test_what_comes_is_received_piece_by_piece_until_the_client_finishes(
    driver: StreamDriver, harness: DriverHarness
) -> None:
    got: list[bytes | Hole] = []

    async def work(stream: Stream) -> None:
        while item := await stream.receive():
            got.append(item)

    driver.work = work
    stream = upload(harness, SPARSE)
    stream.send(b"one")
    stream.send_hole(4096)
    stream.send(b"two")
    assert not stream.confirmed
    result_of(stream.finish())
    assert got == [b"one", 4096, b"two"] and isinstance(got[1], Hole)


def test_a_client_that_does_not_read_is_waited_for(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        for number in range(3):
            await stream.send(b"%d" % number)

    driver.work = work
    harness.backend.pause()
    stream = download(harness)
    assert stream.items == []
    harness.backend.resume()
    assert result_of(stream.read_all()) == b"012"


def test_a_driver_that_does_not_receive_stops_the_client(driver: StreamDriver, harness: DriverHarness) -> None:
    go: Deferred[None] = Deferred()

    async def work(stream: Stream) -> None:
        await go
        while await stream.receive():
            pass

    driver.work = work
    stream = upload(harness)
    stream.send(bytes(KEPT_HIGH - STREAM_PAYLOAD_MAX))
    assert not harness.full
    stream.send(bytes(STREAM_PAYLOAD_MAX))
    assert harness.full
    go.callback(None)
    assert not harness.full
    result_of(stream.finish())


def test_endless_empty_holes_stop_the_client_too(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        await Deferred()

    driver.work = work
    stream = upload(harness, SPARSE)
    for _ in range(KEPT_HIGH // 256 + 1):
        stream.send_hole(1)
    assert harness.full
    harness.close()
    assert not harness.full


def test_many_streams_of_a_client_keep_no_more_than_one(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        await Deferred()

    driver.work = work
    streams = [upload(harness) for _ in range(8)]
    for stream in streams:
        assert not harness.full
        stream.send(bytes(KEPT_HIGH // 8))
    assert harness.full
    result_of(streams[0].abort())
    assert harness.full
    for stream in streams[1:]:
        result_of(stream.abort())
    assert not harness.full


def test_a_client_has_so_many_streams_and_no_more(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        await Deferred()

    driver.work = work
    streams = [upload(harness) for _ in range(STREAMS_MAX)]
    with pytest.raises(VirtError, match="256 streams"):
        upload(harness)
    result_of(streams[0].abort())
    upload(harness)


def test_a_second_stream_of_a_serial_is_refused_and_ends_the_first(
    driver: StreamDriver, harness: DriverHarness
) -> None:
    ended: list[str] = []

    async def work(stream: Stream) -> None:
        try:
            await stream.receive()
        finally:
            ended.append("first")

    driver.work = work
    first = upload(harness)
    args = remote.StorageVolUploadArgs(vol=VOL, offset=0, length=0, flags=0)
    frame = remote.STORAGE_VOL_UPLOAD.call_frame(first.serial, args)
    assert result_of(harness.call_raw(frame)).status == ERROR
    assert ended == ["first"], "whose packets are whose cannot be told"


def test_an_error_of_the_work_ends_the_stream_with_it(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        await stream.receive()
        raise VirtError.of(ErrorCode.OPERATION_FAILED, "the disk is gone")

    driver.work = work
    stream = upload(harness)
    stream.send(b"x")
    with pytest.raises(VirtError) as caught:
        result_of(stream.finish())
    assert (caught.value.code, caught.value.message) == (
        ErrorCode.OPERATION_FAILED,
        "operation failed: the disk is gone",
    )


def test_a_failure_of_the_driver_is_logged_and_not_told(
    driver: StreamDriver, harness: DriverHarness, flush_errors: Any
) -> None:
    async def work(stream: Stream) -> None:
        raise ZeroDivisionError("a secret")

    driver.work = work
    stream = download(harness)
    assert stream.error is not None and "secret" not in (stream.error.message or "")
    assert len(flush_errors(ZeroDivisionError)) == 1


@pytest.mark.parametrize("way", ["abort", "finish", "leave"])
def test_a_client_that_ends_a_download_early_cancels_the_work(
    driver: StreamDriver, harness: DriverHarness, way: str
) -> None:
    ended: list[str] = []

    async def work(stream: Stream) -> None:
        await stream.send(b"first")
        try:
            await Deferred()
        finally:
            ended.append("cancelled")

    driver.work = work
    stream = download(harness)
    if way == "leave":
        harness.close()
    else:
        result_of(stream.abort() if way == "abort" else stream.finish())
        stream.send(b"too late")
    assert ended == ["cancelled"]
    assert stream.error is None


def test_holes_need_the_flag_that_announces_them(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        await stream.receive()

    driver.work = work
    stream = upload(harness)
    stream.send_hole(10)
    assert stream.error is not None
    assert (stream.error.code, stream.error.message) == (ErrorCode.RPC, "Unexpected stream hole")


@pytest.mark.parametrize(("length", "flags"), [(-1, 0), (5, 1)])
def test_a_hole_that_cannot_be_ends_the_stream(
    driver: StreamDriver, harness: DriverHarness, length: int, flags: int
) -> None:
    async def work(stream: Stream) -> None:
        await stream.receive()

    driver.work = work
    stream = upload(harness, SPARSE)
    stream.send_hole(length, flags)
    assert stream.error is not None and stream.error.code == ErrorCode.RPC


def test_a_hole_goes_out_as_zeros_to_a_client_that_takes_none(driver: StreamDriver, harness: DriverHarness) -> None:
    async def work(stream: Stream) -> None:
        await stream.send_hole(STREAM_PAYLOAD_MAX + 3)

    driver.work = work
    assert result_of(download(harness).read_all()) == bytes(STREAM_PAYLOAD_MAX + 3)
    assert download(harness, SPARSE).items == [STREAM_PAYLOAD_MAX + 3]


def test_a_method_that_serves_no_stream_is_an_error(harness: DriverHarness) -> None:
    args = remote.StorageVolDownloadArgs(vol=VOL, offset=0, length=0, flags=0)
    error = error_of(harness, remote.STORAGE_VOL_DOWNLOAD, args)
    assert "without call.stream.serve" in (error.message or "")


def test_a_procedure_without_a_stream_has_none(harness: DriverHarness, flush_errors: Any) -> None:
    error_of(harness, remote.CONNECT_GET_HOSTNAME, None)
    assert len(flush_errors(RuntimeError)) == 1


def sparse_file(path: Path) -> bytes:
    """Make a file with holes before, between and after data; return its content."""
    with path.open("wb") as file:
        for offset, size in ((1 << 20, 300_000), (4 << 20, 65536)):
            file.seek(offset)
            file.write(os.urandom(size))
        file.truncate(6 << 20)
    return path.read_bytes()


@pytest.mark.parametrize("flags", [0, SPARSE])
def test_a_file_is_sent_with_its_holes_where_the_client_takes_them(
    driver: StreamDriver, harness: DriverHarness, tmp_path: Path, flags: int
) -> None:
    content = sparse_file(tmp_path / "source")

    async def work(stream: Stream) -> None:
        await stream.send_from(str(tmp_path / "source"))

    driver.work = work
    stream = download(harness, flags)
    assert result_of(stream.read_all()) == content
    holes = [item for item in stream.items if isinstance(item, Hole)]
    assert len(holes) == (3 if flags else 0)


def test_a_part_of_a_file_is_sent(driver: StreamDriver, harness: DriverHarness, tmp_path: Path) -> None:
    content = sparse_file(tmp_path / "source")
    fd = os.open(tmp_path / "source", os.O_RDONLY)

    async def work(stream: Stream) -> None:
        await stream.send_from(fd, offset=1_000_000, length=400_000)

    driver.work = work
    assert result_of(download(harness, SPARSE).read_all()) == content[1_000_000:1_400_000]
    os.close(fd)  # still ours


def test_a_file_that_is_not_there_ends_the_stream(driver: StreamDriver, harness: DriverHarness, tmp_path: Path) -> None:
    async def work(stream: Stream) -> None:
        await stream.send_from(str(tmp_path / "none"))

    driver.work = work
    error = download(harness).error
    assert error is not None and (error.code, error.int1) == (ErrorCode.SYSTEM_ERROR, 2)


def test_a_file_takes_data_and_holes_and_old_content_under_a_hole_is_gone(
    driver: StreamDriver, harness: DriverHarness, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"x" * (3 << 20))
    written: list[int] = []

    async def work(stream: Stream) -> None:
        written.append(await stream.receive_into(str(target), offset=10))

    driver.work = work
    stream = upload(harness, SPARSE)
    stream.send(b"start")
    stream.send_hole(4 << 20)
    stream.send(b"end")
    result_of(stream.finish())
    assert target.read_bytes() == b"x" * 10 + b"start" + bytes(4 << 20) + b"end"
    assert written == [8 + (4 << 20)]
    assert target.stat().st_blocks * 512 < 1 << 20, "the hole takes no room"


def test_more_than_a_file_may_take_ends_the_stream(
    driver: StreamDriver, harness: DriverHarness, tmp_path: Path
) -> None:
    (tmp_path / "target").write_bytes(b"")

    async def work(stream: Stream) -> None:
        await stream.receive_into(str(tmp_path / "target"), length=4)

    driver.work = work
    stream = upload(harness)
    stream.send(b"12345")
    assert stream.error is not None
    assert stream.error.message == "cannot write to stream: No space left on device"
