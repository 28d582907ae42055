# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls that find pools and volumes, and say how things are with them."""

from __future__ import annotations

from virtproxy.documents.storage_pool import clean_path
from virtproxy.driver import Call, ErrorCode, enums, implements, remote
from virtproxy.driver.list_flags import ListFlags, either
from virtproxy.drivers.storage.errors import failure
from virtproxy.drivers.storage.pool import Pool, Volume
from virtproxy.drivers.storage.state import PoolState

Flag = enums.ConnectListAllStoragePoolsFlags
State = enums.StoragePoolState


def _of_type(flag: Flag) -> tuple[int, _OfType]:
    return int(flag), _OfType(flag.name or "")


class _OfType:
    """Whether a pool is of the type that a flag is called after."""

    def __init__(self, name: str) -> None:
        self._type = name.lower().replace("_", "-")

    def __call__(self, pool: Pool) -> bool:
        return pool.document.type == self._type


POOL_FLAGS: ListFlags[Pool] = ListFlags(
    either(Flag.ACTIVE, Flag.INACTIVE, lambda pool: pool.active),
    either(Flag.PERSISTENT, Flag.TRANSIENT, lambda pool: pool.persistent),
    either(Flag.AUTOSTART, Flag.NO_AUTOSTART, lambda pool: pool.autostart),
    tuple(_of_type(flag) for flag in Flag if flag >= Flag.DIR),
)


