# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage pools and volumes, their streams and events.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NonnullStoragePool, NonnullStorageVol, StoragePool
from virtproxy.protocol.net import NonnullString, String, Uuid
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Char, Int, Max, UChar, UHyper, UInt

procedure = PROGRAM.procedure
event = PROGRAM.event

STORAGE_POOL_LIST_MAX = 16384
STORAGE_VOL_LIST_MAX = 16384

# Flags that the rules below speak of.
STORAGE_VOL_UPLOAD_SPARSE_STREAM = 1 << 0
STORAGE_VOL_DOWNLOAD_SPARSE_STREAM = 1 << 0


class ConnectNumOfStoragePoolsRet(Struct):
    num: Int


CONNECT_NUM_OF_STORAGE_POOLS = procedure(
    71, "CONNECT_NUM_OF_STORAGE_POOLS", None, ConnectNumOfStoragePoolsRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("connect:search_storage_pools",), aclfilter=("storage_pool:getattr",),
    api="virConnectNumOfStoragePools", high_priority=True,
)


class ConnectListStoragePoolsArgs(Struct):
    maxnames: Int


class ConnectListStoragePoolsRet(Struct):
    names: Annotated[list[NonnullString], Max(STORAGE_POOL_LIST_MAX)]


CONNECT_LIST_STORAGE_POOLS = procedure(
    72, "CONNECT_LIST_STORAGE_POOLS", ConnectListStoragePoolsArgs, ConnectListStoragePoolsRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("connect:search_storage_pools",), aclfilter=("storage_pool:getattr",),
    api="virConnectListStoragePools", high_priority=True,
)


class ConnectNumOfDefinedStoragePoolsRet(Struct):
    num: Int


CONNECT_NUM_OF_DEFINED_STORAGE_POOLS = procedure(
    73, "CONNECT_NUM_OF_DEFINED_STORAGE_POOLS", None, ConnectNumOfDefinedStoragePoolsRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("connect:search_storage_pools",), aclfilter=("storage_pool:getattr",),
    api="virConnectNumOfDefinedStoragePools", high_priority=True,
)


class ConnectListDefinedStoragePoolsArgs(Struct):
    maxnames: Int


class ConnectListDefinedStoragePoolsRet(Struct):
    names: Annotated[list[NonnullString], Max(STORAGE_POOL_LIST_MAX)]


CONNECT_LIST_DEFINED_STORAGE_POOLS = procedure(
    74, "CONNECT_LIST_DEFINED_STORAGE_POOLS", ConnectListDefinedStoragePoolsArgs, ConnectListDefinedStoragePoolsRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("connect:search_storage_pools",), aclfilter=("storage_pool:getattr",),
    api="virConnectListDefinedStoragePools", high_priority=True,
)


class ConnectFindStoragePoolSourcesArgs(Struct):
    type: NonnullString
    src_spec: String
    flags: UInt


class ConnectFindStoragePoolSourcesRet(Struct):
    xml: NonnullString


CONNECT_FIND_STORAGE_POOL_SOURCES = procedure(
    75, "CONNECT_FIND_STORAGE_POOL_SOURCES", ConnectFindStoragePoolSourcesArgs, ConnectFindStoragePoolSourcesRet,
    family=Family.STORAGE, readonly=DENIED, acl=("connect:detect_storage_pools",),
    api="virConnectFindStoragePoolSources",
)


class StoragePoolCreateXmlArgs(Struct):
    xml: NonnullString
    flags: UInt


