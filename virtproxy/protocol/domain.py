# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains: listing, looking up, defining, life cycle, save and restore, XML, devices, metadata, jobs.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import (
    DOMAIN_JOB_STATS_MAX,
    DOMAIN_MODIFY,
    DOMAIN_SAVE_PARAMS_MAX,
    PROGRAM,
    NonnullDomain,
    TypedParam,
)
from virtproxy.protocol.net import NonnullString, String, Uuid
from virtproxy.protocol.schema import ALLOWED, DENIED, denied_with_flags
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UChar, UHyper, UInt, UShort

procedure = PROGRAM.procedure

DOMAIN_LIST_MAX = 16384
CONNECT_GET_ALL_DOMAIN_STATS_MAX = 262144

# Flags that the rules below speak of.
DOMAIN_XML_SECURE = 1 << 0
DOMAIN_XML_MIGRATABLE = 1 << 3
DOMAIN_SAVE_IMAGE_XML_SECURE = 1 << 0


class DomainStatsRecord(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(CONNECT_GET_ALL_DOMAIN_STATS_MAX)]


class DomainAttachDeviceArgs(Struct):
    dom: NonnullDomain
    xml: NonnullString


DOMAIN_ATTACH_DEVICE = procedure(
    8, "DOMAIN_ATTACH_DEVICE", DomainAttachDeviceArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainAttachDevice",
)


class DomainCreateArgs(Struct):
    dom: NonnullDomain


DOMAIN_CREATE = procedure(
    9, "DOMAIN_CREATE", DomainCreateArgs, None,
    readonly=DENIED, acl=("domain:start",), api="virDomainCreate",
)


class DomainCreateXmlArgs(Struct):
    xml_desc: NonnullString
    flags: UInt


class DomainCreateXmlRet(Struct):
    dom: NonnullDomain


DOMAIN_CREATE_XML = procedure(
    10, "DOMAIN_CREATE_XML", DomainCreateXmlArgs, DomainCreateXmlRet,
    readonly=DENIED, acl=("domain:write", "domain:start"), api="virDomainCreateXML",
)


class DomainDefineXmlArgs(Struct):
    xml: NonnullString


class DomainDefineXmlRet(Struct):
    dom: NonnullDomain


DOMAIN_DEFINE_XML = procedure(
    11, "DOMAIN_DEFINE_XML", DomainDefineXmlArgs, DomainDefineXmlRet,
    readonly=DENIED, acl=("domain:write", "domain:save"), api="virDomainDefineXML", high_priority=True,
)


class DomainDestroyArgs(Struct):
    dom: NonnullDomain


DOMAIN_DESTROY = procedure(
    12, "DOMAIN_DESTROY", DomainDestroyArgs, None,
    readonly=DENIED, acl=("domain:stop",), api="virDomainDestroy", high_priority=True,
)


class DomainDetachDeviceArgs(Struct):
    dom: NonnullDomain
    xml: NonnullString


DOMAIN_DETACH_DEVICE = procedure(
    13, "DOMAIN_DETACH_DEVICE", DomainDetachDeviceArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainDetachDevice",
)


class DomainGetXmlDescArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetXmlDescRet(Struct):
    xml: NonnullString


DOMAIN_GET_XML_DESC = procedure(
    14, "DOMAIN_GET_XML_DESC", DomainGetXmlDescArgs, DomainGetXmlDescRet,
    readonly=denied_with_flags(DOMAIN_XML_SECURE | DOMAIN_XML_MIGRATABLE, secure=True),
    acl=("domain:read", "domain:read_secure:VIR_DOMAIN_XML_SECURE", "domain:read_secure:VIR_DOMAIN_XML_MIGRATABLE"),
    api="virDomainGetXMLDesc",
)


class DomainGetAutostartArgs(Struct):
    dom: NonnullDomain


class DomainGetAutostartRet(Struct):
    autostart: Int


DOMAIN_GET_AUTOSTART = procedure(
    15, "DOMAIN_GET_AUTOSTART", DomainGetAutostartArgs, DomainGetAutostartRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetAutostart", high_priority=True,
)


class DomainGetInfoArgs(Struct):
    dom: NonnullDomain


class DomainGetInfoRet(Struct):
    state: UChar
    max_mem: UHyper
    memory: UHyper
    nr_virt_cpu: UShort
    cpu_time: UHyper


DOMAIN_GET_INFO = procedure(
    16, "DOMAIN_GET_INFO", DomainGetInfoArgs, DomainGetInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetInfo",
)


