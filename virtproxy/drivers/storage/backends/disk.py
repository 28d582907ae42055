# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that are a whole disk, and volumes that are its partitions: parted makes, finds and removes them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

from twisted.internet.task import deferLater

from virtproxy.documents.storage_pool import Device, PoolDocument
from virtproxy.documents.storage_volume import Extent, Image, VolumeDocument
from virtproxy.driver import ErrorCode
from virtproxy.drivers.storage import local, raw
from virtproxy.drivers.storage.backends.base import Backend
from virtproxy.drivers.storage.backends.directory import NO_OVERWRITE, OVERWRITE, refuse_flags
from virtproxy.drivers.storage.backends.signature import check_empty, signature
from virtproxy.drivers.storage.errors import failure, internal, invalid_argument, system
from virtproxy.drivers.storage.pool import Pool

# How long the device of a new partition may take to appear, in steps.
APPEARING_STEPS, STEP_SECONDS = 50, 0.1
# What blkid and parted call a table, where libvirt has another word.
_LABELS = {"dos": "msdos"}
_PROBED = {"dos": "dos", "gpt": "gpt", "mac": "mac", "sun": "sun", "bsd": "bsd", "dvh": "sgi"}
_NUMBER = re.compile(r"[0-9]+$")
_KIND = re.compile(r"^ *([0-9]+) +[0-9]+B +[0-9]+B +[0-9]+B +(primary|extended|logical)", re.MULTILINE)
SECTOR = 512
_LOGICAL_FROM = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One line of parted's: a partition, or what is free (number 0). In bytes; `end` is behind the last one."""

    number: int
    start: int
    end: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What parted says of a disk: its size in bytes, its kind of table, and its parts in order."""

    size: int
    label: str
    parts: tuple[Part, ...]


def read_table(text: str) -> Table:
    """Read parted's machine output in bytes; VirtError if it is none."""
    lines = [line.rstrip(";").split(":") for line in text.splitlines() if ":" in line]
    if not lines or not lines[0][0].startswith("/"):
        raise internal("cannot parse the output of parted")
    try:
        size, label = int(lines[0][1].rstrip("B")), lines[0][5]
        parts = tuple(_part(words) for words in lines[1:])
    except (IndexError, ValueError):
        raise internal("cannot parse the output of parted") from None
    return Table(size, label, parts)


def _part(words: list[str]) -> Part:
    start, end = int(words[1].rstrip("B")), int(words[2].rstrip("B")) + 1
    if words[4] == "free":
        return Part(0, start, end)
    return Part(int(words[0]), start, end)


