# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that are a volume group of LVM, and volumes that are its logical volumes. The tools of lvm2 do all of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from virtproxy.documents.storage_pool import PoolDocument
from virtproxy.documents.storage_volume import Extent, Image, VolumeDocument
from virtproxy.driver import ErrorCode, VirtError
from virtproxy.drivers.storage import local, raw
from virtproxy.drivers.storage.backends.base import Backend
from virtproxy.drivers.storage.backends.directory import NO_OVERWRITE, OVERWRITE, refuse_flags
from virtproxy.drivers.storage.backends.signature import check_empty
from virtproxy.drivers.storage.errors import failure, internal, invalid, invalid_argument
from virtproxy.drivers.storage.pool import Pool

_COLUMNS = "lv_name,origin,uuid,devices,seg_size,vg_extent_size,size,lv_attr"
_LVS = ("lvs", "--separator", "#", "--noheadings", "--units", "b", "--unbuffered", "--nosuffix", "--options", _COLUMNS)
_VGS = ("vgs", "--separator", ":", "--noheadings", "--units", "b", "--unbuffered", "--nosuffix", "--options")
_DEVICE = re.compile(r"([^,(]+)\(([0-9]+)\)")
# What a name can be, as LVM sees it; nothing that its tools could take for an option.
_NAME = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}")


class VolumeGroup(Backend):
    """A volume group of this host."""

    async def is_active(self, pool: Pool) -> bool:
        return await self.place.blocking(os.path.exists, pool.path)

    async def start(self, pool: Pool) -> None:
        group = _group(pool.document)
        if group not in await self._groups():
            raise failure(ErrorCode.CONFIG_UNSUPPORTED, f"cannot find logical volume group name '{group}'")
        await self.run("vgchange", "-aly", group)

    async def stop(self, pool: Pool) -> None:
        await self.run("vgchange", "-aln", _group(pool.document))

    async def build(self, pool: Pool, flags: int) -> None:
        refuse_flags(flags & ~int(OVERWRITE | NO_OVERWRITE), "virStorageBackendLogicalBuildPool")
        devices = [device.path for device in pool.document.source.devices]
        if not devices:
            raise invalid(f"No source device specified when formatting pool '{pool.name}'")
        for device in devices:
            if flags & NO_OVERWRITE:
                await check_empty(self.place, device, "LVM2_member")
        for device in devices:
            await self.run("pvcreate", *(("-ff", "-y") if flags & OVERWRITE else ()), device)
        await self.run("vgcreate", _group(pool.document), *devices)

    async def delete(self, pool: Pool, flags: int) -> None:
        refuse_flags(flags, "virStorageBackendLogicalDeletePool")
        await self.run("vgremove", "-f", _group(pool.document))
        for device in pool.document.source.devices:
            await self.run("pvremove", device.path)

    async def refresh(self, pool: Pool) -> list[VolumeDocument]:
        listed = await self.run(*_LVS, _group(pool.document))
        volumes: dict[str, VolumeDocument] = {}
        for line in listed.text.splitlines():
            if line.strip():
                _add(volumes, line.strip().split("#"), pool.path)
        for volume in volumes.values():
            await self.examine(pool, volume)
        await self._measure(pool.document)
        return list(volumes.values())

    async def _measure(self, document: PoolDocument) -> None:
        shown = await self.run(*_VGS, "vg_size,vg_free", _group(document))
        try:
            size, free = (int(word) for word in shown.text.strip().split(":"))
        except ValueError:
            raise internal("malformed output of vgs") from None
        document.capacity, document.available, document.allocation = size, free, size - free

    async def find_sources(self, spec: str | None) -> str:
        return "".join(f"{line}\n" for line in _sources(await self._groups()))

    async def _groups(self) -> dict[str, list[str]]:
        """The devices of each volume group of the host."""
        shown = await self.run("pvs", "--noheadings", "-o", "pv_name,vg_name")
        groups: dict[str, list[str]] = {}
        for line in shown.text.splitlines():
            words = line.split()
            if len(words) == 2:
                groups.setdefault(words[1], []).append(words[0])
        return groups

    # Volumes

    async def prepare(self, pool: Pool, volume: VolumeDocument) -> None:
        if not _NAME.fullmatch(volume.name):
            raise invalid_argument(f"no logical volume can be called '{volume.name}'")
        if volume.target.encryption is not None and volume.target.encryption.format != "luks":
            raise failure(ErrorCode.CONFIG_UNSUPPORTED, "storage pool only supports LUKS encrypted volumes")
        volume.type = "block"
        volume.key = volume.target.path = f"{pool.path}/{volume.name}"

    async def create(self, pool: Pool, volume: VolumeDocument, *, preallocate: bool) -> None:
        argv = ["lvcreate", "--name", volume.name, "-L", f"{-(-(volume.allocation or volume.capacity) // 1024)}K"]
        if volume.backing is not None and volume.backing.path:
            argv += ["-s", volume.backing.path]
        else:
            if volume.allocation < volume.capacity:
                argv += ["--type", "snapshot", "--virtualsize", f"{-(-volume.capacity // 1024)}K"]
            argv.append(_group(pool.document))
        await self.run(*argv, "--yes")
        await self.place.blocking(raw.own, volume.path, volume.target.permissions)
        await self._identify(pool, volume)

    async def _identify(self, pool: Pool, volume: VolumeDocument) -> None:
        shown = await self.run(*_LVS, f"{_group(pool.document)}/{volume.name}")
        found: dict[str, VolumeDocument] = {}
        for line in filter(None, map(str.strip, shown.text.splitlines())):
            _add(found, line.split("#"), pool.path)
        known = found.get(volume.name)
        if known is not None:
            volume.key, volume.extents = known.key, known.extents

    async def copy(
        self, pool: Pool, volume: VolumeDocument, source: VolumeDocument, *, preallocate: bool, reflink: bool
    ) -> None:
        await self.create(pool, volume, preallocate=False)
        if source.target.format in ("", "raw", "none"):
            await self.place.blocking(raw.copy, source.path, volume.path, volume, reflink=False, device=True)
        else:
            argv = ("qemu-img", "convert", "-n", "-f", source.target.format, "-O", "raw", source.path, volume.path)
            await self.run(*argv)

    async def discard(self, pool: Pool, volume: VolumeDocument) -> None:
        if volume.path and await self._exists(volume.path):
            await self.remove(pool, volume, 0)

    async def _exists(self, path: str) -> bool:
        return await self.place.blocking(os.path.exists, path)

    async def examine(self, pool: Pool, volume: VolumeDocument) -> None:
        try:
            await self.place.blocking(local.remeasure, volume)
        except VirtError as error:
            # An inactive one has no device.
            if error.code != ErrorCode.NO_STORAGE_VOL:
                raise

    async def remove(self, pool: Pool, volume: VolumeDocument, flags: int) -> None:
        refuse_flags(flags, "virStorageBackendLogicalDeleteVol")
        await self.run("lvchange", "-aln", volume.path)
        await self.run("lvremove", "-f", volume.path)


