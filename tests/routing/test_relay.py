# SPDX-License-Identifier: LGPL-2.1-or-later
"""The remote backend when things go wrong: a daemon that dies, that is not there, that does not read."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st

from tests.routing.conftest import MakeProxy
from tests.support.proxy import settle
from tests.support.scripted import LATER, ScriptedDaemon, ScriptedSession
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.routing.relay import Gathering
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.streams import ClientStream
from virtproxy.rpc.transport import HIGH_WATER
from virtproxy.wire.frame import CONTINUE, OK, STREAM, Frame, pack

Daemons = dict[str, ScriptedDaemon]
TYPE = remote.ConnectGetTypeRet(type="QEMU")
VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="k")
UPLOAD = remote.StorageVolUploadArgs(vol=VOLUME, offset=0, length=0, flags=0)
DOWNLOAD = remote.StorageVolDownloadArgs(vol=VOLUME, offset=0, length=0, flags=0)


@pytest.fixture
def storage(daemons: Daemons) -> ScriptedDaemon:
    """The "qemu" daemon's socket serves storage too: a stream needs nothing else."""
    script = daemons["qemu"].script
    script.answers.update(
        {remote.STORAGE_VOL_UPLOAD: None, remote.STORAGE_VOL_DOWNLOAD: None, remote.CONNECT_GET_TYPE: TYPE}
    )
    return daemons["qemu"]


async def storage_client(storage: ScriptedDaemon, make_proxy: MakeProxy) -> tuple[Any, ClientConnection]:
    """A proxy and its client, with storage:/// opened."""
    proxy = make_proxy(sockets={"storage": storage.path})
    return proxy, await proxy.client("storage:///system")


async def opened(client: ClientConnection, procedure: Any, args: Any) -> ClientStream:
    """An open stream."""
    reply, stream = client.open_stream(procedure, args)
    await reply
    return stream


@pytest_twisted.ensureDeferred
async def test_a_lost_daemon_answers_what_it_owed_and_is_opened_again(daemons: Daemons, make_proxy: MakeProxy) -> None:
    script = daemons["qemu"].script
    script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    owed = [client.call(remote.CONNECT_GET_TYPE) for _ in range(3)]
    await settle(proxy.reactor)
    script.only.connection.abort("the daemon was killed")
    for call in owed:
        with pytest.raises(VirtError, match=r"lost the connection to virtqemud \(.*sock\)") as caught:
            await call
        assert (caught.value.code, caught.value.domain) == (ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC)
    script.answers[remote.CONNECT_GET_TYPE] = TYPE
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert [procedure.name for procedure, _ in script.sessions[1].calls][:3] == [
        "AUTH_LIST",
        "CONNECT_OPEN",
        "CONNECT_SET_IDENTITY",
    ]


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_not_there_is_named_with_its_socket(make_proxy: MakeProxy) -> None:
    client = await make_proxy(sockets={"qemu": "/nonexistent/virtqemud-sock"}).client()
    with pytest.raises(VirtError) as caught:
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    assert caught.value.message == (
        "Failed to connect socket to '/nonexistent/virtqemud-sock': No such file or directory"
    )
    assert caught.value.code == ErrorCode.SYSTEM_ERROR


