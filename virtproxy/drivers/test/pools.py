# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's storage pools: defined, made for a while, built, started, stopped, deleted, dropped.

Each holds a hundred gibibytes, of which the volumes (see volumes.py) take their part. Nothing is on a disk.
"""

from __future__ import annotations

from virtproxy.documents.storage import POOL_NUMBERS
from virtproxy.documents.storage_pool import PoolDocument, parse, parse_source
from virtproxy.documents.validate import validate
from virtproxy.driver import Call, ErrorCode, ErrorDomain, Objects, VirtError, implements, kinds, remote
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import POOL, SOURCES
from virtproxy.drivers.test.thing import THINGS, Thing, invalid
from virtproxy.drivers.test.volume import VolumeThing
from virtproxy.errors import internal

# Active to no autostart, and the pool types from the seventh bit on.
STATE_FLAGS, TYPE_FLAGS, FIRST_TYPE = 0x3F, 0xFFFC0, 6
VALIDATE = 1
RUNNING, INACTIVE = 2, 0
CAPACITY = 100 << 30
DEFINED, UNDEFINED, STARTED, STOPPED, CREATED, DELETED = range(6)
# The last type has the flag after all others, wherever its number is.
_FLAG_ORDER = [*(name for name in POOL_NUMBERS if name != "iscsi-direct"), "iscsi-direct"]


class PoolThing(Thing):
    """One pool and its volumes."""

    def __init__(self, document: PoolDocument, *, persistent: bool, active: bool) -> None:
        super().__init__(document.name, document.uuid, persistent=persistent, active=active)
        self.volumes: dict[str, VolumeThing] = {}
        self.document = document
        self.resize()

    def ref(self) -> remote.NonnullStoragePool:
        """How the protocol names it."""
        return remote.NonnullStoragePool(name=self.name, uuid=self.uuid)

    def resize(self) -> None:
        """Count what the volumes take."""
        self.document.capacity = CAPACITY
        self.document.allocation = sum(volume.document.allocation for volume in self.volumes.values())
        self.document.available = CAPACITY - self.document.allocation

    @property
    def flag(self) -> int:
        """The list flag that asks for its type."""
        return 1 << (FIRST_TYPE + _FLAG_ORDER.index(self.document.type))


class Pools(TestHost):
    """The procedures about pools."""

    def reset(self) -> None:
        super().reset()
        self.pools.add(PoolThing(parse(POOL), persistent=True, active=True))

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
            for pool in THINGS.select(call.visible(self.pools), args.flags)
            if not args.flags & TYPE_FLAGS or args.flags & pool.flag
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
        return remote.StoragePoolLookupByUuidRet(pool=self._pool_by_uuid(call, args.uuid).ref())

    @implements(remote.STORAGE_POOL_GET_INFO)
    async def pool_info(self, call: Call, args: remote.StoragePoolGetInfoArgs) -> remote.StoragePoolGetInfoRet:
        pool = self._pool(call, args.pool.name)
        return remote.StoragePoolGetInfoRet(
            state=RUNNING if pool.active else INACTIVE,
            capacity=pool.document.capacity,
            allocation=pool.document.allocation,
            available=pool.document.available,
        )

    @implements(remote.STORAGE_POOL_GET_XML_DESC)
    async def pool_xml(self, call: Call, args: remote.StoragePoolGetXmlDescArgs) -> remote.StoragePoolGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.StoragePoolGetXmlDescRet(xml=self._pool(call, args.pool.name).document.format())

    @implements(remote.STORAGE_POOL_IS_ACTIVE)
    async def pool_active(self, call: Call, args: remote.StoragePoolIsActiveArgs) -> remote.StoragePoolIsActiveRet:
        return remote.StoragePoolIsActiveRet(active=int(self._pool_by_uuid(call, args.pool.uuid).active))

    @implements(remote.STORAGE_POOL_IS_PERSISTENT)
    async def pool_persistent(
        self, call: Call, args: remote.StoragePoolIsPersistentArgs
    ) -> remote.StoragePoolIsPersistentRet:
        persistent = self._pool_by_uuid(call, args.pool.uuid).persistent
        return remote.StoragePoolIsPersistentRet(persistent=int(persistent))

    @implements(remote.STORAGE_POOL_GET_AUTOSTART)
    async def pool_autostart(
        self, call: Call, args: remote.StoragePoolGetAutostartArgs
    ) -> remote.StoragePoolGetAutostartRet:
        return remote.StoragePoolGetAutostartRet(autostart=int(self._pool(call, args.pool.name).autostart))

    @implements(remote.STORAGE_POOL_SET_AUTOSTART)
    async def set_pool_autostart(self, call: Call, args: remote.StoragePoolSetAutostartArgs) -> None:
        pool = self._pool(call, args.pool.name)
        if not pool.persistent:
            raise call.error(ErrorCode.INVALID_ARG, "pool has no config file")
        pool.autostart = bool(args.autostart)

    @implements(remote.CONNECT_FIND_STORAGE_POOL_SOURCES)
    async def find_sources(
        self, call: Call, args: remote.ConnectFindStoragePoolSourcesArgs
    ) -> remote.ConnectFindStoragePoolSourcesRet:
        call.check_flags(args.flags)
        if args.type not in POOL_NUMBERS and args.src_spec is not None:
            raise internal("missing backend for pool type -1", ErrorDomain.STORAGE)
        source = None if args.src_spec is None else parse_source(args.src_spec, args.type)
        if args.type == "netfs":
            if source is None or not source.hosts:
                raise call.error(ErrorCode.INVALID_ARG, "hostname must be specified for netfs sources")
            return remote.ConnectFindStoragePoolSourcesRet(xml=SOURCES["netfs"].format(host=source.hosts[0][0]))
        if args.type == "logical":
            return remote.ConnectFindStoragePoolSourcesRet(xml=SOURCES["logical"])
        if args.type == "dir":
            raise internal("unknown storage pool type dir", ErrorDomain.TEST)
        detail = f"pool type '{args.type}' does not support source discovery"
        raise call.error(ErrorCode.NO_SUPPORT, detail)

    # Changing

    @implements(remote.STORAGE_POOL_DEFINE_XML)
    async def pool_define(self, call: Call, args: remote.StoragePoolDefineXmlArgs) -> remote.StoragePoolDefineXmlRet:
        call.check_flags(args.flags, VALIDATE)
        if args.flags & VALIDATE:
            validate(args.xml, "storagepool")
        made = PoolThing(parse(args.xml), persistent=True, active=False)
        call.authorize(made)
        pool = self._claim_pool(made.document)
        if pool is None:
            pool = self.pools.add(made)
        elif not pool.active:
            pool.document = made.document
        pool.persistent = True
        pool.resize()
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, pool, DEFINED, 0)
        return remote.StoragePoolDefineXmlRet(pool=pool.ref())

    @implements(remote.STORAGE_POOL_CREATE_XML)
    async def pool_create_xml(
        self, call: Call, args: remote.StoragePoolCreateXmlArgs
    ) -> remote.StoragePoolCreateXmlRet:
        call.check_flags(args.flags)
        made = PoolThing(parse(args.xml), persistent=False, active=True)
        call.authorize(made)
        pool = self._claim_pool(made.document)
        if pool is not None and pool.active:
            raise invalid(f"pool is already active as '{pool.name}'", ErrorDomain.STORAGE)
        if pool is None:
            pool = self.pools.add(made)
        # A definition that was there is forgotten, as libvirt's driver does.
        pool.document, pool.active, pool.persistent = made.document, True, False
        pool.resize()
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, pool, STARTED, 0)
        return remote.StoragePoolCreateXmlRet(pool=pool.ref())

    @implements(remote.STORAGE_POOL_BUILD)
    async def pool_build(self, call: Call, args: remote.StoragePoolBuildArgs) -> None:
        call.check_flags(args.flags)
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, self._inactive_pool(call, args.pool.name), CREATED, 0)

    @implements(remote.STORAGE_POOL_CREATE)
    async def pool_create(self, call: Call, args: remote.StoragePoolCreateArgs) -> None:
        call.check_flags(args.flags)
        pool = self._inactive_pool(call, args.pool.name)
        pool.active = True
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, pool, STARTED, 0)

    @implements(remote.STORAGE_POOL_DESTROY)
    async def pool_destroy(self, call: Call, args: remote.StoragePoolDestroyArgs) -> None:
        pool = self._active_pool(call, args.pool.name)
        pool.active = False
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, pool, STOPPED, 0)
        if not pool.persistent:
            self.pools.remove(pool)

    @implements(remote.STORAGE_POOL_DELETE)
    async def pool_delete(self, call: Call, args: remote.StoragePoolDeleteArgs) -> None:
        call.check_flags(args.flags)
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, self._inactive_pool(call, args.pool.name), DELETED, 0)

    @implements(remote.STORAGE_POOL_REFRESH)
    async def pool_refresh(self, call: Call, args: remote.StoragePoolRefreshArgs) -> None:
        call.check_flags(args.flags)
        self.emit(remote.STORAGE_POOL_EVENT_REFRESH, self._active_pool(call, args.pool.name))

    @implements(remote.STORAGE_POOL_UNDEFINE)
    async def pool_undefine(self, call: Call, args: remote.StoragePoolUndefineArgs) -> None:
        pool = self._inactive_pool(call, args.pool.name)
        self.pools.remove(pool)
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, pool, UNDEFINED, 0)

    # Around them

    def _claim_pool(self, document: PoolDocument) -> PoolThing | None:
        """The pool that a document is about, None for a new one; VirtError if it would be in another's way."""
        for pool in self.pools:
            same_place = document.target is not None and pool.document.target == document.target
            if pool.name != document.name and pool.document.type == document.type == "dir" and same_place:
                detail = f"Storage source conflict with pool: '{pool.name}'"
                raise VirtError.of(ErrorCode.OPERATION_FAILED, detail, domain=ErrorDomain.STORAGE)
        return self.pools.claim(document.name, document.uuid)

    def _pool(self, call: Call, name: str) -> PoolThing:
        pool = self.pools.by_name(name)
        call.authorize(pool)
        return pool

    def _pool_by_uuid(self, call: Call, uuid: bytes) -> PoolThing:
        pool = self.pools.by_uuid(uuid)
        call.authorize(pool)
        return pool

    def _active_pool(self, call: Call, name: str) -> PoolThing:
        return must_be_active(self._pool(call, name))

    def _inactive_pool(self, call: Call, name: str) -> PoolThing:
        pool = self._pool(call, name)
        if pool.active:
            raise invalid(f"storage pool '{name}' is active")
        return pool

    def _pools(self, call: Call, *, active: bool) -> list[str]:
        return [pool.name for pool in call.visible(self.pools) if pool.active is active]


def must_be_active(pool: PoolThing) -> PoolThing:
    """The pool itself; VirtError if it does not run."""
    if not pool.active:
        raise invalid(f"storage pool '{pool.name}' is not active")
    return pool