def _group(document: PoolDocument) -> str:
    name = document.source.name or document.name
    if not _NAME.fullmatch(name):
        raise invalid_argument(f"no volume group can be called '{name}'")
    return name


def _add(volumes: dict[str, VolumeDocument], words: list[str], directory: str) -> None:
    """Take one segment of a logical volume in. VirtError if lvs says something else than it was asked."""
    if len(words) != 8:
        raise internal("malformed output of lvs")
    name, origin, key, devices, segment, extent, size, attributes = words
    if attributes[:1] in "tTeV" or name.startswith("["):
        return
    volume = volumes.get(name)
    if volume is None:
        volume = volumes[name] = VolumeDocument(name, "block", key)
        volume.target = Image(f"{directory}/{name}")
        volume.capacity = volume.allocation = _bytes(size)
        if origin:
            volume.backing = Image(f"{directory}/{origin}")
    for path, start in _DEVICE.findall(devices):
        begin = int(start) * _bytes(extent)
        volume.extents.append(Extent(path, begin, begin + _bytes(segment)))


def _bytes(word: str) -> int:
    if not word.isdigit():
        raise internal("malformed output of lvs")
    return int(word)


def _sources(groups: dict[str, list[str]]) -> Iterator[str]:
    yield "<sources>"
    for group, devices in groups.items():
        yield "  <source>"
        yield from (f"    <device path='{device}'/>" for device in devices)
        yield f"    <name>{group}</name>"
        yield "    <format type='lvm2'/>"
        yield "  </source>"
    yield "</sources>"