class Disk(Backend):
    """A disk of this host."""

    counts = False

    async def is_active(self, pool: Pool) -> bool:
        return await self.place.blocking(os.path.exists, _device(pool.document).path)

    async def start(self, pool: Pool) -> None:
        device = _device(pool.document).path
        if not await self.place.blocking(os.path.exists, device):
            raise internal(f"device path '{device}' doesn't exist")
        wanted = pool.document.source.format
        if wanted == "unknown":
            wanted = pool.document.source.format = "dos"
        _, table = await signature(self.place, device)
        if not table:
            raise failure(ErrorCode.STORAGE_PROBE_FAILED, f"Device '{device}' is unrecognized, requires build")
        if table != _PROBED.get(wanted, wanted):
            detail = f"Known, but different label format present on device '{device}', requires build --overwrite"
            raise failure(ErrorCode.STORAGE_PROBE_FAILED, detail)

    async def build(self, pool: Pool, flags: int) -> None:
        device, wanted = _device(pool.document).path, pool.document.source.format
        wanted = "dos" if wanted == "unknown" else wanted
        if not flags & OVERWRITE:
            await check_empty(self.place, device, _PROBED.get(wanted, wanted), table=True)
        refuse_flags(flags & ~int(OVERWRITE | NO_OVERWRITE), "virStorageBackendDiskBuildPool")
        await self.run("parted", device, "mklabel", "--script", _LABELS.get(wanted, wanted))

    async def delete(self, pool: Pool, flags: int) -> None:
        refuse_flags(flags, "virStorageBackendDiskDeletePool")
        device = _device(pool.document).path
        try:
            await self.place.blocking(_wipe_labels, device)
        except OSError as error:
            raise system(error, f"failed to wipe start of '{device}'") from None

    async def refresh(self, pool: Pool) -> list[VolumeDocument]:
        table = await self._table(pool.document)
        volumes = []
        for part in table.parts:
            if part.number and part.kind != "extended":
                volumes.append(await self._found(pool, part))
        self._account(pool.document, table)
        return volumes

    async def _table(self, document: PoolDocument) -> Table:
        command = ("parted", "-s", "-m", _device(document).path, "unit", "B", "print", "free")
        table = read_table((await self.run(*command)).text)
        if table.label == "msdos":
            # Only the output for people says which partition is extended.
            shown = (await self.run("parted", "-s", _device(document).path, "unit", "B", "print")).text
            kinds = {int(number): kind for number, kind in _KIND.findall(shown)}
            parts = tuple(replace(part, kind=kinds.get(part.number, "")) for part in table.parts)
            table = replace(table, parts=parts)
        return table

    def _account(self, document: PoolDocument, table: Table) -> None:
        """Sizes as libvirt counts them: the end of the last part, what partitions take, and what is free."""
        free = [(part.start, part.end) for part in table.parts if not part.number]
        used = sum(part.end - part.start for part in table.parts if part.number and part.number < _LOGICAL_FROM)
        document.capacity = max((part.end for part in table.parts), default=0)
        document.allocation = used
        document.available = sum(end - start for start, end in free)
        _device(document).free = free

    async def _found(self, pool: Pool, part: Part) -> VolumeDocument:
        path = partition_path(_device(pool.document), part.number)
        volume = VolumeDocument(os.path.basename(path), "block", path)
        volume.target = Image(path, "none")
        volume.extents = [Extent(_device(pool.document).path, part.start, part.end)]
        await self._wait_for(path)
        await self.place.blocking(local.remeasure, volume)
        volume.capacity = volume.allocation = part.end - part.start
        return volume

    async def _wait_for(self, path: str) -> None:
        for _ in range(APPEARING_STEPS):
            if await self.place.blocking(os.path.exists, path):
                return
            await deferLater(self.place.reactor, STEP_SECONDS)
        raise failure(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching path '{path}'")

    # Volumes

    async def prepare(self, pool: Pool, volume: VolumeDocument) -> None:
        volume.type = "block"
        if volume.target.encryption is not None and volume.target.encryption.format != "luks":
            raise failure(ErrorCode.CONFIG_UNSUPPORTED, "storage pool only supports LUKS encrypted volumes")
        table = await self._table(pool.document)
        _, logical = _kind(pool.document, volume, table)
        start, end = _place(table, volume.capacity, logical)
        number = _next_number(table, logical)
        path = partition_path(_device(pool.document), number)
        if volume.name != os.path.basename(path):
            detail = f"invalid partition name '{volume.name}', expected '{os.path.basename(path)}'"
            raise invalid_argument(detail)
        volume.key = volume.target.path = path
        volume.extents = [Extent(_device(pool.document).path, start, end)]
        volume.allocation = volume.capacity = end - start

    async def create(self, pool: Pool, volume: VolumeDocument, *, preallocate: bool) -> None:
        extent, device = volume.extents[0], _device(pool.document).path
        kind, _ = _kind(pool.document, volume, await self._table(pool.document))
        await self.run("parted", device, "mkpart", "--script", kind, f"{extent.start}B", f"{extent.end - 1}B")
        await self._wait_for(volume.path)
        self._account(pool.document, await self._table(pool.document))

    async def copy(
        self, pool: Pool, volume: VolumeDocument, source: VolumeDocument, *, preallocate: bool, reflink: bool
    ) -> None:
        await self.create(pool, volume, preallocate=False)
        await self.place.blocking(raw.copy, source.path, volume.path, volume, reflink=False, device=True)

    async def discard(self, pool: Pool, volume: VolumeDocument) -> None:
        if volume.path and await self._exists(volume.path):
            await self._remove(pool, volume)

    async def _exists(self, path: str) -> bool:
        return await self.place.blocking(os.path.exists, path)

    async def examine(self, pool: Pool, volume: VolumeDocument) -> None:
        size = volume.capacity
        await self.place.blocking(local.remeasure, volume)
        if volume.target.format == "extended":
            volume.capacity = volume.allocation = size

    async def remove(self, pool: Pool, volume: VolumeDocument, flags: int) -> None:
        refuse_flags(flags, "virStorageBackendDiskDeleteVol")
        await self._remove(pool, volume)
        self._account(pool.document, await self._table(pool.document))

    async def _remove(self, pool: Pool, volume: VolumeDocument) -> None:
        number = _NUMBER.search(volume.path)
        if number is None:
            raise internal(f"cannot parse partition number from target '{volume.path}'")
        await self.run("parted", _device(pool.document).path, "rm", "--script", number.group())


def partition_path(device: Device, number: int) -> str:
    """Where the device of a partition is: with a `p` between where the disk's name ends with a digit."""
    between = "p" if device.separator == "yes" or (device.separator is None and device.path[-1].isdigit()) else ""
    return f"{device.path}{between}{number}"


def _device(document: PoolDocument) -> Device:
    return document.source.devices[0]


def _kind(document: PoolDocument, volume: VolumeDocument, table: Table) -> tuple[str, bool]:
    """What parted is to make, and whether it goes into an extended partition."""
    if document.source.format != "dos":
        return "primary", False
    extended = any(part.kind == "extended" for part in table.parts)
    primaries = sum(1 for part in table.parts if 0 < part.number < _LOGICAL_FROM)
    if volume.target.format == "extended":
        if extended:
            raise internal("extended partition already exists")
        return "extended", False
    if primaries < _LOGICAL_FROM - 1:
        return "primary", False
    if not extended:
        raise internal("no extended partition found and no primary partition available")
    return "logical", True


def _place(table: Table, size: int, logical: bool) -> tuple[int, int]:
    """Where a new partition goes: the smallest free extent that is large enough. VirtError if there is none."""
    # A logical partition has a sector of its own before it.
    ahead = SECTOR if logical else 0
    within = [part for part in table.parts if part.kind == "extended"]
    fitting = [
        part
        for part in table.parts
        if not part.number
        and part.end - part.start >= size + ahead
        and logical is any(one.start <= part.start < one.end for one in within)
    ]
    if not fitting:
        raise internal("no large enough free extent")
    best = min(fitting, key=lambda part: part.end - part.start)
    start = best.start + ahead
    return start, start + -(-size // SECTOR) * SECTOR


def _next_number(table: Table, logical: bool) -> int:
    taken = {part.number for part in table.parts}
    number = _LOGICAL_FROM if logical else 1
    while number in taken:
        number += 1
    return number


def _wipe_labels(path: str) -> None:
    """Overwrite where tables stand, at the start and the end."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        length = min(1024 * 1024, size)
        os.pwrite(fd, bytes(length), 0)
        os.pwrite(fd, bytes(length), size - length)
        os.fsync(fd)
    finally:
        os.close(fd)
