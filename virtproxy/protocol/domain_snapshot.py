# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots, checkpoints and backups of domains.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NonnullDomain
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED, denied_with_flags
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UInt

procedure = PROGRAM.procedure

DOMAIN_CHECKPOINT_LIST_MAX = 16384
DOMAIN_SNAPSHOT_LIST_MAX = 16384

# Flags that the rules below speak of.
DOMAIN_SNAPSHOT_XML_SECURE = 1 << 0
DOMAIN_CHECKPOINT_XML_SECURE = 1 << 0


class NonnullDomainCheckpoint(Struct):
    name: NonnullString
    dom: NonnullDomain


class NonnullDomainSnapshot(Struct):
    name: NonnullString
    dom: NonnullDomain


class DomainSnapshotCreateXmlArgs(Struct):
    dom: NonnullDomain
    xml_desc: NonnullString
    flags: UInt


class DomainSnapshotCreateXmlRet(Struct):
    snap: NonnullDomainSnapshot


DOMAIN_SNAPSHOT_CREATE_XML = procedure(
    185, "DOMAIN_SNAPSHOT_CREATE_XML", DomainSnapshotCreateXmlArgs, DomainSnapshotCreateXmlRet,
    readonly=DENIED, acl=("domain:snapshot", "domain:fs_freeze:VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE"),
    api="virDomainSnapshotCreateXML",
)


class DomainSnapshotGetXmlDescArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


class DomainSnapshotGetXmlDescRet(Struct):
    xml: NonnullString


DOMAIN_SNAPSHOT_GET_XML_DESC = procedure(
    186, "DOMAIN_SNAPSHOT_GET_XML_DESC", DomainSnapshotGetXmlDescArgs, DomainSnapshotGetXmlDescRet,
    readonly=denied_with_flags(DOMAIN_SNAPSHOT_XML_SECURE, secure=True),
    acl=("domain:read", "domain:read_secure:VIR_DOMAIN_SNAPSHOT_XML_SECURE"), api="virDomainSnapshotGetXMLDesc",
    high_priority=True,
)


class DomainSnapshotNumArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainSnapshotNumRet(Struct):
    num: Int


DOMAIN_SNAPSHOT_NUM = procedure(
    187, "DOMAIN_SNAPSHOT_NUM", DomainSnapshotNumArgs, DomainSnapshotNumRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotNum", high_priority=True,
)


class DomainSnapshotListNamesArgs(Struct):
    dom: NonnullDomain
    maxnames: Int
    flags: UInt


class DomainSnapshotListNamesRet(Struct):
    names: Annotated[list[NonnullString], Max(DOMAIN_SNAPSHOT_LIST_MAX)]


DOMAIN_SNAPSHOT_LIST_NAMES = procedure(
    188, "DOMAIN_SNAPSHOT_LIST_NAMES", DomainSnapshotListNamesArgs, DomainSnapshotListNamesRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotListNames", high_priority=True,
)


class DomainSnapshotLookupByNameArgs(Struct):
    dom: NonnullDomain
    name: NonnullString
    flags: UInt


class DomainSnapshotLookupByNameRet(Struct):
    snap: NonnullDomainSnapshot


DOMAIN_SNAPSHOT_LOOKUP_BY_NAME = procedure(
    189, "DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", DomainSnapshotLookupByNameArgs, DomainSnapshotLookupByNameRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotLookupByName", high_priority=True,
)


class DomainHasCurrentSnapshotArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainHasCurrentSnapshotRet(Struct):
    result: Int


DOMAIN_HAS_CURRENT_SNAPSHOT = procedure(
    190, "DOMAIN_HAS_CURRENT_SNAPSHOT", DomainHasCurrentSnapshotArgs, DomainHasCurrentSnapshotRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainHasCurrentSnapshot",
)


class DomainSnapshotCurrentArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainSnapshotCurrentRet(Struct):
    snap: NonnullDomainSnapshot


DOMAIN_SNAPSHOT_CURRENT = procedure(
    191, "DOMAIN_SNAPSHOT_CURRENT", DomainSnapshotCurrentArgs, DomainSnapshotCurrentRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotCurrent",
)


class DomainRevertToSnapshotArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