class StoragePoolCreateXmlRet(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_CREATE_XML = procedure(
    76, "STORAGE_POOL_CREATE_XML", StoragePoolCreateXmlArgs, StoragePoolCreateXmlRet,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:start", "storage_pool:write"),
    api="virStoragePoolCreateXML",
)


class StoragePoolDefineXmlArgs(Struct):
    xml: NonnullString
    flags: UInt


class StoragePoolDefineXmlRet(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_DEFINE_XML = procedure(
    77, "STORAGE_POOL_DEFINE_XML", StoragePoolDefineXmlArgs, StoragePoolDefineXmlRet,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:write", "storage_pool:save"),
    api="virStoragePoolDefineXML", high_priority=True,
)


class StoragePoolCreateArgs(Struct):
    pool: NonnullStoragePool
    flags: UInt


STORAGE_POOL_CREATE = procedure(
    78, "STORAGE_POOL_CREATE", StoragePoolCreateArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:start",), api="virStoragePoolCreate",
)


class StoragePoolBuildArgs(Struct):
    pool: NonnullStoragePool
    flags: UInt


STORAGE_POOL_BUILD = procedure(
    79, "STORAGE_POOL_BUILD", StoragePoolBuildArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:format",), api="virStoragePoolBuild",
)


class StoragePoolDestroyArgs(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_DESTROY = procedure(
    80, "STORAGE_POOL_DESTROY", StoragePoolDestroyArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:stop",), api="virStoragePoolDestroy", high_priority=True,
)


class StoragePoolDeleteArgs(Struct):
    pool: NonnullStoragePool
    flags: UInt


STORAGE_POOL_DELETE = procedure(
    81, "STORAGE_POOL_DELETE", StoragePoolDeleteArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:format",), api="virStoragePoolDelete",
)


class StoragePoolUndefineArgs(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_UNDEFINE = procedure(
    82, "STORAGE_POOL_UNDEFINE", StoragePoolUndefineArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:delete",), api="virStoragePoolUndefine",
    high_priority=True,
)


class StoragePoolRefreshArgs(Struct):
    pool: NonnullStoragePool
    flags: UInt


STORAGE_POOL_REFRESH = procedure(
    83, "STORAGE_POOL_REFRESH", StoragePoolRefreshArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:refresh",), api="virStoragePoolRefresh",
)


class StoragePoolLookupByNameArgs(Struct):
    name: NonnullString


class StoragePoolLookupByNameRet(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_LOOKUP_BY_NAME = procedure(
    84, "STORAGE_POOL_LOOKUP_BY_NAME", StoragePoolLookupByNameArgs, StoragePoolLookupByNameRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:getattr",), api="virStoragePoolLookupByName",
    high_priority=True,
)


class StoragePoolLookupByUuidArgs(Struct):
    uuid: Uuid


class StoragePoolLookupByUuidRet(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_LOOKUP_BY_UUID = procedure(
    85, "STORAGE_POOL_LOOKUP_BY_UUID", StoragePoolLookupByUuidArgs, StoragePoolLookupByUuidRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:getattr",), api="virStoragePoolLookupByUUID",
    high_priority=True,
)


class StoragePoolLookupByVolumeArgs(Struct):
    vol: NonnullStorageVol


class StoragePoolLookupByVolumeRet(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_LOOKUP_BY_VOLUME = procedure(
    86, "STORAGE_POOL_LOOKUP_BY_VOLUME", StoragePoolLookupByVolumeArgs, StoragePoolLookupByVolumeRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:getattr",), api="virStoragePoolLookupByVolume",
    high_priority=True,
)


class StoragePoolGetInfoArgs(Struct):
    pool: NonnullStoragePool


class StoragePoolGetInfoRet(Struct):
    state: UChar
    capacity: UHyper
    allocation: UHyper
    available: UHyper


STORAGE_POOL_GET_INFO = procedure(
    87, "STORAGE_POOL_GET_INFO", StoragePoolGetInfoArgs, StoragePoolGetInfoRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:read",), api="virStoragePoolGetInfo",
    high_priority=True,
)


class StoragePoolGetXmlDescArgs(Struct):
    pool: NonnullStoragePool
    flags: UInt


class StoragePoolGetXmlDescRet(Struct):
    xml: NonnullString


STORAGE_POOL_GET_XML_DESC = procedure(
    88, "STORAGE_POOL_GET_XML_DESC", StoragePoolGetXmlDescArgs, StoragePoolGetXmlDescRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:read",), api="virStoragePoolGetXMLDesc",
    high_priority=True,
)


class StoragePoolGetAutostartArgs(Struct):
    pool: NonnullStoragePool


class StoragePoolGetAutostartRet(Struct):
    autostart: Int


STORAGE_POOL_GET_AUTOSTART = procedure(
    89, "STORAGE_POOL_GET_AUTOSTART", StoragePoolGetAutostartArgs, StoragePoolGetAutostartRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:read",), api="virStoragePoolGetAutostart",
    high_priority=True,
)


class StoragePoolSetAutostartArgs(Struct):
    pool: NonnullStoragePool
    autostart: Int


STORAGE_POOL_SET_AUTOSTART = procedure(
    90, "STORAGE_POOL_SET_AUTOSTART", StoragePoolSetAutostartArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_pool:write",), api="virStoragePoolSetAutostart",
    high_priority=True,
)


class StoragePoolNumOfVolumesArgs(Struct):
    pool: NonnullStoragePool


class StoragePoolNumOfVolumesRet(Struct):
    num: Int


STORAGE_POOL_NUM_OF_VOLUMES = procedure(
    91, "STORAGE_POOL_NUM_OF_VOLUMES", StoragePoolNumOfVolumesArgs, StoragePoolNumOfVolumesRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:search_storage_vols",),
    aclfilter=("storage_vol:getattr",), api="virStoragePoolNumOfVolumes", high_priority=True,
)


class StoragePoolListVolumesArgs(Struct):
    pool: NonnullStoragePool
    maxnames: Int


class StoragePoolListVolumesRet(Struct):
    names: Annotated[list[NonnullString], Max(STORAGE_VOL_LIST_MAX)]


STORAGE_POOL_LIST_VOLUMES = procedure(
    92, "STORAGE_POOL_LIST_VOLUMES", StoragePoolListVolumesArgs, StoragePoolListVolumesRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:search_storage_vols",),
    aclfilter=("storage_vol:getattr",), api="virStoragePoolListVolumes", high_priority=True,
)


class StorageVolCreateXmlArgs(Struct):
    pool: NonnullStoragePool
    xml: NonnullString
    flags: UInt


class StorageVolCreateXmlRet(Struct):
    vol: NonnullStorageVol


STORAGE_VOL_CREATE_XML = procedure(
    93, "STORAGE_VOL_CREATE_XML", StorageVolCreateXmlArgs, StorageVolCreateXmlRet,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:create",), api="virStorageVolCreateXML",
)


class StorageVolDeleteArgs(Struct):
    vol: NonnullStorageVol
    flags: UInt


STORAGE_VOL_DELETE = procedure(
    94, "STORAGE_VOL_DELETE", StorageVolDeleteArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:delete",), api="virStorageVolDelete",
)


class StorageVolLookupByNameArgs(Struct):
    pool: NonnullStoragePool
    name: NonnullString


class StorageVolLookupByNameRet(Struct):
    vol: NonnullStorageVol


STORAGE_VOL_LOOKUP_BY_NAME = procedure(
    95, "STORAGE_VOL_LOOKUP_BY_NAME", StorageVolLookupByNameArgs, StorageVolLookupByNameRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:getattr",), api="virStorageVolLookupByName",
    high_priority=True,
)


class StorageVolLookupByKeyArgs(Struct):
    key: NonnullString


class StorageVolLookupByKeyRet(Struct):
    vol: NonnullStorageVol


STORAGE_VOL_LOOKUP_BY_KEY = procedure(
    96, "STORAGE_VOL_LOOKUP_BY_KEY", StorageVolLookupByKeyArgs, StorageVolLookupByKeyRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:getattr",), api="virStorageVolLookupByKey",
    high_priority=True,
)


class StorageVolLookupByPathArgs(Struct):
    path: NonnullString


class StorageVolLookupByPathRet(Struct):
    vol: NonnullStorageVol


STORAGE_VOL_LOOKUP_BY_PATH = procedure(
    97, "STORAGE_VOL_LOOKUP_BY_PATH", StorageVolLookupByPathArgs, StorageVolLookupByPathRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:getattr",), api="virStorageVolLookupByPath",
    high_priority=True,
)


class StorageVolGetInfoArgs(Struct):
    vol: NonnullStorageVol


class StorageVolGetInfoRet(Struct):
    type: Char
    capacity: UHyper
    allocation: UHyper


STORAGE_VOL_GET_INFO = procedure(
    98, "STORAGE_VOL_GET_INFO", StorageVolGetInfoArgs, StorageVolGetInfoRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:read",), api="virStorageVolGetInfo", high_priority=True,
)


class StorageVolGetXmlDescArgs(Struct):
    vol: NonnullStorageVol
    flags: UInt


class StorageVolGetXmlDescRet(Struct):
    xml: NonnullString


STORAGE_VOL_GET_XML_DESC = procedure(
    99, "STORAGE_VOL_GET_XML_DESC", StorageVolGetXmlDescArgs, StorageVolGetXmlDescRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:read",), api="virStorageVolGetXMLDesc",
    high_priority=True,
)


class StorageVolGetPathArgs(Struct):
    vol: NonnullStorageVol


class StorageVolGetPathRet(Struct):
    name: NonnullString


STORAGE_VOL_GET_PATH = procedure(
    100, "STORAGE_VOL_GET_PATH", StorageVolGetPathArgs, StorageVolGetPathRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:read",), api="virStorageVolGetPath", high_priority=True,
)


class StorageVolCreateXmlFromArgs(Struct):
    pool: NonnullStoragePool
    xml: NonnullString
    clonevol: NonnullStorageVol
    flags: UInt


class StorageVolCreateXmlFromRet(Struct):
    vol: NonnullStorageVol


STORAGE_VOL_CREATE_XML_FROM = procedure(
    125, "STORAGE_VOL_CREATE_XML_FROM", StorageVolCreateXmlFromArgs, StorageVolCreateXmlFromRet,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:create",), api="virStorageVolCreateXMLFrom",
)


class StoragePoolIsActiveArgs(Struct):
    pool: NonnullStoragePool


class StoragePoolIsActiveRet(Struct):
    active: Int


STORAGE_POOL_IS_ACTIVE = procedure(
    154, "STORAGE_POOL_IS_ACTIVE", StoragePoolIsActiveArgs, StoragePoolIsActiveRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:read",), api="virStoragePoolIsActive",
    high_priority=True,
)


class StoragePoolIsPersistentArgs(Struct):
    pool: NonnullStoragePool


class StoragePoolIsPersistentRet(Struct):
    persistent: Int


STORAGE_POOL_IS_PERSISTENT = procedure(
    155, "STORAGE_POOL_IS_PERSISTENT", StoragePoolIsPersistentArgs, StoragePoolIsPersistentRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:read",), api="virStoragePoolIsPersistent",
    high_priority=True,
)


class StorageVolWipeArgs(Struct):
    vol: NonnullStorageVol
    flags: UInt


STORAGE_VOL_WIPE = procedure(
    165, "STORAGE_VOL_WIPE", StorageVolWipeArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:format",), api="virStorageVolWipe",
)


class StorageVolUploadArgs(Struct):
    vol: NonnullStorageVol
    offset: UHyper
    length: UHyper
    flags: UInt


STORAGE_VOL_UPLOAD = procedure(
    208, "STORAGE_VOL_UPLOAD", StorageVolUploadArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:data_write",), api="virStorageVolUpload", stream="write",
    sparse_flag=STORAGE_VOL_UPLOAD_SPARSE_STREAM,
)


class StorageVolDownloadArgs(Struct):
    vol: NonnullStorageVol
    offset: UHyper
    length: UHyper
    flags: UInt


STORAGE_VOL_DOWNLOAD = procedure(
    209, "STORAGE_VOL_DOWNLOAD", StorageVolDownloadArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:data_read",), api="virStorageVolDownload", stream="read",
    sparse_flag=STORAGE_VOL_DOWNLOAD_SPARSE_STREAM,
)


class StorageVolWipePatternArgs(Struct):
    vol: NonnullStorageVol
    algorithm: UInt
    flags: UInt


STORAGE_VOL_WIPE_PATTERN = procedure(
    259, "STORAGE_VOL_WIPE_PATTERN", StorageVolWipePatternArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:format",), api="virStorageVolWipePattern",
)


class StorageVolResizeArgs(Struct):
    vol: NonnullStorageVol
    capacity: UHyper
    flags: UInt


STORAGE_VOL_RESIZE = procedure(
    260, "STORAGE_VOL_RESIZE", StorageVolResizeArgs, None,
    family=Family.STORAGE, readonly=DENIED, acl=("storage_vol:resize",), api="virStorageVolResize",
)


class ConnectListAllStoragePoolsArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllStoragePoolsRet(Struct):
    pools: Annotated[list[NonnullStoragePool], Max(STORAGE_POOL_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_STORAGE_POOLS = procedure(
    281, "CONNECT_LIST_ALL_STORAGE_POOLS", ConnectListAllStoragePoolsArgs, ConnectListAllStoragePoolsRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("connect:search_storage_pools",), aclfilter=("storage_pool:getattr",),
    api="virConnectListAllStoragePools", high_priority=True,
)


class StoragePoolListAllVolumesArgs(Struct):
    pool: NonnullStoragePool
    need_results: Int
    flags: UInt


class StoragePoolListAllVolumesRet(Struct):
    vols: Annotated[list[NonnullStorageVol], Max(STORAGE_VOL_LIST_MAX)]
    ret: UInt


STORAGE_POOL_LIST_ALL_VOLUMES = procedure(
    282, "STORAGE_POOL_LIST_ALL_VOLUMES", StoragePoolListAllVolumesArgs, StoragePoolListAllVolumesRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:search_storage_vols",),
    aclfilter=("storage_vol:getattr",), api="virStoragePoolListAllVolumes", high_priority=True,
)


class ConnectStoragePoolEventRegisterAnyArgs(Struct):
    event_id: Int
    pool: StoragePool


class ConnectStoragePoolEventRegisterAnyRet(Struct):
    callback_id: Int


CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY = procedure(
    368, "CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY",
    ConnectStoragePoolEventRegisterAnyArgs, ConnectStoragePoolEventRegisterAnyRet, family=Family.STORAGE,
    edge="event-register", readonly=ALLOWED, acl=("connect:search_storage_pools",), aclfilter=("storage_pool:getattr",),
    api="virConnectStoragePoolEventRegisterAny", high_priority=True,
)


class ConnectStoragePoolEventDeregisterAnyArgs(Struct):
    callback_id: Int


CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY = procedure(
    369, "CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY", ConnectStoragePoolEventDeregisterAnyArgs, None,
    family=Family.STORAGE, edge="event-deregister", readonly=ALLOWED, acl=("connect:read",),
    api="virConnectStoragePoolEventDeregisterAny", high_priority=True,
)


class StoragePoolEventLifecycleMsg(Struct):
    callback_id: Int
    pool: NonnullStoragePool
    event: Int
    detail: Int


STORAGE_POOL_EVENT_LIFECYCLE = event(
    370, "STORAGE_POOL_EVENT_LIFECYCLE",
    StoragePoolEventLifecycleMsg, family=Family.STORAGE,
)


class StoragePoolEventRefreshMsg(Struct):
    callback_id: Int
    pool: NonnullStoragePool


STORAGE_POOL_EVENT_REFRESH = event(
    373, "STORAGE_POOL_EVENT_REFRESH",
    StoragePoolEventRefreshMsg, family=Family.STORAGE,
)


class StorageVolGetInfoFlagsArgs(Struct):
    vol: NonnullStorageVol
    flags: UInt


class StorageVolGetInfoFlagsRet(Struct):
    type: Char
    capacity: UHyper
    allocation: UHyper


STORAGE_VOL_GET_INFO_FLAGS = procedure(
    378, "STORAGE_VOL_GET_INFO_FLAGS", StorageVolGetInfoFlagsArgs, StorageVolGetInfoFlagsRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_vol:read",), api="virStorageVolGetInfoFlags",
    high_priority=True,
)


class StoragePoolLookupByTargetPathArgs(Struct):
    path: NonnullString


class StoragePoolLookupByTargetPathRet(Struct):
    pool: NonnullStoragePool


STORAGE_POOL_LOOKUP_BY_TARGET_PATH = procedure(
    391, "STORAGE_POOL_LOOKUP_BY_TARGET_PATH", StoragePoolLookupByTargetPathArgs, StoragePoolLookupByTargetPathRet,
    family=Family.STORAGE, readonly=ALLOWED, acl=("storage_pool:getattr",), api="virStoragePoolLookupByTargetPath",
    high_priority=True,
)


class ConnectGetStoragePoolCapabilitiesArgs(Struct):
    flags: UInt


class ConnectGetStoragePoolCapabilitiesRet(Struct):
    capabilities: NonnullString


CONNECT_GET_STORAGE_POOL_CAPABILITIES = procedure(
    403, "CONNECT_GET_STORAGE_POOL_CAPABILITIES",
    ConnectGetStoragePoolCapabilitiesArgs, ConnectGetStoragePoolCapabilitiesRet, family=Family.STORAGE,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectGetStoragePoolCapabilities",
)
