# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage pools and volumes.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class StoragePoolState(IntEnum):
    """virStoragePoolState: VIR_STORAGE_POOL_*."""

    INACTIVE = 0
    BUILDING = 1
    RUNNING = 2
    DEGRADED = 3
    INACCESSIBLE = 4


class StoragePoolBuildFlags(IntFlag):
    """virStoragePoolBuildFlags: VIR_STORAGE_POOL_BUILD_*."""

    NEW = 0
    REPAIR = 1 << 0
    RESIZE = 1 << 1
    NO_OVERWRITE = 1 << 2
    OVERWRITE = 1 << 3


class StoragePoolDeleteFlags(IntFlag):
    """virStoragePoolDeleteFlags: VIR_STORAGE_POOL_DELETE_*."""

    NORMAL = 0
    ZEROED = 1 << 0


class StoragePoolCreateFlags(IntFlag):
    """virStoragePoolCreateFlags: VIR_STORAGE_POOL_CREATE_*."""

    NORMAL = 0
    WITH_BUILD = 1 << 0
    WITH_BUILD_OVERWRITE = 1 << 1
    WITH_BUILD_NO_OVERWRITE = 1 << 2


class StorageVolType(IntEnum):
    """virStorageVolType: VIR_STORAGE_VOL_*."""

    FILE = 0
    BLOCK = 1
    DIR = 2
    NETWORK = 3
    NETDIR = 4
    PLOOP = 5


class StorageVolDeleteFlags(IntFlag):
    """virStorageVolDeleteFlags: VIR_STORAGE_VOL_DELETE_*."""

    NORMAL = 0
    ZEROED = 1 << 0
    WITH_SNAPSHOTS = 1 << 1


class StorageVolWipeAlgorithm(IntEnum):
    """virStorageVolWipeAlgorithm: VIR_STORAGE_VOL_WIPE_ALG_*."""

    ZERO = 0
    NNSA = 1
    DOD = 2
    BSI = 3
    GUTMANN = 4
    SCHNEIER = 5
    PFITZNER7 = 6
    PFITZNER33 = 7
    RANDOM = 8
    TRIM = 9


class StorageVolInfoFlags(IntFlag):
    """virStorageVolInfoFlags: VIR_STORAGE_VOL_*."""

    USE_ALLOCATION = 0
    GET_PHYSICAL = 1 << 0


class StorageXMLFlags(IntFlag):
    """virStorageXMLFlags: VIR_STORAGE_XML_*."""

    INACTIVE = 1 << 0


class ConnectListAllStoragePoolsFlags(IntFlag):
    """virConnectListAllStoragePoolsFlags: VIR_CONNECT_LIST_STORAGE_POOLS_*."""

    INACTIVE = 1 << 0
    ACTIVE = 1 << 1
    PERSISTENT = 1 << 2
    TRANSIENT = 1 << 3
    AUTOSTART = 1 << 4
    NO_AUTOSTART = 1 << 5
    DIR = 1 << 6
    FS = 1 << 7
    NETFS = 1 << 8
    LOGICAL = 1 << 9
    DISK = 1 << 10
    ISCSI = 1 << 11
    SCSI = 1 << 12
    MPATH = 1 << 13
    RBD = 1 << 14
    SHEEPDOG = 1 << 15
    GLUSTER = 1 << 16
    ZFS = 1 << 17
    VSTORAGE = 1 << 18
    ISCSI_DIRECT = 1 << 19


class StoragePoolDefineFlags(IntFlag):
    """virStoragePoolDefineFlags: VIR_STORAGE_POOL_DEFINE_*."""

    VALIDATE = 1 << 0


class StorageVolCreateFlags(IntFlag):
    """virStorageVolCreateFlags: VIR_STORAGE_VOL_CREATE_*."""

    PREALLOC_METADATA = 1 << 0
    REFLINK = 1 << 1
    VALIDATE = 1 << 2


class StorageVolDownloadFlags(IntFlag):
    """virStorageVolDownloadFlags: VIR_STORAGE_VOL_DOWNLOAD_*."""

    SPARSE_STREAM = 1 << 0


class StorageVolUploadFlags(IntFlag):
    """virStorageVolUploadFlags: VIR_STORAGE_VOL_UPLOAD_*."""

    SPARSE_STREAM = 1 << 0


class StorageVolResizeFlags(IntFlag):
    """virStorageVolResizeFlags: VIR_STORAGE_VOL_RESIZE_*."""

    ALLOCATE = 1 << 0
    DELTA = 1 << 1
    SHRINK = 1 << 2


class StoragePoolEventID(IntEnum):
    """virStoragePoolEventID: VIR_STORAGE_POOL_EVENT_ID_*."""

    LIFECYCLE = 0
    REFRESH = 1


class StoragePoolEventLifecycleType(IntEnum):
    """virStoragePoolEventLifecycleType: VIR_STORAGE_POOL_EVENT_*."""

    DEFINED = 0
    UNDEFINED = 1
    STARTED = 2
    STOPPED = 3
    CREATED = 4
    DELETED = 5
