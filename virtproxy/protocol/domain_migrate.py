# SPDX-License-Identifier: LGPL-2.1-or-later
"""Migration of domains, in all its generations.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NonnullDomain, TypedParam
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UHyper, UInt

procedure = PROGRAM.procedure

MIGRATE_COOKIE_MAX = 4194304
DOMAIN_MIGRATE_PARAM_LIST_MAX = 64


class DomainMigratePrepareArgs(Struct):
    uri_in: String
    flags: UHyper
    dname: String
    resource: UHyper


class DomainMigratePrepareRet(Struct):
    cookie: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri_out: String


DOMAIN_MIGRATE_PREPARE = procedure(
    61, "DOMAIN_MIGRATE_PREPARE", DomainMigratePrepareArgs, DomainMigratePrepareRet,
    readonly=DENIED, acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepare",
)


class DomainMigratePerformArgs(Struct):
    dom: NonnullDomain
    cookie: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri: NonnullString
    flags: UHyper
    dname: String
    resource: UHyper


DOMAIN_MIGRATE_PERFORM = procedure(
    62, "DOMAIN_MIGRATE_PERFORM", DomainMigratePerformArgs, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigratePerform",
)


class DomainMigrateFinishArgs(Struct):
    dname: NonnullString
    cookie: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri: NonnullString
    flags: UHyper


class DomainMigrateFinishRet(Struct):
    ddom: NonnullDomain


DOMAIN_MIGRATE_FINISH = procedure(
    63, "DOMAIN_MIGRATE_FINISH", DomainMigrateFinishArgs, DomainMigrateFinishRet,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateFinish",
)


class DomainMigratePrepare2Args(Struct):
    uri_in: String
    flags: UHyper
    dname: String
    resource: UHyper
    dom_xml: NonnullString


class DomainMigratePrepare2Ret(Struct):
    cookie: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri_out: String


DOMAIN_MIGRATE_PREPARE2 = procedure(
    108, "DOMAIN_MIGRATE_PREPARE2", DomainMigratePrepare2Args, DomainMigratePrepare2Ret,
    readonly=DENIED, acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepare2",
)


class DomainMigrateFinish2Args(Struct):
    dname: NonnullString
    cookie: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri: NonnullString
    flags: UHyper
    retcode: Int


class DomainMigrateFinish2Ret(Struct):
    ddom: NonnullDomain


DOMAIN_MIGRATE_FINISH2 = procedure(
    109, "DOMAIN_MIGRATE_FINISH2", DomainMigrateFinish2Args, DomainMigrateFinish2Ret,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateFinish2",
)


class DomainMigratePrepareTunnelArgs(Struct):
    flags: UHyper
    dname: String
    resource: UHyper
    dom_xml: NonnullString


DOMAIN_MIGRATE_PREPARE_TUNNEL = procedure(
    148, "DOMAIN_MIGRATE_PREPARE_TUNNEL", DomainMigratePrepareTunnelArgs, None,
    readonly=DENIED, acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepareTunnel",
    stream="write",
)


class DomainMigrateSetMaxDowntimeArgs(Struct):
    dom: NonnullDomain
    downtime: UHyper
    flags: UInt


DOMAIN_MIGRATE_SET_MAX_DOWNTIME = procedure(
    166, "DOMAIN_MIGRATE_SET_MAX_DOWNTIME", DomainMigrateSetMaxDowntimeArgs, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateSetMaxDowntime",
)


class DomainMigrateSetMaxSpeedArgs(Struct):
    dom: NonnullDomain
    bandwidth: UHyper
    flags: UInt


DOMAIN_MIGRATE_SET_MAX_SPEED = procedure(
    207, "DOMAIN_MIGRATE_SET_MAX_SPEED", DomainMigrateSetMaxSpeedArgs, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateSetMaxSpeed",
)


class DomainMigrateBegin3Args(Struct):
    dom: NonnullDomain
    xmlin: String
    flags: UHyper
    dname: String
    resource: UHyper


class DomainMigrateBegin3Ret(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    xml: NonnullString


DOMAIN_MIGRATE_BEGIN3 = procedure(
    213, "DOMAIN_MIGRATE_BEGIN3", DomainMigrateBegin3Args, DomainMigrateBegin3Ret,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateBegin3",
)


class DomainMigratePrepare3Args(Struct):
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri_in: String
    flags: UHyper
    dname: String
    resource: UHyper
    dom_xml: NonnullString


class DomainMigratePrepare3Ret(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri_out: String


DOMAIN_MIGRATE_PREPARE3 = procedure(
    214, "DOMAIN_MIGRATE_PREPARE3", DomainMigratePrepare3Args, DomainMigratePrepare3Ret,
    readonly=DENIED, acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepare3",
)


class DomainMigratePrepareTunnel3Args(Struct):
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UHyper
    dname: String
    resource: UHyper
    dom_xml: NonnullString


class DomainMigratePrepareTunnel3Ret(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]


DOMAIN_MIGRATE_PREPARE_TUNNEL3 = procedure(
    215, "DOMAIN_MIGRATE_PREPARE_TUNNEL3", DomainMigratePrepareTunnel3Args, DomainMigratePrepareTunnel3Ret,
    readonly=DENIED, acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepareTunnel3",
    stream="write",
)


class DomainMigratePerform3Args(Struct):
    dom: NonnullDomain
    xmlin: String
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    dconnuri: String
    uri: String
    flags: UHyper
    dname: String
    resource: UHyper


class DomainMigratePerform3Ret(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]


DOMAIN_MIGRATE_PERFORM3 = procedure(
    216, "DOMAIN_MIGRATE_PERFORM3", DomainMigratePerform3Args, DomainMigratePerform3Ret,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigratePerform3",
)


class DomainMigrateFinish3Args(Struct):
    dname: NonnullString
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    dconnuri: String
    uri: String
    flags: UHyper
    cancelled: Int


class DomainMigrateFinish3Ret(Struct):
    dom: NonnullDomain
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]


DOMAIN_MIGRATE_FINISH3 = procedure(
    217, "DOMAIN_MIGRATE_FINISH3", DomainMigrateFinish3Args, DomainMigrateFinish3Ret,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateFinish3",
)


class DomainMigrateConfirm3Args(Struct):
    dom: NonnullDomain
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UHyper
    cancelled: Int


DOMAIN_MIGRATE_CONFIRM3 = procedure(
    218, "DOMAIN_MIGRATE_CONFIRM3", DomainMigrateConfirm3Args, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateConfirm3",
)


class DomainMigrateGetMaxSpeedArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainMigrateGetMaxSpeedRet(Struct):
    bandwidth: UHyper


DOMAIN_MIGRATE_GET_MAX_SPEED = procedure(
    242, "DOMAIN_MIGRATE_GET_MAX_SPEED", DomainMigrateGetMaxSpeedArgs, DomainMigrateGetMaxSpeedRet,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateGetMaxSpeed",
)


class DomainMigrateGetCompressionCacheArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainMigrateGetCompressionCacheRet(Struct):
    cache_size: UHyper


DOMAIN_MIGRATE_GET_COMPRESSION_CACHE = procedure(
    299, "DOMAIN_MIGRATE_GET_COMPRESSION_CACHE",
    DomainMigrateGetCompressionCacheArgs, DomainMigrateGetCompressionCacheRet, readonly=ALLOWED,
    acl=("domain:migrate",), api="virDomainMigrateGetCompressionCache",
)


class DomainMigrateSetCompressionCacheArgs(Struct):
    dom: NonnullDomain
    cache_size: UHyper
    flags: UInt


DOMAIN_MIGRATE_SET_COMPRESSION_CACHE = procedure(
    300, "DOMAIN_MIGRATE_SET_COMPRESSION_CACHE", DomainMigrateSetCompressionCacheArgs, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateSetCompressionCache",
)


class DomainMigrateBegin3ParamsArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_MIGRATE_PARAM_LIST_MAX)]
    flags: UInt


class DomainMigrateBegin3ParamsRet(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    xml: NonnullString


DOMAIN_MIGRATE_BEGIN3_PARAMS = procedure(
    302, "DOMAIN_MIGRATE_BEGIN3_PARAMS", DomainMigrateBegin3ParamsArgs, DomainMigrateBegin3ParamsRet,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateBegin3Params",
)


class DomainMigratePrepare3ParamsArgs(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_MIGRATE_PARAM_LIST_MAX)]
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UInt


class DomainMigratePrepare3ParamsRet(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    uri_out: String


DOMAIN_MIGRATE_PREPARE3_PARAMS = procedure(
    303, "DOMAIN_MIGRATE_PREPARE3_PARAMS", DomainMigratePrepare3ParamsArgs, DomainMigratePrepare3ParamsRet,
    readonly=DENIED, acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepare3Params",
)


class DomainMigratePrepareTunnel3ParamsArgs(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_MIGRATE_PARAM_LIST_MAX)]
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UInt


class DomainMigratePrepareTunnel3ParamsRet(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]


# It carries a stream as its predecessor does, though the interface tables do not say so.
DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS = procedure(
    304, "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS",
    DomainMigratePrepareTunnel3ParamsArgs, DomainMigratePrepareTunnel3ParamsRet, readonly=DENIED,
    acl=("domain:migrate", "domain:start", "domain:write"), api="virDomainMigratePrepareTunnel3Params",
    stream="write",
)


class DomainMigratePerform3ParamsArgs(Struct):
    dom: NonnullDomain
    dconnuri: String
    params: Annotated[list[TypedParam], Max(DOMAIN_MIGRATE_PARAM_LIST_MAX)]
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UInt


class DomainMigratePerform3ParamsRet(Struct):
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]


DOMAIN_MIGRATE_PERFORM3_PARAMS = procedure(
    305, "DOMAIN_MIGRATE_PERFORM3_PARAMS", DomainMigratePerform3ParamsArgs, DomainMigratePerform3ParamsRet,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigratePerform3Params",
)


class DomainMigrateFinish3ParamsArgs(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_MIGRATE_PARAM_LIST_MAX)]
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UInt
    cancelled: Int


class DomainMigrateFinish3ParamsRet(Struct):
    dom: NonnullDomain
    cookie_out: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]


DOMAIN_MIGRATE_FINISH3_PARAMS = procedure(
    306, "DOMAIN_MIGRATE_FINISH3_PARAMS", DomainMigrateFinish3ParamsArgs, DomainMigrateFinish3ParamsRet,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateFinish3Params",
)


class DomainMigrateConfirm3ParamsArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_MIGRATE_PARAM_LIST_MAX)]
    cookie_in: Annotated[bytes, Max(MIGRATE_COOKIE_MAX)]
    flags: UInt
    cancelled: Int


DOMAIN_MIGRATE_CONFIRM3_PARAMS = procedure(
    307, "DOMAIN_MIGRATE_CONFIRM3_PARAMS", DomainMigrateConfirm3ParamsArgs, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateConfirm3Params",
)


class DomainMigrateStartPostCopyArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_MIGRATE_START_POST_COPY = procedure(
    364, "DOMAIN_MIGRATE_START_POST_COPY", DomainMigrateStartPostCopyArgs, None,
    readonly=DENIED, acl=("domain:migrate",), api="virDomainMigrateStartPostCopy",
)


class DomainMigrateGetMaxDowntimeArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainMigrateGetMaxDowntimeRet(Struct):
    downtime: UHyper


DOMAIN_MIGRATE_GET_MAX_DOWNTIME = procedure(
    387, "DOMAIN_MIGRATE_GET_MAX_DOWNTIME", DomainMigrateGetMaxDowntimeArgs, DomainMigrateGetMaxDowntimeRet,
    readonly=ALLOWED, acl=("domain:migrate",), api="virDomainMigrateGetMaxDowntime",
)