DOMAIN_REVERT_TO_SNAPSHOT = procedure(
    192, "DOMAIN_REVERT_TO_SNAPSHOT", DomainRevertToSnapshotArgs, None,
    readonly=DENIED, acl=("domain:snapshot",), api="virDomainRevertToSnapshot",
)


class DomainSnapshotDeleteArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


DOMAIN_SNAPSHOT_DELETE = procedure(
    193, "DOMAIN_SNAPSHOT_DELETE", DomainSnapshotDeleteArgs, None,
    readonly=DENIED, acl=("domain:snapshot",), api="virDomainSnapshotDelete",
)


class DomainSnapshotGetParentArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


class DomainSnapshotGetParentRet(Struct):
    snap: NonnullDomainSnapshot


DOMAIN_SNAPSHOT_GET_PARENT = procedure(
    244, "DOMAIN_SNAPSHOT_GET_PARENT", DomainSnapshotGetParentArgs, DomainSnapshotGetParentRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotGetParent", high_priority=True,
)


class DomainSnapshotNumChildrenArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


class DomainSnapshotNumChildrenRet(Struct):
    num: Int


DOMAIN_SNAPSHOT_NUM_CHILDREN = procedure(
    246, "DOMAIN_SNAPSHOT_NUM_CHILDREN", DomainSnapshotNumChildrenArgs, DomainSnapshotNumChildrenRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotNumChildren", high_priority=True,
)


class DomainSnapshotListChildrenNamesArgs(Struct):
    snap: NonnullDomainSnapshot
    maxnames: Int
    flags: UInt


class DomainSnapshotListChildrenNamesRet(Struct):
    names: Annotated[list[NonnullString], Max(DOMAIN_SNAPSHOT_LIST_MAX)]


DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES = procedure(
    247, "DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES", DomainSnapshotListChildrenNamesArgs, DomainSnapshotListChildrenNamesRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotListChildrenNames", high_priority=True,
)


class DomainSnapshotIsCurrentArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


class DomainSnapshotIsCurrentRet(Struct):
    current: Int


DOMAIN_SNAPSHOT_IS_CURRENT = procedure(
    271, "DOMAIN_SNAPSHOT_IS_CURRENT", DomainSnapshotIsCurrentArgs, DomainSnapshotIsCurrentRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotIsCurrent",
)


class DomainSnapshotHasMetadataArgs(Struct):
    snap: NonnullDomainSnapshot
    flags: UInt


class DomainSnapshotHasMetadataRet(Struct):
    metadata: Int


DOMAIN_SNAPSHOT_HAS_METADATA = procedure(
    272, "DOMAIN_SNAPSHOT_HAS_METADATA", DomainSnapshotHasMetadataArgs, DomainSnapshotHasMetadataRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotHasMetadata",
)


class DomainListAllSnapshotsArgs(Struct):
    dom: NonnullDomain
    need_results: Int
    flags: UInt


class DomainListAllSnapshotsRet(Struct):
    snapshots: Annotated[list[NonnullDomainSnapshot], Max(DOMAIN_SNAPSHOT_LIST_MAX)]
    ret: Int


DOMAIN_LIST_ALL_SNAPSHOTS = procedure(
    274, "DOMAIN_LIST_ALL_SNAPSHOTS", DomainListAllSnapshotsArgs, DomainListAllSnapshotsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainListAllSnapshots", high_priority=True,
)


class DomainSnapshotListAllChildrenArgs(Struct):
    snapshot: NonnullDomainSnapshot
    need_results: Int
    flags: UInt


class DomainSnapshotListAllChildrenRet(Struct):
    snapshots: Annotated[list[NonnullDomainSnapshot], Max(DOMAIN_SNAPSHOT_LIST_MAX)]
    ret: Int


DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN = procedure(
    275, "DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN", DomainSnapshotListAllChildrenArgs, DomainSnapshotListAllChildrenRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainSnapshotListAllChildren", high_priority=True,
)


class DomainCheckpointCreateXmlArgs(Struct):
    dom: NonnullDomain
    xml_desc: NonnullString
    flags: UInt


class DomainCheckpointCreateXmlRet(Struct):
    checkpoint: NonnullDomainCheckpoint


DOMAIN_CHECKPOINT_CREATE_XML = procedure(
    411, "DOMAIN_CHECKPOINT_CREATE_XML", DomainCheckpointCreateXmlArgs, DomainCheckpointCreateXmlRet,
    readonly=DENIED, acl=("domain:checkpoint", "domain:fs_freeze:VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE"),
    api="virDomainCheckpointCreateXML",
)