class DomainGetOsTypeArgs(Struct):
    dom: NonnullDomain


class DomainGetOsTypeRet(Struct):
    type: NonnullString


DOMAIN_GET_OS_TYPE = procedure(
    19, "DOMAIN_GET_OS_TYPE", DomainGetOsTypeArgs, DomainGetOsTypeRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetOSType", high_priority=True,
)


class ConnectListDefinedDomainsArgs(Struct):
    maxnames: Int


class ConnectListDefinedDomainsRet(Struct):
    names: Annotated[list[NonnullString], Max(DOMAIN_LIST_MAX)]


CONNECT_LIST_DEFINED_DOMAINS = procedure(
    21, "CONNECT_LIST_DEFINED_DOMAINS", ConnectListDefinedDomainsArgs, ConnectListDefinedDomainsRet,
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",),
    api="virConnectListDefinedDomains", high_priority=True,
)


class DomainLookupByIdArgs(Struct):
    id: Int


class DomainLookupByIdRet(Struct):
    dom: NonnullDomain


DOMAIN_LOOKUP_BY_ID = procedure(
    22, "DOMAIN_LOOKUP_BY_ID", DomainLookupByIdArgs, DomainLookupByIdRet,
    readonly=ALLOWED, acl=("domain:getattr",), api="virDomainLookupByID", high_priority=True,
)


class DomainLookupByNameArgs(Struct):
    name: NonnullString


class DomainLookupByNameRet(Struct):
    dom: NonnullDomain


DOMAIN_LOOKUP_BY_NAME = procedure(
    23, "DOMAIN_LOOKUP_BY_NAME", DomainLookupByNameArgs, DomainLookupByNameRet,
    readonly=ALLOWED, acl=("domain:getattr",), api="virDomainLookupByName", high_priority=True,
)


class DomainLookupByUuidArgs(Struct):
    uuid: Uuid


class DomainLookupByUuidRet(Struct):
    dom: NonnullDomain


DOMAIN_LOOKUP_BY_UUID = procedure(
    24, "DOMAIN_LOOKUP_BY_UUID", DomainLookupByUuidArgs, DomainLookupByUuidRet,
    readonly=ALLOWED, acl=("domain:getattr",), api="virDomainLookupByUUID", high_priority=True,
)


class ConnectNumOfDefinedDomainsRet(Struct):
    num: Int


CONNECT_NUM_OF_DEFINED_DOMAINS = procedure(
    25, "CONNECT_NUM_OF_DEFINED_DOMAINS", None, ConnectNumOfDefinedDomainsRet,
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",),
    api="virConnectNumOfDefinedDomains", high_priority=True,
)


class DomainRebootArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_REBOOT = procedure(
    27, "DOMAIN_REBOOT", DomainRebootArgs, None,
    readonly=DENIED, acl=("domain:init_control", "domain:write:VIR_DOMAIN_REBOOT_GUEST_AGENT"), api="virDomainReboot",
)


class DomainResumeArgs(Struct):
    dom: NonnullDomain


DOMAIN_RESUME = procedure(
    28, "DOMAIN_RESUME", DomainResumeArgs, None,
    readonly=DENIED, acl=("domain:suspend",), api="virDomainResume",
)


class DomainSetAutostartArgs(Struct):
    dom: NonnullDomain
    autostart: Int


DOMAIN_SET_AUTOSTART = procedure(
    29, "DOMAIN_SET_AUTOSTART", DomainSetAutostartArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetAutostart", high_priority=True,
)


class DomainShutdownArgs(Struct):
    dom: NonnullDomain


DOMAIN_SHUTDOWN = procedure(
    33, "DOMAIN_SHUTDOWN", DomainShutdownArgs, None,
    readonly=DENIED, acl=("domain:init_control",), api="virDomainShutdown",
)


class DomainSuspendArgs(Struct):
    dom: NonnullDomain


DOMAIN_SUSPEND = procedure(
    34, "DOMAIN_SUSPEND", DomainSuspendArgs, None,
    readonly=DENIED, acl=("domain:suspend",), api="virDomainSuspend",
)


class DomainUndefineArgs(Struct):
    dom: NonnullDomain


DOMAIN_UNDEFINE = procedure(
    35, "DOMAIN_UNDEFINE", DomainUndefineArgs, None,
    readonly=DENIED, acl=("domain:delete",), api="virDomainUndefine", high_priority=True,
)