class Lists(PoolState):
    """Finding."""

    @implements(remote.CONNECT_NUM_OF_STORAGE_POOLS)
    async def num_of_pools(self, call: Call, args: None) -> remote.ConnectNumOfStoragePoolsRet:
        return remote.ConnectNumOfStoragePoolsRet(num=len(self._names(call, active=True)))

    @implements(remote.CONNECT_LIST_STORAGE_POOLS)
    async def list_pools(
        self, call: Call, args: remote.ConnectListStoragePoolsArgs
    ) -> remote.ConnectListStoragePoolsRet:
        return remote.ConnectListStoragePoolsRet(names=self._names(call, active=True))

    @implements(remote.CONNECT_NUM_OF_DEFINED_STORAGE_POOLS)
    async def num_of_defined_pools(self, call: Call, args: None) -> remote.ConnectNumOfDefinedStoragePoolsRet:
        return remote.ConnectNumOfDefinedStoragePoolsRet(num=len(self._names(call, active=False)))

    @implements(remote.CONNECT_LIST_DEFINED_STORAGE_POOLS)
    async def list_defined_pools(
        self, call: Call, args: remote.ConnectListDefinedStoragePoolsArgs
    ) -> remote.ConnectListDefinedStoragePoolsRet:
        return remote.ConnectListDefinedStoragePoolsRet(names=self._names(call, active=False))

    @implements(remote.CONNECT_LIST_ALL_STORAGE_POOLS)
    async def list_all_pools(
        self, call: Call, args: remote.ConnectListAllStoragePoolsArgs
    ) -> remote.ConnectListAllStoragePoolsRet:
        self.check_flags(call, args.flags, POOL_FLAGS.bits)
        found = [pool.ref() for pool in POOL_FLAGS.select(call.visible(self.pools), args.flags)]
        return remote.ConnectListAllStoragePoolsRet(pools=found, ret=len(found))

    @implements(remote.STORAGE_POOL_LOOKUP_BY_NAME)
    async def pool_by_name(
        self, call: Call, args: remote.StoragePoolLookupByNameArgs
    ) -> remote.StoragePoolLookupByNameRet:
        return remote.StoragePoolLookupByNameRet(pool=_permitted(call, self.pools.by_name(args.name)).ref())

    @implements(remote.STORAGE_POOL_LOOKUP_BY_UUID)
    async def pool_by_uuid(
        self, call: Call, args: remote.StoragePoolLookupByUuidArgs
    ) -> remote.StoragePoolLookupByUuidRet:
        return remote.StoragePoolLookupByUuidRet(pool=_permitted(call, self.pools.by_uuid(args.uuid)).ref())

    @implements(remote.STORAGE_POOL_LOOKUP_BY_VOLUME)
    async def pool_by_volume(
        self, call: Call, args: remote.StoragePoolLookupByVolumeArgs
    ) -> remote.StoragePoolLookupByVolumeRet:
        return remote.StoragePoolLookupByVolumeRet(pool=_permitted(call, self.pools.by_name(args.vol.pool)).ref())

    @implements(remote.STORAGE_POOL_LOOKUP_BY_TARGET_PATH)
    async def pool_by_path(
        self, call: Call, args: remote.StoragePoolLookupByTargetPathArgs
    ) -> remote.StoragePoolLookupByTargetPathRet:
        path = clean_path(args.path)
        for pool in self.pools:
            if pool.active and pool.path == path:
                return remote.StoragePoolLookupByTargetPathRet(pool=_permitted(call, pool).ref())
        raise self.pools.kind.absent(f"no storage pool with matching target path '{args.path}'")

    @implements(remote.STORAGE_POOL_GET_INFO)
    async def pool_info(self, call: Call, args: remote.StoragePoolGetInfoArgs) -> remote.StoragePoolGetInfoRet:
        pool = _permitted(call, self.pools.by_ref(args.pool))
        known = pool.document
        state = State.RUNNING if pool.active else State.INACTIVE
        return remote.StoragePoolGetInfoRet(state, known.capacity, known.allocation, known.available)

    @implements(remote.STORAGE_POOL_GET_AUTOSTART)
    async def pool_autostart(
        self, call: Call, args: remote.StoragePoolGetAutostartArgs
    ) -> remote.StoragePoolGetAutostartRet:
        pool = _permitted(call, self.pools.by_ref(args.pool))
        return remote.StoragePoolGetAutostartRet(autostart=int(pool.autostart))

    @implements(remote.STORAGE_POOL_IS_ACTIVE)
    async def pool_is_active(self, call: Call, args: remote.StoragePoolIsActiveArgs) -> remote.StoragePoolIsActiveRet:
        return remote.StoragePoolIsActiveRet(active=int(_permitted(call, self.pools.by_ref(args.pool)).active))

    @implements(remote.STORAGE_POOL_IS_PERSISTENT)
    async def pool_is_persistent(
        self, call: Call, args: remote.StoragePoolIsPersistentArgs
    ) -> remote.StoragePoolIsPersistentRet:
        pool = _permitted(call, self.pools.by_ref(args.pool))
        return remote.StoragePoolIsPersistentRet(persistent=int(pool.persistent))

    # Volumes

    @implements(remote.STORAGE_POOL_NUM_OF_VOLUMES)
    async def num_of_volumes(
        self, call: Call, args: remote.StoragePoolNumOfVolumesArgs
    ) -> remote.StoragePoolNumOfVolumesRet:
        return remote.StoragePoolNumOfVolumesRet(num=len(self._volumes(call, args.pool)))

    @implements(remote.STORAGE_POOL_LIST_VOLUMES)
    async def list_volumes(
        self, call: Call, args: remote.StoragePoolListVolumesArgs
    ) -> remote.StoragePoolListVolumesRet:
        names = [volume.name for volume in self._volumes(call, args.pool)]
        return remote.StoragePoolListVolumesRet(names=names)

    @implements(remote.STORAGE_POOL_LIST_ALL_VOLUMES)
    async def list_all_volumes(
        self, call: Call, args: remote.StoragePoolListAllVolumesArgs
    ) -> remote.StoragePoolListAllVolumesRet:
        self.check_flags(call, args.flags)
        found = [volume.ref() for volume in self._volumes(call, args.pool)]
        return remote.StoragePoolListAllVolumesRet(vols=found, ret=len(found))

    @implements(remote.STORAGE_VOL_LOOKUP_BY_NAME)
    async def volume_by_name(
        self, call: Call, args: remote.StorageVolLookupByNameArgs
    ) -> remote.StorageVolLookupByNameRet:
        pool = self.pools.by_ref(args.pool)
        pool.check_active()
        volume = pool.volume(args.name)
        call.authorize(volume)
        return remote.StorageVolLookupByNameRet(vol=volume.ref())

    @implements(remote.STORAGE_VOL_LOOKUP_BY_KEY)
    async def volume_by_key(
        self, call: Call, args: remote.StorageVolLookupByKeyArgs
    ) -> remote.StorageVolLookupByKeyRet:
        for pool in self.pools:
            for volume in pool.volumes.values() if pool.active else ():
                if volume.key == args.key:
                    call.authorize(volume)
                    return remote.StorageVolLookupByKeyRet(vol=volume.ref())
        raise failure(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching key {args.key}")

    @implements(remote.STORAGE_VOL_LOOKUP_BY_PATH)
    async def volume_by_path(
        self, call: Call, args: remote.StorageVolLookupByPathArgs
    ) -> remote.StorageVolLookupByPathRet:
        path = clean_path(args.path)
        for pool in self.pools:
            for volume in pool.volumes.values() if pool.active else ():
                if volume.document.path == path:
                    call.authorize(volume)
                    return remote.StorageVolLookupByPathRet(vol=volume.ref())
        more = f" ({path})" if path != args.path else ""
        raise failure(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching path '{args.path}'{more}")

    def _volumes(self, call: Call, ref: remote.NonnullStoragePool) -> list[Volume]:
        pool = _permitted(call, self.pools.by_ref(ref))
        pool.check_active()
        return call.visible(pool.volumes.values())

    def _names(self, call: Call, *, active: bool) -> list[str]:
        return [pool.name for pool in call.visible(self.pools) if pool.active is active]


def _permitted(call: Call, pool: Pool) -> Pool:
    call.authorize(pool)
    return pool
