# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's storage pool "default-pool", which holds no volumes: looked up, listed, started, stopped."""

from __future__ import annotations

from virtproxy.documents.markup import parse
from virtproxy.driver import Call, ErrorCode, ErrorDomain, Objects, implements, kinds, remote
from virtproxy.drivers.test.guests import invalid
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import POOL
from virtproxy.drivers.test.thing import Thing

# Active to no autostart, and the pool types, of which this one is a directory.
STATE_FLAGS = 0x3F
TYPE_FLAGS = 0x7FFC0
TYPE_DIR = 0x40
RUNNING, INACTIVE = 2, 0


class PoolThing(Thing):
    """One pool; all are persistent here."""

    def __init__(self, xml: str) -> None:
        self.root, self.xml = parse(xml), xml
        uuid = bytes.fromhex((self.root.value("uuid") or "").replace("-", ""))
        super().__init__(self.root.value("name") or "", uuid, persistent=True, active=True)

    def ref(self) -> remote.NonnullStoragePool:
        """How the protocol names it."""
        return remote.NonnullStoragePool(name=self.name, uuid=self.uuid)

    def size(self, name: str) -> int:
        """The capacity, allocation or available space in bytes."""
        return int(self.root.value(name) or 0)


class Pools(TestHost):
    """The procedures of the storage family."""

    def reset(self) -> None:
        super().reset()
        self.pools.add(PoolThing(POOL))

    def empty(self) -> None:
        super().empty()
        self.pools: Objects[PoolThing] = Objects(kinds.POOLS.of(ErrorDomain.TEST))

    @implements(remote.CONNECT_NUM_OF_STORAGE_POOLS)
    async def num_of_pools(self, call: Call, args: None) -> remote.ConnectNumOfStoragePoolsRet:
        return remote.ConnectNumOfStoragePoolsRet(num=len(self._pools(call, active=True)))

    @implements(remote.CONNECT_LIST_STORAGE_POOLS)
    async def list_pools(
        self, call: Call, args: remote.ConnectListStoragePoolsArgs
    ) -> remote.ConnectListStoragePoolsRet:
        return remote.ConnectListStoragePoolsRet(names=self._pools(call, active=True))

    @implements(remote.CONNECT_NUM_OF_DEFINED_STORAGE_POOLS)
    async def num_of_defined_pools(self, call: Call, args: None) -> remote.ConnectNumOfDefinedStoragePoolsRet:
        return remote.ConnectNumOfDefinedStoragePoolsRet(num=len(self._pools(call, active=False)))

    @implements(remote.CONNECT_LIST_DEFINED_STORAGE_POOLS)
    async def list_defined_pools(
        self, call: Call, args: remote.ConnectListDefinedStoragePoolsArgs
    ) -> remote.ConnectListDefinedStoragePoolsRet:
        return remote.ConnectListDefinedStoragePoolsRet(names=self._pools(call, active=False))

    @implements(remote.CONNECT_LIST_ALL_STORAGE_POOLS)
    async def list_all_pools(
        self, call: Call, args: remote.ConnectListAllStoragePoolsArgs
    ) -> remote.ConnectListAllStoragePoolsRet:
        call.check_flags(args.flags, STATE_FLAGS, TYPE_FLAGS)
        found = [
            pool.ref()
            for pool in call.visible(self.pools)
            if pool.passes(args.flags) and (not args.flags & TYPE_FLAGS or args.flags & TYPE_DIR)
        ]
        return remote.ConnectListAllStoragePoolsRet(pools=found, ret=len(found))

    @implements(remote.STORAGE_POOL_LOOKUP_BY_NAME)
    async def pool_by_name(
        self, call: Call, args: remote.StoragePoolLookupByNameArgs
    ) -> remote.StoragePoolLookupByNameRet:
        return remote.StoragePoolLookupByNameRet(pool=self._pool(call, args.name).ref())

    @implements(remote.STORAGE_POOL_LOOKUP_BY_UUID)
    async def pool_by_uuid(
        self, call: Call, args: remote.StoragePoolLookupByUuidArgs
    ) -> remote.StoragePoolLookupByUuidRet:
        pool = self.pools.by_uuid(args.uuid)
        call.authorize(pool)
        return remote.StoragePoolLookupByUuidRet(pool=pool.ref())

    @implements(remote.STORAGE_POOL_GET_INFO)
    async def pool_info(self, call: Call, args: remote.StoragePoolGetInfoArgs) -> remote.StoragePoolGetInfoRet:
        pool = self._pool(call, args.pool.name)
        return remote.StoragePoolGetInfoRet(
            state=RUNNING if pool.active else INACTIVE,
            capacity=pool.size("capacity"),
            allocation=pool.size("allocation"),
            available=pool.size("available"),
        )

    @implements(remote.STORAGE_POOL_GET_XML_DESC)
    async def pool_xml(self, call: Call, args: remote.StoragePoolGetXmlDescArgs) -> remote.StoragePoolGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.StoragePoolGetXmlDescRet(xml=self._pool(call, args.pool.name).xml)

    @implements(remote.STORAGE_POOL_IS_ACTIVE)
    async def pool_active(self, call: Call, args: remote.StoragePoolIsActiveArgs) -> remote.StoragePoolIsActiveRet:
        return remote.StoragePoolIsActiveRet(active=int(self._pool(call, args.pool.name).active))

    @implements(remote.STORAGE_POOL_IS_PERSISTENT)
    async def pool_persistent(
        self, call: Call, args: remote.StoragePoolIsPersistentArgs
    ) -> remote.StoragePoolIsPersistentRet:
        self._pool(call, args.pool.name)
        return remote.StoragePoolIsPersistentRet(persistent=1)

    @implements(remote.STORAGE_POOL_GET_AUTOSTART)
    async def pool_autostart(
        self, call: Call, args: remote.StoragePoolGetAutostartArgs
    ) -> remote.StoragePoolGetAutostartRet:
        return remote.StoragePoolGetAutostartRet(autostart=int(self._pool(call, args.pool.name).autostart))

    @implements(remote.STORAGE_POOL_SET_AUTOSTART)
    async def set_pool_autostart(self, call: Call, args: remote.StoragePoolSetAutostartArgs) -> None:
        self._pool(call, args.pool.name).autostart = bool(args.autostart)

    @implements(remote.STORAGE_POOL_CREATE)
    async def pool_create(self, call: Call, args: remote.StoragePoolCreateArgs) -> None:
        call.check_flags(args.flags)
        self._inactive_pool(call, args.pool.name).active = True

    @implements(remote.STORAGE_POOL_DESTROY)
    async def pool_destroy(self, call: Call, args: remote.StoragePoolDestroyArgs) -> None:
        self._active_pool(call, args.pool.name).active = False

    @implements(remote.STORAGE_POOL_REFRESH)
    async def pool_refresh(self, call: Call, args: remote.StoragePoolRefreshArgs) -> None:
        call.check_flags(args.flags)
        self._active_pool(call, args.pool.name)

    @implements(remote.STORAGE_POOL_UNDEFINE)
    async def pool_undefine(self, call: Call, args: remote.StoragePoolUndefineArgs) -> None:
        self.pools.remove(self._inactive_pool(call, args.pool.name))

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
        found = self._volumes(call, args.pool.name)
        return remote.StoragePoolListAllVolumesRet(vols=found, ret=len(found))

    @implements(remote.STORAGE_VOL_LOOKUP_BY_NAME)
    async def volume_by_name(
        self, call: Call, args: remote.StorageVolLookupByNameArgs
    ) -> remote.StorageVolLookupByNameRet:
        self._active_pool(call, args.pool.name)
        raise call.error(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching name '{args.name}'")

    @implements(remote.STORAGE_VOL_LOOKUP_BY_KEY)
    async def volume_by_key(
        self, call: Call, args: remote.StorageVolLookupByKeyArgs
    ) -> remote.StorageVolLookupByKeyRet:
        raise call.error(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching key '{args.key}'")

    @implements(remote.STORAGE_VOL_LOOKUP_BY_PATH)
    async def volume_by_path(
        self, call: Call, args: remote.StorageVolLookupByPathArgs
    ) -> remote.StorageVolLookupByPathRet:
        raise call.error(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching path '{args.path}'")

    def _pool(self, call: Call, name: str) -> PoolThing:
        pool = self.pools.by_name(name)
        call.authorize(pool)
        return pool

    def _active_pool(self, call: Call, name: str) -> PoolThing:
        pool = self._pool(call, name)
        if not pool.active:
            raise invalid(f"storage pool '{name}' is not active")
        return pool

    def _inactive_pool(self, call: Call, name: str) -> PoolThing:
        pool = self._pool(call, name)
        if pool.active:
            raise invalid(f"storage pool '{name}' is active")
        return pool

    def _volumes(self, call: Call, name: str) -> list[remote.NonnullStorageVol]:
        """The volumes of a pool: none, and nobody can make one here."""
        self._active_pool(call, name)
        nothing: list[remote.NonnullStorageVol] = []
        return call.visible(nothing)

    def _pools(self, call: Call, *, active: bool) -> list[str]:
        return [pool.name for pool in call.visible(self.pools) if pool.active is active]