class ConnectListDomainsArgs(Struct):
    maxids: Int


class ConnectListDomainsRet(Struct):
    ids: Annotated[list[Int], Max(DOMAIN_LIST_MAX)]


CONNECT_LIST_DOMAINS = procedure(
    37, "CONNECT_LIST_DOMAINS", ConnectListDomainsArgs, ConnectListDomainsRet,
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",), api="virConnectListDomains",
    high_priority=True,
)


class ConnectNumOfDomainsRet(Struct):
    num: Int


CONNECT_NUM_OF_DOMAINS = procedure(
    51, "CONNECT_NUM_OF_DOMAINS", None, ConnectNumOfDomainsRet,
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",), api="virConnectNumOfDomains",
    high_priority=True,
)


class DomainRestoreArgs(Struct):
    from_: NonnullString


DOMAIN_RESTORE = procedure(
    54, "DOMAIN_RESTORE", DomainRestoreArgs, None,
    readonly=DENIED, acl=("domain:start", "domain:write"), api="virDomainRestore",
)


class DomainSaveArgs(Struct):
    dom: NonnullDomain
    to: NonnullString


DOMAIN_SAVE = procedure(
    55, "DOMAIN_SAVE", DomainSaveArgs, None,
    readonly=DENIED, acl=("domain:hibernate",), api="virDomainSave",
)


class ConnectDomainXmlFromNativeArgs(Struct):
    native_format: NonnullString
    native_config: NonnullString
    flags: UInt


class ConnectDomainXmlFromNativeRet(Struct):
    domain_xml: NonnullString


CONNECT_DOMAIN_XML_FROM_NATIVE = procedure(
    135, "CONNECT_DOMAIN_XML_FROM_NATIVE", ConnectDomainXmlFromNativeArgs, ConnectDomainXmlFromNativeRet,
    readonly=DENIED, acl=("connect:write",), api="virConnectDomainXMLFromNative",
)


class ConnectDomainXmlToNativeArgs(Struct):
    native_format: NonnullString
    domain_xml: NonnullString
    flags: UInt


class ConnectDomainXmlToNativeRet(Struct):
    native_config: NonnullString


CONNECT_DOMAIN_XML_TO_NATIVE = procedure(
    136, "CONNECT_DOMAIN_XML_TO_NATIVE", ConnectDomainXmlToNativeArgs, ConnectDomainXmlToNativeRet,
    readonly=DENIED, acl=("connect:write",), api="virConnectDomainXMLToNative",
)


class DomainIsActiveArgs(Struct):
    dom: NonnullDomain


class DomainIsActiveRet(Struct):
    active: Int


DOMAIN_IS_ACTIVE = procedure(
    150, "DOMAIN_IS_ACTIVE", DomainIsActiveArgs, DomainIsActiveRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainIsActive", high_priority=True,
)


class DomainIsPersistentArgs(Struct):
    dom: NonnullDomain


class DomainIsPersistentRet(Struct):
    persistent: Int


DOMAIN_IS_PERSISTENT = procedure(
    151, "DOMAIN_IS_PERSISTENT", DomainIsPersistentArgs, DomainIsPersistentRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainIsPersistent", high_priority=True,
)


class DomainAttachDeviceFlagsArgs(Struct):
    dom: NonnullDomain
    xml: NonnullString
    flags: UInt


DOMAIN_ATTACH_DEVICE_FLAGS = procedure(
    160, "DOMAIN_ATTACH_DEVICE_FLAGS", DomainAttachDeviceFlagsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainAttachDeviceFlags",
)


class DomainDetachDeviceFlagsArgs(Struct):
    dom: NonnullDomain
    xml: NonnullString
    flags: UInt


DOMAIN_DETACH_DEVICE_FLAGS = procedure(
    161, "DOMAIN_DETACH_DEVICE_FLAGS", DomainDetachDeviceFlagsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainDetachDeviceFlags",
)


class DomainGetJobInfoArgs(Struct):
    dom: NonnullDomain


class DomainGetJobInfoRet(Struct):
    type: Int
    time_elapsed: UHyper
    time_remaining: UHyper
    data_total: UHyper
    data_processed: UHyper
    data_remaining: UHyper
    mem_total: UHyper
    mem_processed: UHyper
    mem_remaining: UHyper
    file_total: UHyper
    file_processed: UHyper
    file_remaining: UHyper