class DomainCheckpointGetXmlDescArgs(Struct):
    checkpoint: NonnullDomainCheckpoint
    flags: UInt


class DomainCheckpointGetXmlDescRet(Struct):
    xml: NonnullString


DOMAIN_CHECKPOINT_GET_XML_DESC = procedure(
    412, "DOMAIN_CHECKPOINT_GET_XML_DESC", DomainCheckpointGetXmlDescArgs, DomainCheckpointGetXmlDescRet,
    readonly=denied_with_flags(DOMAIN_CHECKPOINT_XML_SECURE, secure=True),
    acl=("domain:read", "domain:read_secure:VIR_DOMAIN_CHECKPOINT_XML_SECURE"), api="virDomainCheckpointGetXMLDesc",
)


class DomainListAllCheckpointsArgs(Struct):
    dom: NonnullDomain
    need_results: Int
    flags: UInt


class DomainListAllCheckpointsRet(Struct):
    checkpoints: Annotated[list[NonnullDomainCheckpoint], Max(DOMAIN_CHECKPOINT_LIST_MAX)]
    ret: Int


DOMAIN_LIST_ALL_CHECKPOINTS = procedure(
    413, "DOMAIN_LIST_ALL_CHECKPOINTS", DomainListAllCheckpointsArgs, DomainListAllCheckpointsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainListAllCheckpoints", high_priority=True,
)


class DomainCheckpointListAllChildrenArgs(Struct):
    checkpoint: NonnullDomainCheckpoint
    need_results: Int
    flags: UInt


class DomainCheckpointListAllChildrenRet(Struct):
    checkpoints: Annotated[list[NonnullDomainCheckpoint], Max(DOMAIN_CHECKPOINT_LIST_MAX)]
    ret: Int


DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN = procedure(
    414, "DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", DomainCheckpointListAllChildrenArgs, DomainCheckpointListAllChildrenRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainCheckpointListAllChildren", high_priority=True,
)


class DomainCheckpointLookupByNameArgs(Struct):
    dom: NonnullDomain
    name: NonnullString
    flags: UInt


class DomainCheckpointLookupByNameRet(Struct):
    checkpoint: NonnullDomainCheckpoint


DOMAIN_CHECKPOINT_LOOKUP_BY_NAME = procedure(
    415, "DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", DomainCheckpointLookupByNameArgs, DomainCheckpointLookupByNameRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainCheckpointLookupByName", high_priority=True,
)


class DomainCheckpointGetParentArgs(Struct):
    checkpoint: NonnullDomainCheckpoint
    flags: UInt


class DomainCheckpointGetParentRet(Struct):
    parent: NonnullDomainCheckpoint


DOMAIN_CHECKPOINT_GET_PARENT = procedure(
    416, "DOMAIN_CHECKPOINT_GET_PARENT", DomainCheckpointGetParentArgs, DomainCheckpointGetParentRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainCheckpointGetParent", high_priority=True,
)


class DomainCheckpointDeleteArgs(Struct):
    checkpoint: NonnullDomainCheckpoint
    flags: UInt


DOMAIN_CHECKPOINT_DELETE = procedure(
    417, "DOMAIN_CHECKPOINT_DELETE", DomainCheckpointDeleteArgs, None,
    readonly=DENIED, acl=("domain:checkpoint",), api="virDomainCheckpointDelete",
)


class DomainBackupBeginArgs(Struct):
    dom: NonnullDomain
    backup_xml: NonnullString
    checkpoint_xml: String
    flags: UInt


DOMAIN_BACKUP_BEGIN = procedure(
    421, "DOMAIN_BACKUP_BEGIN", DomainBackupBeginArgs, None,
    readonly=DENIED, acl=("domain:checkpoint", "domain:block_write"), api="virDomainBackupBegin",
)


class DomainBackupGetXmlDescArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainBackupGetXmlDescRet(Struct):
    xml: NonnullString


DOMAIN_BACKUP_GET_XML_DESC = procedure(
    422, "DOMAIN_BACKUP_GET_XML_DESC", DomainBackupGetXmlDescArgs, DomainBackupGetXmlDescRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainBackupGetXMLDesc", high_priority=True,
)
