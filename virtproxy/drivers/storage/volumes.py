# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls about one volume: made, copied, described, resized, deleted."""

from __future__ import annotations

from twisted.logger import Logger

from virtproxy.documents import validate
from virtproxy.documents.storage import parse_root
from virtproxy.documents.storage_volume import TYPES, VolumeDocument, parse
from virtproxy.driver import Call, ErrorCode, enums, implements, remote
from virtproxy.drivers.storage.errors import failed, failure, internal, invalid_argument
from virtproxy.drivers.storage.pool import Pool, Volume
from virtproxy.drivers.storage.state import PoolState

Create = enums.StorageVolCreateFlags
Resize = enums.StorageVolResizeFlags
PHYSICAL = enums.StorageVolInfoFlags.GET_PHYSICAL
SIZE_MAX = 2**64 - 1
_log = Logger()


class Volumes(PoolState):
    """One volume at a time."""

    @implements(remote.STORAGE_VOL_CREATE_XML)
    async def volume_create(self, call: Call, args: remote.StorageVolCreateXmlArgs) -> remote.StorageVolCreateXmlRet:
        self.check_flags(call, args.flags, Create.PREALLOC_METADATA, Create.VALIDATE)
        pool = self.pools.by_ref(args.pool)
        pool.check_active()
        document = _parse(args.xml, pool, args.flags)
        call.authorize(Volume(pool, document))
        volume = await self.whole(self._make(pool, document, None, args.flags))
        return remote.StorageVolCreateXmlRet(vol=volume.ref())

    @implements(remote.STORAGE_VOL_CREATE_XML_FROM)
    async def volume_create_from(
        self, call: Call, args: remote.StorageVolCreateXmlFromArgs
    ) -> remote.StorageVolCreateXmlFromRet:
        self.check_flags(call, args.flags, Create.PREALLOC_METADATA, Create.REFLINK, Create.VALIDATE)
        pool, origin = self.pools.by_ref(args.pool), self.pools.by_name(args.clonevol.pool)
        for one in (pool, origin):
            one.check_active()
        source = origin.volume(args.clonevol.name)
        document = _parse(args.xml, pool, args.flags, clone=True)
        call.authorize(Volume(pool, document))
        if document.name in pool.volumes:
            raise internal(f"storage volume name '{document.name}' already in use.")
        # What is copied is never cut off.
        document.capacity = max(document.capacity, source.document.capacity)
        if not document.has_allocation:
            document.allocation = document.capacity
        source.check_built()
        volume = await self.whole(self._make(pool, document, source, args.flags))
        return remote.StorageVolCreateXmlFromRet(vol=volume.ref())

    async def _make(self, pool: Pool, document: VolumeDocument, source: Volume | None, flags: int) -> Volume:
        """Take a volume in, make its content while others go on, and then say that it is there."""
        async with pool.lock:
            pool.check_active()
            if document.name in pool.volumes:
                raise failure(ErrorCode.STORAGE_VOL_EXIST, f"'{document.name}'")
            await pool.backend.prepare(pool, document)
            volume = pool.add(document)
            volume.building = True
        with pool.busy():
            try:
                await self._build(pool, document, source, flags)
            except BaseException:
                pool.volumes.pop(document.name, None)
                await pool.backend.discard(pool, document)
                raise
            finally:
                volume.building = False
        if pool.backend.counts:
            pool.account(document.allocation)
        return volume

    async def _build(self, pool: Pool, document: VolumeDocument, source: Volume | None, flags: int) -> None:
        preallocate = bool(flags & Create.PREALLOC_METADATA)
        _log.info("making the volume {path}", path=document.path)
        if source is None:
            await pool.backend.create(pool, document, preallocate=preallocate)
        else:
            reflink = bool(flags & Create.REFLINK)
            with source.used(), source.pool.busy():
                await pool.backend.copy(pool, document, source.document, preallocate=preallocate, reflink=reflink)
        await pool.backend.examine(pool, document)
        _log.info("made the volume {path}", path=document.path)

    @implements(remote.STORAGE_VOL_DELETE)
    async def volume_delete(self, call: Call, args: remote.StorageVolDeleteArgs) -> None:
        volume = self.volume_of(args.vol)
        call.authorize(volume)

        async def delete() -> None:
            async with volume.pool.lock:
                present = self.volume_of(args.vol)
                present.check_idle()
                await present.pool.backend.remove(present.pool, present.document, args.flags)
                del present.pool.volumes[present.name]
                if present.pool.backend.counts:
                    present.pool.account(-present.document.allocation)

        await self.whole(delete())

    @implements(remote.STORAGE_VOL_RESIZE)
    async def volume_resize(self, call: Call, args: remote.StorageVolResizeArgs) -> None:
        self.check_flags(call, args.flags, Resize.ALLOCATE, Resize.DELTA, Resize.SHRINK)
        volume = self.volume_of(args.vol)
        call.authorize(volume)

        async def resize() -> None:
            async with volume.pool.lock:
                present = self.volume_of(args.vol)
                present.check_idle()
                await self._resize(present, args.capacity, args.flags)

        await self.whole(resize())

    async def _resize(self, volume: Volume, capacity: int, flags: int) -> None:
        document, pool = volume.document, volume.pool
        size = _wanted(document.capacity, capacity, flags)
        if size < document.allocation:
            raise invalid_argument("can't shrink capacity below existing allocation")
        if size < document.capacity and not flags & Resize.SHRINK:
            detail = "Can't shrink capacity below current capacity unless shrink flag explicitly specified"
            raise invalid_argument(detail)
        allocate = bool(flags & Resize.ALLOCATE)
        if allocate and size > document.capacity + pool.document.available:
            raise failed("Not enough space left in storage pool")
        await pool.backend.resize(pool, document, size, allocate=allocate, shrink=bool(flags & Resize.SHRINK))
        document.capacity = size
        if allocate:
            pool.account(size - document.allocation)
            document.allocation = size

    @implements(remote.STORAGE_VOL_GET_PATH)
    async def volume_path(self, call: Call, args: remote.StorageVolGetPathArgs) -> remote.StorageVolGetPathRet:
        volume = self.volume_of(args.vol)
        call.authorize(volume)
        return remote.StorageVolGetPathRet(name=volume.document.path)

    @implements(remote.STORAGE_VOL_GET_XML_DESC)
    async def volume_xml(self, call: Call, args: remote.StorageVolGetXmlDescArgs) -> remote.StorageVolGetXmlDescRet:
        self.check_flags(call, args.flags)
        document = await self._examined(call, args.vol)
        return remote.StorageVolGetXmlDescRet(xml=document.format())

    @implements(remote.STORAGE_VOL_GET_INFO)
    async def volume_info(self, call: Call, args: remote.StorageVolGetInfoArgs) -> remote.StorageVolGetInfoRet:
        document = await self._examined(call, args.vol)
        return remote.StorageVolGetInfoRet(TYPES.index(document.type), document.capacity, document.allocation)

    @implements(remote.STORAGE_VOL_GET_INFO_FLAGS)
    async def volume_info_flags(
        self, call: Call, args: remote.StorageVolGetInfoFlagsArgs
    ) -> remote.StorageVolGetInfoFlagsRet:
        self.check_flags(call, args.flags, PHYSICAL)
        document = await self._examined(call, args.vol)
        second = document.physical if args.flags & PHYSICAL else document.allocation
        return remote.StorageVolGetInfoFlagsRet(TYPES.index(document.type), document.capacity, second)

    async def _examined(self, call: Call, ref: remote.NonnullStorageVol) -> VolumeDocument:
        """The document of a volume, with what is true of it now."""
        volume = self.volume_of(ref)
        call.authorize(volume)
        if not volume.building:
            await volume.pool.backend.examine(volume.pool, volume.document)
        return volume.document


def _parse(text: str, pool: Pool, flags: int, *, clone: bool = False) -> VolumeDocument:
    if flags & Create.VALIDATE:
        parse_root(text, "volume")
        validate.validate(text, "storagevol")
    return parse(text, pool.document.kind, clone=clone)


def _wanted(present: int, given: int, flags: int) -> int:
    """The capacity that a client asks for, which may be a difference."""
    if not flags & Resize.DELTA:
        return given
    if flags & Resize.SHRINK:
        return present - min(given, present)
    if present + given > SIZE_MAX:
        raise failure(ErrorCode.OVERFLOW, "capacity too large")
    return present + given