@pytest_twisted.ensureDeferred
async def test_a_lost_secondary_leaves_the_rest_alone(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = TYPE
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = lambda args: LATER
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    owed = client.call(remote.CONNECT_NUM_OF_NETWORKS)
    await settle(proxy.reactor, 30)
    daemons["network"].script.only.connection.abort("killed")
    with pytest.raises(VirtError, match="virtnetworkd"):
        await owed
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert len(daemons["qemu"].script.sessions) == 1


@pytest_twisted.ensureDeferred
async def test_the_close_callback_fires_where_it_was_registered(daemons: Daemons, make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    registered, silent = await proxy.client("qemu:///system"), await proxy.client("qemu:///system")
    told: list[tuple[str, int]] = []

    def listen(name: str, client: ClientConnection) -> None:
        client.on_event(remote.CONNECT_EVENT_CONNECTION_CLOSED, lambda message: told.append((name, message.reason)))

    listen("registered", registered)
    listen("silent", silent)
    await registered.call(remote.CONNECT_REGISTER_CLOSE_CALLBACK)
    for session in daemons["qemu"].script.sessions:
        session.connection.abort("killed")
    await settle(proxy.reactor)
    assert told == [("registered", 1)]


@pytest_twisted.ensureDeferred
async def test_streams_of_a_lost_daemon_end_with_an_error(storage: ScriptedDaemon, make_proxy: MakeProxy) -> None:
    _, client = await storage_client(storage, make_proxy)
    download = await opened(client, remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
    upload = await opened(client, remote.STORAGE_VOL_UPLOAD, UPLOAD)
    storage.script.only.connection.abort("killed")
    with pytest.raises(VirtError, match="lost the connection to virtstoraged"):
        await download.read()
    with pytest.raises(VirtError, match="lost the connection to virtstoraged"):
        await upload.finish()
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_a_daemon_lost_within_a_large_packet_breaks_only_that_stream(
    storage: ScriptedDaemon, make_proxy: MakeProxy
) -> None:
    proxy, client = await storage_client(storage, make_proxy)
    await opened(client, remote.STORAGE_VOL_UPLOAD, UPLOAD)
    program = remote.PROGRAM
    whole = pack(program.number, program.version, 208, STREAM, client._serial, CONTINUE, bytes(200_000))
    client.send_piece(whole.raw[:100_000])
    await settle(proxy.reactor)
    storage.script.only.connection.abort("killed")
    await settle(proxy.reactor)
    client.send_piece(whole.raw[100_000:])
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert storage.script.sessions[1].stream_frames == []


@pytest_twisted.ensureDeferred
async def test_an_upload_arrives_byte_for_byte(storage: ScriptedDaemon, make_proxy: MakeProxy) -> None:
    arrived = bytearray()

    def take(session: ScriptedSession, frame: Frame) -> None:
        arrived.extend(frame.payload)
        if frame.status == OK:
            session.send_stream(frame, status=OK)

    storage.script.on_stream = take
    _, client = await storage_client(storage, make_proxy)
    stream = await opened(client, remote.STORAGE_VOL_UPLOAD, UPLOAD)
    data = bytes(range(251)) * 12_000
    for start in range(0, len(data), 700_001):
        await stream.write(data[start : start + 700_001])
    await stream.finish()
    assert bytes(arrived) == data


@pytest_twisted.ensureDeferred
async def test_packets_of_an_ended_or_unknown_stream_are_dropped(
    storage: ScriptedDaemon, make_proxy: MakeProxy
) -> None:
    _, client = await storage_client(storage, make_proxy)
    program = remote.PROGRAM
    for size in (10, 100_000):
        client.send(pack(program.number, program.version, 208, STREAM, 77, CONTINUE, bytes(size)))
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert storage.script.only.stream_frames == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_read_stops_its_daemon(storage: ScriptedDaemon, make_proxy: MakeProxy) -> None:
    proxy, client = await storage_client(storage, make_proxy)
    stream = await opened(client, remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
    session = storage.script.only
    opening = session.frames[-1]
    client.hold("the test")
    for _ in range(300):
        if session.flow == ["full"]:
            break
        session.send_stream(opening, bytes(100_000))
        await settle(proxy.reactor, 1)
    assert session.flow == ["full"]
    assert proxy.transports[0].queued < 2 * HIGH_WATER
    client.release("the test")
    while session.flow != ["full", "drained"]:
        await stream.read()
    session.send_stream(opening, status=OK)
    while await stream.read():
        pass


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_does_not_read_stops_its_client(storage: ScriptedDaemon, make_proxy: MakeProxy) -> None:
    proxy, client = await storage_client(storage, make_proxy)
    stream = await opened(client, remote.STORAGE_VOL_UPLOAD, UPLOAD)
    session = storage.script.only
    session.connection.hold("the test")
    sent = 0
    while client._writable is None:
        stream._send(STREAM, CONTINUE, bytes(100_000))
        sent += 100_000
        await settle(proxy.reactor, 1)
        assert sent < 60_000_000
    assert sent < 10 * HIGH_WATER
    session.connection.release("the test")
    await client.writable()
    for _ in range(200):
        await settle(proxy.reactor, 1)
    assert sum(len(frame.payload) for frame in session.stream_frames) == sent


@pytest_twisted.ensureDeferred
async def test_a_client_gone_while_its_daemon_opens_leaves_nothing(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = lambda args: LATER
    proxy = make_proxy()
    client = await proxy.client()
    waiting = client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    await settle(proxy.reactor)
    client.abort("impatient")
    with pytest.raises(VirtError):
        await waiting
    await settle(proxy.reactor)
    assert daemons["qemu"].script.only.lost is not None


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_takes_calls_out_of_order_is_asked_again(daemons: Daemons, make_proxy: MakeProxy) -> None:
    """libvirt's workers may take the identity up before the connection is open."""
    script = daemons["qemu"].script
    answers: list[VirtError | None] = [VirtError.of(ErrorCode.INTERNAL_ERROR, "hypervisor connection not open"), None]

    def in_a_hurry(args: Any) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    script.answers[remote.CONNECT_SET_IDENTITY] = in_a_hurry
    script.answers[remote.CONNECT_GET_TYPE] = TYPE
    client = await make_proxy().client("qemu:///system")
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert answers == []


@pytest_twisted.ensureDeferred
async def test_who_the_client_becomes_while_a_daemon_opens_is_told(daemons: Daemons, make_proxy: MakeProxy) -> None:
    network = daemons["network"].script
    network.answers[remote.CONNECT_NUM_OF_NETWORKS] = remote.ConnectNumOfNetworksRet(num=0)
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    first = client.call(remote.CONNECT_NUM_OF_NETWORKS)
    params = [remote.TypedParam(field="user-name", value=remote.TypedParamValue(type=7, value="mary"))]
    await client.call(remote.CONNECT_SET_IDENTITY, remote.ConnectSetIdentityArgs(params=params, flags=0))
    await first
    told = [args.params for _, args in network.only.calls if hasattr(args, "params")]
    assert [(param.field, param.value.value) for param in told[-1]] == [("user-name", "mary")]


@pytest_twisted.ensureDeferred
async def test_a_download_arrives_byte_for_byte(storage: ScriptedDaemon, make_proxy: MakeProxy) -> None:
    """Large packets are gathered, small ones between them are not; their order is kept."""
    proxy, client = await storage_client(storage, make_proxy)
    stream = await opened(client, remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
    session = storage.script.only
    opening = session.frames[-1]
    sent, got = bytearray(), bytearray()
    for number, size in enumerate([10, 262_120, 5, 20_000, 262_120, 262_120, 16_384, 1, 200_000]):
        data = bytes([number + 1]) * size
        sent += data
        session.send_stream(opening, data)
        while len(got) < len(sent):
            got += await stream.read()
    session.send_stream(opening)
    assert await stream.read() == b""
    assert got == sent
    assert proxy.transports[0].queued == 0


@pytest_twisted.ensureDeferred
async def test_a_download_cut_off_within_a_packet_ends_with_the_error(
    storage: ScriptedDaemon, make_proxy: MakeProxy
) -> None:
    proxy, client = await storage_client(storage, make_proxy)
    stream = await opened(client, remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
    session = storage.script.only
    program = remote.PROGRAM
    whole = pack(program.number, program.version, 209, STREAM, session.frames[-1].serial, CONTINUE, bytes(200_000))
    session.connection.send_piece(whole.raw[:100_000])
    await settle(proxy.reactor)
    session.connection.abort("killed")
    with pytest.raises(VirtError, match="lost the connection to virtstoraged"):
        await stream.read()
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=40))
def test_a_packet_is_gathered_whole_from_any_pieces(sizes: list[int]) -> None:
    body = bytes(number % 251 for number in range(sum(sizes)))
    packet = (4 + len(body)).to_bytes(4, "big") + body
    got: list[bytes] = []
    gathering = Gathering(lambda pieces: got.append(b"".join(pieces)))
    start = 0
    for size in [sizes[0] + 4, *sizes[1:]]:
        assert got == []
        gathering(memoryview(packet)[start : start + size])
        start += size
    assert got == [packet]
