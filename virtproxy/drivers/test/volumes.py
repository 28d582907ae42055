# SPDX-License-Identifier: LGPL-2.1-or-later
"""The volumes of the pretended pools: made, cloned, found, deleted. They have sizes and no contents."""

from __future__ import annotations

from virtproxy.documents.storage_volume import parse
from virtproxy.driver import Call, ErrorCode, ErrorDomain, implements, kinds, remote
from virtproxy.drivers.test.pools import Pools, PoolThing, must_be_active
from virtproxy.drivers.test.thing import invalid
from virtproxy.drivers.test.volume import VolumeThing
from virtproxy.errors import internal

FILE = 0
_KIND = kinds.VOLUMES.of(ErrorDomain.TEST)


class Volumes(Pools):
    """The procedures about volumes."""

    @implements(remote.STORAGE_POOL_NUM_OF_VOLUMES)
    async def num_of_volumes(
        self, call: Call, args: remote.StoragePoolNumOfVolumesArgs
    ) -> remote.StoragePoolNumOfVolumesRet:
        return remote.StoragePoolNumOfVolumesRet(num=len(self._volumes(call, args.pool.name)))

    @implements(remote.STORAGE_POOL_LIST_VOLUMES)
    async def list_volumes(
        self, call: Call, args: remote.StoragePoolListVolumesArgs
    ) -> remote.StoragePoolListVolumesRet:
        return remote.StoragePoolListVolumesRet(names=[vol.name for vol in self._volumes(call, args.pool.name)])

    @implements(remote.STORAGE_POOL_LIST_ALL_VOLUMES)
    async def list_all_volumes(
        self, call: Call, args: remote.StoragePoolListAllVolumesArgs
    ) -> remote.StoragePoolListAllVolumesRet:
        call.check_flags(args.flags)
        if not self._pool(call, args.pool.name).active:
            raise invalid("storage pool is not active")
        found = [vol.ref() for vol in self._volumes(call, args.pool.name)]
        return remote.StoragePoolListAllVolumesRet(vols=found, ret=len(found))

    @implements(remote.STORAGE_VOL_LOOKUP_BY_NAME)
    async def volume_by_name(
        self, call: Call, args: remote.StorageVolLookupByNameArgs
    ) -> remote.StorageVolLookupByNameRet:
        return remote.StorageVolLookupByNameRet(vol=self._volume(call, args.pool.name, args.name).ref())

    @implements(remote.STORAGE_VOL_LOOKUP_BY_KEY)
    async def volume_by_key(
        self, call: Call, args: remote.StorageVolLookupByKeyArgs
    ) -> remote.StorageVolLookupByKeyRet:
        return remote.StorageVolLookupByKeyRet(vol=self._volume_at(call, "key", args.key).ref())

    @implements(remote.STORAGE_VOL_LOOKUP_BY_PATH)
    async def volume_by_path(
        self, call: Call, args: remote.StorageVolLookupByPathArgs
    ) -> remote.StorageVolLookupByPathRet:
        return remote.StorageVolLookupByPathRet(vol=self._volume_at(call, "path", args.path).ref())

    @implements(remote.STORAGE_POOL_LOOKUP_BY_VOLUME)
    async def pool_by_volume(
        self, call: Call, args: remote.StoragePoolLookupByVolumeArgs
    ) -> remote.StoragePoolLookupByVolumeRet:
        return remote.StoragePoolLookupByVolumeRet(pool=self._pool(call, args.vol.pool).ref())

    @implements(remote.STORAGE_VOL_GET_INFO)
    async def volume_info(self, call: Call, args: remote.StorageVolGetInfoArgs) -> remote.StorageVolGetInfoRet:
        document = self._volume(call, args.vol.pool, args.vol.name).document
        return remote.StorageVolGetInfoRet(type=FILE, capacity=document.capacity, allocation=document.allocation)

    @implements(remote.STORAGE_VOL_GET_XML_DESC)
    async def volume_xml(self, call: Call, args: remote.StorageVolGetXmlDescArgs) -> remote.StorageVolGetXmlDescRet:
        call.check_flags(args.flags)
        document = self._volume(call, args.vol.pool, args.vol.name).document
        return remote.StorageVolGetXmlDescRet(xml=document.format())

    @implements(remote.STORAGE_VOL_GET_PATH)
    async def volume_path(self, call: Call, args: remote.StorageVolGetPathArgs) -> remote.StorageVolGetPathRet:
        return remote.StorageVolGetPathRet(name=self._volume(call, args.vol.pool, args.vol.name).document.path)

    # Changing

    @implements(remote.STORAGE_VOL_CREATE_XML)
    async def volume_create(self, call: Call, args: remote.StorageVolCreateXmlArgs) -> remote.StorageVolCreateXmlRet:
        call.check_flags(args.flags)
        pool = must_be_active(self.pools.by_name(args.pool.name))
        return remote.StorageVolCreateXmlRet(vol=self._make_volume_of(call, pool, args.xml).ref())

    @implements(remote.STORAGE_VOL_CREATE_XML_FROM)
    async def volume_clone(
        self, call: Call, args: remote.StorageVolCreateXmlFromArgs
    ) -> remote.StorageVolCreateXmlFromRet:
        call.check_flags(args.flags)
        pool = must_be_active(self.pools.by_name(args.pool.name))
        volume = self._make_volume_of(call, pool, args.xml, args.clonevol.name)
        return remote.StorageVolCreateXmlFromRet(vol=volume.ref())

    @implements(remote.STORAGE_VOL_DELETE)
    async def volume_delete(self, call: Call, args: remote.StorageVolDeleteArgs) -> None:
        call.check_flags(args.flags)
        volume = self._volume(call, args.vol.pool, args.vol.name)
        pool = self.pools.by_name(volume.pool)
        del pool.volumes[volume.name]
        pool.resize()

    # Around them

    def _make_volume_of(self, call: Call, pool: PoolThing, xml: str, source: str | None = None) -> VolumeThing:
        """A new volume of `pool`; `source`: the volume of the same pool that it is like."""
        document = parse(xml, pool.document.kind)
        volume = VolumeThing(document, pool.name, pool.document.target or "")
        call.authorize(volume)
        if document.name in pool.volumes:
            raise call.error(ErrorCode.OPERATION_FAILED, "storage vol already exists")
        if source is not None and source not in pool.volumes:
            raise _KIND.absent_with("name", source)
        if document.allocation > pool.document.available:
            detail = f"Not enough free space in pool for volume '{document.name}'"
            raise internal(detail, ErrorDomain.TEST)
        pool.volumes[volume.name] = volume
        pool.resize()
        return volume

    def _volume(self, call: Call, pool_name: str, name: str) -> VolumeThing:
        volume = must_be_active(self.pools.by_name(pool_name)).volumes.get(name)
        if volume is None:
            raise _KIND.absent_with("name", name)
        call.authorize(volume)
        return volume

    def _volume_at(self, call: Call, what: str, place: str) -> VolumeThing:
        """The volume of a running pool that is there; VirtError, which names `what` was asked for, if none is."""
        for pool in self.pools:
            for volume in pool.volumes.values():
                if pool.active and volume.key == place:
                    call.authorize(volume)
                    return volume
        raise _KIND.absent_with(what, place)

    def _volumes(self, call: Call, name: str) -> list[VolumeThing]:
        return call.visible(self._active_pool(call, name).volumes.values())