DOMAIN_GET_JOB_INFO = procedure(
    163, "DOMAIN_GET_JOB_INFO", DomainGetJobInfoArgs, DomainGetJobInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetJobInfo",
)


class DomainAbortJobArgs(Struct):
    dom: NonnullDomain


DOMAIN_ABORT_JOB = procedure(
    164, "DOMAIN_ABORT_JOB", DomainAbortJobArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainAbortJob",
)


class DomainUpdateDeviceFlagsArgs(Struct):
    dom: NonnullDomain
    xml: NonnullString
    flags: UInt


DOMAIN_UPDATE_DEVICE_FLAGS = procedure(
    174, "DOMAIN_UPDATE_DEVICE_FLAGS", DomainUpdateDeviceFlagsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainUpdateDeviceFlags",
)


class DomainManagedSaveArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_MANAGED_SAVE = procedure(
    182, "DOMAIN_MANAGED_SAVE", DomainManagedSaveArgs, None,
    readonly=DENIED, acl=("domain:hibernate",), api="virDomainManagedSave",
)


class DomainHasManagedSaveImageArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainHasManagedSaveImageRet(Struct):
    result: Int


DOMAIN_HAS_MANAGED_SAVE_IMAGE = procedure(
    183, "DOMAIN_HAS_MANAGED_SAVE_IMAGE", DomainHasManagedSaveImageArgs, DomainHasManagedSaveImageRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainHasManagedSaveImage",
)


class DomainManagedSaveRemoveArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_MANAGED_SAVE_REMOVE = procedure(
    184, "DOMAIN_MANAGED_SAVE_REMOVE", DomainManagedSaveRemoveArgs, None,
    readonly=DENIED, acl=("domain:hibernate",), api="virDomainManagedSaveRemove",
)


class DomainCreateWithFlagsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainCreateWithFlagsRet(Struct):
    dom: NonnullDomain


DOMAIN_CREATE_WITH_FLAGS = procedure(
    196, "DOMAIN_CREATE_WITH_FLAGS", DomainCreateWithFlagsArgs, DomainCreateWithFlagsRet,
    readonly=DENIED, acl=("domain:start",), api="virDomainCreateWithFlags",
)


class DomainIsUpdatedArgs(Struct):
    dom: NonnullDomain


class DomainIsUpdatedRet(Struct):
    updated: Int


DOMAIN_IS_UPDATED = procedure(
    202, "DOMAIN_IS_UPDATED", DomainIsUpdatedArgs, DomainIsUpdatedRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainIsUpdated", high_priority=True,
)


class DomainGetStateArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetStateRet(Struct):
    state: Int
    reason: Int


DOMAIN_GET_STATE = procedure(
    212, "DOMAIN_GET_STATE", DomainGetStateArgs, DomainGetStateRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetState", high_priority=True,
)


class DomainGetControlInfoArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetControlInfoRet(Struct):
    state: UInt
    details: UInt
    state_time: UHyper


DOMAIN_GET_CONTROL_INFO = procedure(
    229, "DOMAIN_GET_CONTROL_INFO", DomainGetControlInfoArgs, DomainGetControlInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetControlInfo", high_priority=True,
)


class DomainUndefineFlagsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_UNDEFINE_FLAGS = procedure(
    231, "DOMAIN_UNDEFINE_FLAGS", DomainUndefineFlagsArgs, None,
    readonly=DENIED, acl=("domain:delete",), api="virDomainUndefineFlags", high_priority=True,
)


class DomainSaveFlagsArgs(Struct):
    dom: NonnullDomain
    to: NonnullString
    dxml: String
    flags: UInt


DOMAIN_SAVE_FLAGS = procedure(
    232, "DOMAIN_SAVE_FLAGS", DomainSaveFlagsArgs, None,
    readonly=DENIED, acl=("domain:hibernate",), api="virDomainSaveFlags",
)


class DomainRestoreFlagsArgs(Struct):
    from_: NonnullString
    dxml: String
    flags: UInt


DOMAIN_RESTORE_FLAGS = procedure(
    233, "DOMAIN_RESTORE_FLAGS", DomainRestoreFlagsArgs, None,
    readonly=DENIED, acl=("domain:start", "domain:write"), api="virDomainRestoreFlags",
)


class DomainDestroyFlagsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_DESTROY_FLAGS = procedure(
    234, "DOMAIN_DESTROY_FLAGS", DomainDestroyFlagsArgs, None,
    readonly=DENIED, acl=("domain:stop",), api="virDomainDestroyFlags", high_priority=True,
)


