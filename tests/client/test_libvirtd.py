# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client library against libvirt's own daemon: a real guest's console, volumes with holes, events, refusals."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.support.guest import BANNER, write_disk
from tests.support.lab import INSIDE, Lab, lab
from virtproxy.client import Client, Hole, Stream, VirtError, connect, volumes
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.errors import ErrorCode

pytestmark = [pytest.mark.root, pytest.mark.timeout(40)]
MIB = 1024 * 1024

GUEST = """
<domain type='qemu'>
  <name>guest</name><memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='/run/lab/guest.img'/><target dev='hda'/>
    </disk>
    <serial type='pty'/><graphics type='vnc' autoport='yes' listen='127.0.0.1'/>
  </devices>
</domain>
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """A lab with a libvirtd and a guest's disk."""
    with lab() as made:
        write_disk(made.directory / "guest.img")
        (made.directory / "pool").mkdir()
        made.libvirtd(INSIDE / "s")
        yield made


def socket(host: Lab, name: str = "libvirt-sock") -> Path:
    return host.outside(INSIDE / "s") / name


@pytest_twisted.async_yield_fixture
async def client(host: Lab, reactor: Any) -> AsyncIterator[Client]:
    async with connect(reactor, f"qemu:///system?socket={socket(host)}") as made:
        yield made


@pytest_twisted.async_yield_fixture
async def guest(client: Client) -> AsyncIterator[remote.NonnullDomain]:
    """A running guest, paused before its first instruction."""
    created = await client.call(
        remote.DOMAIN_CREATE_XML, remote.DomainCreateXmlArgs(xml_desc=GUEST, flags=1), timeout=60
    )
    yield created.dom
    await client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=created.dom))


@pytest_twisted.async_yield_fixture
async def volume(client: Client) -> AsyncIterator[remote.NonnullStorageVol]:
    """A raw volume of 8 MiB."""
    xml = "<pool type='dir'><name>p</name><target><path>/run/lab/pool</path></target></pool>"
    pool = (await client.call(remote.STORAGE_POOL_CREATE_XML, remote.StoragePoolCreateXmlArgs(xml=xml, flags=0))).pool
    text = "<volume><name>v</name><capacity unit='MiB'>8</capacity><allocation>0</allocation></volume>"
    args = remote.StorageVolCreateXmlArgs(pool=pool, xml=text, flags=0)
    made = (await client.call(remote.STORAGE_VOL_CREATE_XML, args)).vol
    yield made
    await client.call(remote.STORAGE_VOL_DELETE, remote.StorageVolDeleteArgs(vol=made, flags=0))
    await client.call(remote.STORAGE_POOL_DESTROY, remote.StoragePoolDestroyArgs(pool=pool))


async def read_until(stream: Stream[None], text: bytes) -> None:
    seen = b""
    async for data in stream:
        seen += data
        if text in seen:
            return
    raise AssertionError(f"the stream ended after {seen!r}")


@pytest_twisted.ensureDeferred
async def test_a_console_both_ways(client: Client, guest: remote.NonnullDomain) -> None:
    args = remote.DomainOpenConsoleArgs(dom=guest, dev_name=None, flags=0)
    console = await client.open_stream(remote.DOMAIN_OPEN_CONSOLE, args)
    await client.call(remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=guest))
    await read_until(console, BANNER.encode())
    await console.write(b"hello")
    await read_until(console, b"hello")
    await console.abort()
    # The stream is free again, and the connection unharmed.
    async with await client.open_stream(remote.DOMAIN_OPEN_CONSOLE, args) as again:
        await again.write(b"x")
        assert await again.read() == b"x"


@pytest_twisted.ensureDeferred
async def test_events_of_one_guest_and_the_monitor(client: Client, guest: remote.NonnullDomain) -> None:
    changes = await client.subscribe(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, about=guest)
    monitor = await client.subscribe(qemu.DOMAIN_MONITOR_EVENT, about=guest)
    await client.call(remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=guest))
    assert (await anext(changes)).msg.dom == guest
    assert (await anext(monitor)).event == "RESUME"
    for subscription in (changes, monitor):
        await subscription.unsubscribe()


@pytest_twisted.ensureDeferred
async def test_a_picture_of_the_screen(client: Client, guest: remote.NonnullDomain) -> None:
    args = remote.DomainScreenshotArgs(dom=guest, screen=0, flags=0)
    async with await client.open_stream(remote.DOMAIN_SCREENSHOT, args) as stream:
        picture = b"".join([data async for data in stream])
    assert stream.reply.mime is not None
    assert picture.startswith(b"\x89PNG" if "png" in stream.reply.mime else b"P6")


@pytest_twisted.ensureDeferred
async def test_a_descriptor_to_the_screen(client: Client, guest: remote.NonnullDomain) -> None:
    args = remote.DomainOpenGraphicsFdArgs(dom=guest, idx=0, flags=0)
    _, (fd,) = await client.call_for_fds(remote.DOMAIN_OPEN_GRAPHICS_FD, args)
    assert os.read(fd, 4) == b"RFB "
    os.close(fd)


@pytest_twisted.ensureDeferred
async def test_a_volume_up_and_down_with_its_holes(
    client: Client, volume: remote.NonnullStorageVol, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.write(os.urandom(MIB + 17))
        file.seek(5 * MIB)
        file.write(os.urandom(MIB // 2))
        file.truncate(8 * MIB)
    with source.open("rb") as file:
        assert any(isinstance(piece, Hole) for piece in volumes.pieces(file))
        await volumes.upload(client, volume, file)
    with target.open("wb") as file:
        await volumes.download(client, volume, file)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 < 3 * MIB
    with io.BytesIO() as part:
        await volumes.download(client, volume, part, offset=MIB, length=17)
        assert part.getvalue() == source.read_bytes()[MIB : MIB + 17]


@pytest_twisted.ensureDeferred
async def test_a_stream_left_unread_is_aborted(client: Client, volume: remote.NonnullStorageVol) -> None:
    args = remote.StorageVolDownloadArgs(vol=volume, offset=0, length=0, flags=0)
    async with await client.open_stream(remote.STORAGE_VOL_DOWNLOAD, args) as stream:
        assert await stream.read()
    info = await client.call(remote.STORAGE_VOL_GET_INFO, remote.StorageVolGetInfoArgs(vol=volume))
    assert info.capacity == 8 * MIB


@pytest_twisted.ensureDeferred
async def test_a_read_only_client_may_look_and_not_touch(host: Lab, reactor: Any, client: Client) -> None:
    for uri in (socket(host), socket(host, "libvirt-sock-ro")):
        async with connect(reactor, f"qemu:///system?socket={uri}", readonly=True) as reader:
            assert (await reader.call(remote.CONNECT_GET_TYPE)).type == "QEMU"
            with pytest.raises(VirtError, match="read only access prevents virDomainCreateXML") as caught:
                await reader.call(remote.DOMAIN_CREATE_XML, remote.DomainCreateXmlArgs(xml_desc=GUEST, flags=0))
            assert caught.value.code == ErrorCode.OPERATION_DENIED


@pytest_twisted.ensureDeferred
async def test_a_stream_that_cannot_be_opened(client: Client, guest: remote.NonnullDomain) -> None:
    args = remote.DomainOpenConsoleArgs(dom=guest, dev_name="none", flags=0)
    with pytest.raises(VirtError, match="cannot find character device"):
        await client.open_stream(remote.DOMAIN_OPEN_CONSOLE, args)
    assert (await client.call(remote.CONNECT_GET_TYPE)).type == "QEMU"
