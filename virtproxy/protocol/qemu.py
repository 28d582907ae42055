# SPDX-License-Identifier: LGPL-2.1-or-later
"""The qemu program: calls and one event that only the QEMU driver serves.
"""

from __future__ import annotations

from virtproxy.protocol.common import Domain, NonnullDomain
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import DENIED, Program
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Hyper, Int, UInt

PROGRAM = Program(0x20008087, 1, "qemu")
procedure = PROGRAM.procedure
event = PROGRAM.event


class DomainMonitorCommandArgs(Struct):
    dom: NonnullDomain
    cmd: NonnullString
    flags: UInt


class DomainMonitorCommandRet(Struct):
    result: NonnullString


DOMAIN_MONITOR_COMMAND = procedure(
    1, "DOMAIN_MONITOR_COMMAND", DomainMonitorCommandArgs, DomainMonitorCommandRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainQemuMonitorCommand",
)


class DomainAttachArgs(Struct):
    pid_value: UInt
    flags: UInt


class DomainAttachRet(Struct):
    dom: NonnullDomain


DOMAIN_ATTACH = procedure(
    2, "DOMAIN_ATTACH", DomainAttachArgs, DomainAttachRet,
    readonly=DENIED, acl=("domain:start", "domain:write"), api="virDomainQemuAttach",
)


class DomainAgentCommandArgs(Struct):
    dom: NonnullDomain
    cmd: NonnullString
    timeout: Int
    flags: UInt


class DomainAgentCommandRet(Struct):
    result: String


DOMAIN_AGENT_COMMAND = procedure(
    3, "DOMAIN_AGENT_COMMAND", DomainAgentCommandArgs, DomainAgentCommandRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainQemuAgentCommand",
)


class ConnectDomainMonitorEventRegisterArgs(Struct):
    dom: Domain
    event: String
    flags: UInt


class ConnectDomainMonitorEventRegisterRet(Struct):
    callback_id: Int


CONNECT_DOMAIN_MONITOR_EVENT_REGISTER = procedure(
    4, "CONNECT_DOMAIN_MONITOR_EVENT_REGISTER",
    ConnectDomainMonitorEventRegisterArgs, ConnectDomainMonitorEventRegisterRet, edge="event-register", readonly=DENIED,
    acl=("connect:search_domains", "connect:write"), aclfilter=("domain:getattr",),
    api="virConnectDomainQemuMonitorEventRegister", high_priority=True,
)


class ConnectDomainMonitorEventDeregisterArgs(Struct):
    callback_id: Int


CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER = procedure(
    5, "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", ConnectDomainMonitorEventDeregisterArgs, None,
    edge="event-deregister", readonly=DENIED, acl=("connect:write",), api="virConnectDomainQemuMonitorEventDeregister",
    high_priority=True,
)


class DomainMonitorEventMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    event: NonnullString
    seconds: Hyper
    micros: UInt
    details: String


DOMAIN_MONITOR_EVENT = event(6, "DOMAIN_MONITOR_EVENT", DomainMonitorEventMsg)


class DomainMonitorCommandWithFilesArgs(Struct):
    dom: NonnullDomain
    cmd: NonnullString
    flags: UInt


class DomainMonitorCommandWithFilesRet(Struct):
    result: NonnullString


DOMAIN_MONITOR_COMMAND_WITH_FILES = procedure(
    7, "DOMAIN_MONITOR_COMMAND_WITH_FILES", DomainMonitorCommandWithFilesArgs, DomainMonitorCommandWithFilesRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainQemuMonitorCommandWithFiles", fds="inout",
)
