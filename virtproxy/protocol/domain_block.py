# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's disks: statistics, jobs, copying, resizing, throttling.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import (
    DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX,
    DOMAIN_MODIFY,
    PROGRAM,
    NonnullDomain,
    TypedParam,
)
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Hyper, Int, Max, UHyper, UInt

procedure = PROGRAM.procedure

DOMAIN_BLOCK_COPY_PARAMETERS_MAX = 16
DOMAIN_BLOCK_STATS_PARAMETERS_MAX = 16
DOMAIN_BLOCK_PEEK_BUFFER_MAX = 4194304
DOMAIN_DISK_ERRORS_MAX = 256


class DomainDiskError(Struct):
    disk: NonnullString
    error: Int


class DomainBlockStatsArgs(Struct):
    dom: NonnullDomain
    path: NonnullString


class DomainBlockStatsRet(Struct):
    rd_req: Hyper
    rd_bytes: Hyper
    wr_req: Hyper
    wr_bytes: Hyper
    errs: Hyper


DOMAIN_BLOCK_STATS = procedure(
    64, "DOMAIN_BLOCK_STATS", DomainBlockStatsArgs, DomainBlockStatsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainBlockStats",
)


class DomainBlockPeekArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    offset: UHyper
    size: UInt
    flags: UInt


class DomainBlockPeekRet(Struct):
    buffer: Annotated[bytes, Max(DOMAIN_BLOCK_PEEK_BUFFER_MAX)]


DOMAIN_BLOCK_PEEK = procedure(
    103, "DOMAIN_BLOCK_PEEK", DomainBlockPeekArgs, DomainBlockPeekRet,
    readonly=DENIED, acl=("domain:block_read",), api="virDomainBlockPeek",
)


class DomainGetBlockInfoArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    flags: UInt


class DomainGetBlockInfoRet(Struct):
    allocation: UHyper
    capacity: UHyper
    physical: UHyper


DOMAIN_GET_BLOCK_INFO = procedure(
    194, "DOMAIN_GET_BLOCK_INFO", DomainGetBlockInfoArgs, DomainGetBlockInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetBlockInfo",
)


class DomainBlockJobAbortArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    flags: UInt


DOMAIN_BLOCK_JOB_ABORT = procedure(
    237, "DOMAIN_BLOCK_JOB_ABORT", DomainBlockJobAbortArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainBlockJobAbort",
)


class DomainGetBlockJobInfoArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    flags: UInt


class DomainGetBlockJobInfoRet(Struct):
    found: Int
    type: Int
    bandwidth: UHyper
    cur: UHyper
    end: UHyper


DOMAIN_GET_BLOCK_JOB_INFO = procedure(
    238, "DOMAIN_GET_BLOCK_JOB_INFO", DomainGetBlockJobInfoArgs, DomainGetBlockJobInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetBlockJobInfo",
)


class DomainBlockJobSetSpeedArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    bandwidth: UHyper
    flags: UInt


DOMAIN_BLOCK_JOB_SET_SPEED = procedure(
    239, "DOMAIN_BLOCK_JOB_SET_SPEED", DomainBlockJobSetSpeedArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainBlockJobSetSpeed",
)


class DomainBlockPullArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    bandwidth: UHyper
    flags: UInt


DOMAIN_BLOCK_PULL = procedure(
    240, "DOMAIN_BLOCK_PULL", DomainBlockPullArgs, None,
    readonly=DENIED, acl=("domain:block_write",), api="virDomainBlockPull",
)


class DomainBlockStatsFlagsArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    nparams: Int
    flags: UInt


class DomainBlockStatsFlagsRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_BLOCK_STATS_PARAMETERS_MAX)]
    nparams: Int


DOMAIN_BLOCK_STATS_FLAGS = procedure(
    243, "DOMAIN_BLOCK_STATS_FLAGS", DomainBlockStatsFlagsArgs, DomainBlockStatsFlagsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainBlockStatsFlags",
)


class DomainBlockResizeArgs(Struct):
    dom: NonnullDomain
    disk: NonnullString
    size: UHyper
    flags: UInt


DOMAIN_BLOCK_RESIZE = procedure(
    251, "DOMAIN_BLOCK_RESIZE", DomainBlockResizeArgs, None,
    readonly=DENIED, acl=("domain:block_write",), api="virDomainBlockResize",
)


class DomainSetBlockIoTuneArgs(Struct):
    dom: NonnullDomain
    disk: NonnullString
    params: Annotated[list[TypedParam], Max(DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_BLOCK_IO_TUNE = procedure(
    252, "DOMAIN_SET_BLOCK_IO_TUNE", DomainSetBlockIoTuneArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetBlockIoTune",
)


class DomainGetBlockIoTuneArgs(Struct):
    dom: NonnullDomain
    disk: String
    nparams: Int
    flags: UInt


class DomainGetBlockIoTuneRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX)]
    nparams: Int


DOMAIN_GET_BLOCK_IO_TUNE = procedure(
    253, "DOMAIN_GET_BLOCK_IO_TUNE", DomainGetBlockIoTuneArgs, DomainGetBlockIoTuneRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetBlockIoTune",
)


class DomainGetDiskErrorsArgs(Struct):
    dom: NonnullDomain
    maxerrors: UInt
    flags: UInt


class DomainGetDiskErrorsRet(Struct):
    errors: Annotated[list[DomainDiskError], Max(DOMAIN_DISK_ERRORS_MAX)]
    nerrors: Int


DOMAIN_GET_DISK_ERRORS = procedure(
    263, "DOMAIN_GET_DISK_ERRORS", DomainGetDiskErrorsArgs, DomainGetDiskErrorsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetDiskErrors",
)


class DomainBlockRebaseArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    base: String
    bandwidth: UHyper
    flags: UInt


DOMAIN_BLOCK_REBASE = procedure(
    266, "DOMAIN_BLOCK_REBASE", DomainBlockRebaseArgs, None,
    readonly=DENIED, acl=("domain:block_write",), api="virDomainBlockRebase",
)


class DomainBlockCommitArgs(Struct):
    dom: NonnullDomain
    disk: NonnullString
    base: String
    top: String
    bandwidth: UHyper
    flags: UInt


DOMAIN_BLOCK_COMMIT = procedure(
    290, "DOMAIN_BLOCK_COMMIT", DomainBlockCommitArgs, None,
    readonly=DENIED, acl=("domain:block_write",), api="virDomainBlockCommit",
)


class DomainBlockCopyArgs(Struct):
    dom: NonnullDomain
    path: NonnullString
    destxml: NonnullString
    params: Annotated[list[TypedParam], Max(DOMAIN_BLOCK_COPY_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_BLOCK_COPY = procedure(
    345, "DOMAIN_BLOCK_COPY", DomainBlockCopyArgs, None,
    readonly=DENIED, acl=("domain:block_write",), api="virDomainBlockCopy",
)


class DomainSetBlockThresholdArgs(Struct):
    dom: NonnullDomain
    dev: NonnullString
    threshold: UHyper
    flags: UInt


DOMAIN_SET_BLOCK_THRESHOLD = procedure(
    386, "DOMAIN_SET_BLOCK_THRESHOLD", DomainSetBlockThresholdArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetBlockThreshold",
)