class DomainSaveImageGetXmlDescArgs(Struct):
    file: NonnullString
    flags: UInt


class DomainSaveImageGetXmlDescRet(Struct):
    xml: NonnullString


DOMAIN_SAVE_IMAGE_GET_XML_DESC = procedure(
    235, "DOMAIN_SAVE_IMAGE_GET_XML_DESC", DomainSaveImageGetXmlDescArgs, DomainSaveImageGetXmlDescRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainSaveImageGetXMLDesc", high_priority=True,
)


class DomainSaveImageDefineXmlArgs(Struct):
    file: NonnullString
    dxml: NonnullString
    flags: UInt


DOMAIN_SAVE_IMAGE_DEFINE_XML = procedure(
    236, "DOMAIN_SAVE_IMAGE_DEFINE_XML", DomainSaveImageDefineXmlArgs, None,
    readonly=DENIED, acl=("domain:write", "domain:hibernate"), api="virDomainSaveImageDefineXML", high_priority=True,
)


class DomainResetArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_RESET = procedure(
    245, "DOMAIN_RESET", DomainResetArgs, None,
    readonly=DENIED, acl=("domain:reset",), api="virDomainReset",
)


class DomainShutdownFlagsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_SHUTDOWN_FLAGS = procedure(
    258, "DOMAIN_SHUTDOWN_FLAGS", DomainShutdownFlagsArgs, None,
    readonly=DENIED, acl=("domain:init_control", "domain:write:VIR_DOMAIN_SHUTDOWN_GUEST_AGENT"),
    api="virDomainShutdownFlags",
)


class DomainSetMetadataArgs(Struct):
    dom: NonnullDomain
    type: Int
    metadata: String
    key: String
    uri: String
    flags: UInt


DOMAIN_SET_METADATA = procedure(
    264, "DOMAIN_SET_METADATA", DomainSetMetadataArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetMetadata",
)


class DomainGetMetadataArgs(Struct):
    dom: NonnullDomain
    type: Int
    uri: String
    flags: UInt


class DomainGetMetadataRet(Struct):
    metadata: NonnullString


DOMAIN_GET_METADATA = procedure(
    265, "DOMAIN_GET_METADATA", DomainGetMetadataArgs, DomainGetMetadataRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetMetadata",
)


class ConnectListAllDomainsArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllDomainsRet(Struct):
    domains: Annotated[list[NonnullDomain], Max(DOMAIN_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_DOMAINS = procedure(
    273, "CONNECT_LIST_ALL_DOMAINS", ConnectListAllDomainsArgs, ConnectListAllDomainsRet,
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",), api="virConnectListAllDomains",
    high_priority=True,
)


class DomainGetJobStatsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetJobStatsRet(Struct):
    type: Int
    params: Annotated[list[TypedParam], Max(DOMAIN_JOB_STATS_MAX)]


DOMAIN_GET_JOB_STATS = procedure(
    298, "DOMAIN_GET_JOB_STATS", DomainGetJobStatsArgs, DomainGetJobStatsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetJobStats",
)


class DomainCreateXmlWithFilesArgs(Struct):
    xml_desc: NonnullString
    flags: UInt


class DomainCreateXmlWithFilesRet(Struct):
    dom: NonnullDomain


DOMAIN_CREATE_XML_WITH_FILES = procedure(
    309, "DOMAIN_CREATE_XML_WITH_FILES", DomainCreateXmlWithFilesArgs, DomainCreateXmlWithFilesRet,
    readonly=DENIED, acl=("domain:write", "domain:start"), api="virDomainCreateXMLWithFiles", fds="in",
)


class DomainCreateWithFilesArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainCreateWithFilesRet(Struct):
    dom: NonnullDomain


DOMAIN_CREATE_WITH_FILES = procedure(
    310, "DOMAIN_CREATE_WITH_FILES", DomainCreateWithFilesArgs, DomainCreateWithFilesRet,
    readonly=DENIED, acl=("domain:start",), api="virDomainCreateWithFiles", fds="in",
)


class ConnectGetAllDomainStatsArgs(Struct):
    doms: Annotated[list[NonnullDomain], Max(DOMAIN_LIST_MAX)]
    stats: UInt
    flags: UInt


class ConnectGetAllDomainStatsRet(Struct):
    ret_stats: Annotated[list[DomainStatsRecord], Max(DOMAIN_LIST_MAX)]


CONNECT_GET_ALL_DOMAIN_STATS = procedure(
    344, "CONNECT_GET_ALL_DOMAIN_STATS", ConnectGetAllDomainStatsArgs, ConnectGetAllDomainStatsRet,
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:read",), api="virConnectGetAllDomainStats",
)


class DomainDefineXmlFlagsArgs(Struct):
    xml: NonnullString
    flags: UInt


class DomainDefineXmlFlagsRet(Struct):
    dom: NonnullDomain


DOMAIN_DEFINE_XML_FLAGS = procedure(
    350, "DOMAIN_DEFINE_XML_FLAGS", DomainDefineXmlFlagsArgs, DomainDefineXmlFlagsRet,
    readonly=DENIED, acl=("domain:write", "domain:save"), api="virDomainDefineXMLFlags", high_priority=True,
)


class DomainRenameArgs(Struct):
    dom: NonnullDomain
    new_name: String
    flags: UInt


class DomainRenameRet(Struct):
    retcode: Int


DOMAIN_RENAME = procedure(
    358, "DOMAIN_RENAME", DomainRenameArgs, DomainRenameRet,
    readonly=DENIED, acl=("domain:write", "domain:save"), api="virDomainRename",
)


class DomainManagedSaveGetXmlDescArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainManagedSaveGetXmlDescRet(Struct):
    xml: NonnullString


DOMAIN_MANAGED_SAVE_GET_XML_DESC = procedure(
    388, "DOMAIN_MANAGED_SAVE_GET_XML_DESC", DomainManagedSaveGetXmlDescArgs, DomainManagedSaveGetXmlDescRet,
    readonly=denied_with_flags(DOMAIN_SAVE_IMAGE_XML_SECURE, secure=True),
    acl=("domain:read", "domain:read_secure:VIR_DOMAIN_SAVE_IMAGE_XML_SECURE"), api="virDomainManagedSaveGetXMLDesc",
)


class DomainManagedSaveDefineXmlArgs(Struct):
    dom: NonnullDomain
    dxml: String
    flags: UInt


DOMAIN_MANAGED_SAVE_DEFINE_XML = procedure(
    389, "DOMAIN_MANAGED_SAVE_DEFINE_XML", DomainManagedSaveDefineXmlArgs, None,
    readonly=DENIED, acl=("domain:write", "domain:hibernate"), api="virDomainManagedSaveDefineXML",
)


class DomainSetLifecycleActionArgs(Struct):
    dom: NonnullDomain
    type: UInt
    action: UInt
    flags: UInt


DOMAIN_SET_LIFECYCLE_ACTION = procedure(
    390, "DOMAIN_SET_LIFECYCLE_ACTION", DomainSetLifecycleActionArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetLifecycleAction",
)


class DomainDetachDeviceAliasArgs(Struct):
    dom: NonnullDomain
    alias: NonnullString
    flags: UInt


DOMAIN_DETACH_DEVICE_ALIAS = procedure(
    392, "DOMAIN_DETACH_DEVICE_ALIAS", DomainDetachDeviceAliasArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainDetachDeviceAlias",
)


class DomainSaveParamsArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_SAVE_PARAMS_MAX)]
    flags: UInt


DOMAIN_SAVE_PARAMS = procedure(
    440, "DOMAIN_SAVE_PARAMS", DomainSaveParamsArgs, None,
    readonly=DENIED, acl=("domain:hibernate",), api="virDomainSaveParams",
)


class DomainAbortJobFlagsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_ABORT_JOB_FLAGS = procedure(
    442, "DOMAIN_ABORT_JOB_FLAGS", DomainAbortJobFlagsArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainAbortJobFlags",
)


class DomainGetAutostartOnceArgs(Struct):
    dom: NonnullDomain


class DomainGetAutostartOnceRet(Struct):
    autostart: Int


DOMAIN_GET_AUTOSTART_ONCE = procedure(
    449, "DOMAIN_GET_AUTOSTART_ONCE", DomainGetAutostartOnceArgs, DomainGetAutostartOnceRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetAutostartOnce", high_priority=True, since="11.3",
)


class DomainSetAutostartOnceArgs(Struct):
    dom: NonnullDomain
    autostart: Int


DOMAIN_SET_AUTOSTART_ONCE = procedure(
    450, "DOMAIN_SET_AUTOSTART_ONCE", DomainSetAutostartOnceArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetAutostartOnce", high_priority=True, since="11.3",
)
