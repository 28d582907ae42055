# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events of domains: registering, and the messages.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import DOMAIN_JOB_STATS_MAX, PROGRAM, Domain, NonnullDomain, TypedParam
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Hyper, Int, Max, UHyper, UInt

procedure = PROGRAM.procedure
event = PROGRAM.event

DOMAIN_EVENT_TUNABLE_MAX = 2048
DOMAIN_EVENT_GRAPHICS_IDENTITY_MAX = 20


class DomainEventGraphicsAddress(Struct):
    family: Int
    node: NonnullString
    service: NonnullString


class DomainEventGraphicsIdentity(Struct):
    type: NonnullString
    name: NonnullString


class ConnectDomainEventRegisterRet(Struct):
    cb_registered: Int


CONNECT_DOMAIN_EVENT_REGISTER = procedure(
    105, "CONNECT_DOMAIN_EVENT_REGISTER", None, ConnectDomainEventRegisterRet,
    edge="event-register", readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",),
    api="virConnectDomainEventRegisterAny", high_priority=True,
)


class ConnectDomainEventDeregisterRet(Struct):
    cb_registered: Int


CONNECT_DOMAIN_EVENT_DEREGISTER = procedure(
    106, "CONNECT_DOMAIN_EVENT_DEREGISTER", None, ConnectDomainEventDeregisterRet,
    edge="event-deregister", readonly=ALLOWED, acl=("connect:read",), api="virConnectDomainEventDeregisterAny",
    high_priority=True,
)


class DomainEventLifecycleMsg(Struct):
    dom: NonnullDomain
    event: Int
    detail: Int


DOMAIN_EVENT_LIFECYCLE = event(107, "DOMAIN_EVENT_LIFECYCLE", DomainEventLifecycleMsg)


class ConnectDomainEventRegisterAnyArgs(Struct):
    event_id: Int


CONNECT_DOMAIN_EVENT_REGISTER_ANY = procedure(
    167, "CONNECT_DOMAIN_EVENT_REGISTER_ANY", ConnectDomainEventRegisterAnyArgs, None,
    edge="event-register", readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",),
    api="virConnectDomainEventRegisterAny", high_priority=True,
)


class ConnectDomainEventDeregisterAnyArgs(Struct):
    event_id: Int


CONNECT_DOMAIN_EVENT_DEREGISTER_ANY = procedure(
    168, "CONNECT_DOMAIN_EVENT_DEREGISTER_ANY", ConnectDomainEventDeregisterAnyArgs, None,
    edge="event-deregister", readonly=ALLOWED, acl=("connect:read",), api="virConnectDomainEventDeregisterAny",
    high_priority=True,
)


class DomainEventRebootMsg(Struct):
    dom: NonnullDomain


DOMAIN_EVENT_REBOOT = event(169, "DOMAIN_EVENT_REBOOT", DomainEventRebootMsg)


class DomainEventRtcChangeMsg(Struct):
    dom: NonnullDomain
    offset: Hyper


DOMAIN_EVENT_RTC_CHANGE = event(170, "DOMAIN_EVENT_RTC_CHANGE", DomainEventRtcChangeMsg)


class DomainEventWatchdogMsg(Struct):
    dom: NonnullDomain
    action: Int


DOMAIN_EVENT_WATCHDOG = event(171, "DOMAIN_EVENT_WATCHDOG", DomainEventWatchdogMsg)


class DomainEventIoErrorMsg(Struct):
    dom: NonnullDomain
    src_path: NonnullString
    dev_alias: NonnullString
    action: Int


DOMAIN_EVENT_IO_ERROR = event(172, "DOMAIN_EVENT_IO_ERROR", DomainEventIoErrorMsg)


class DomainEventGraphicsMsg(Struct):
    dom: NonnullDomain
    phase: Int
    local: DomainEventGraphicsAddress
    remote: DomainEventGraphicsAddress
    auth_scheme: NonnullString
    subject: Annotated[list[DomainEventGraphicsIdentity], Max(DOMAIN_EVENT_GRAPHICS_IDENTITY_MAX)]


DOMAIN_EVENT_GRAPHICS = event(173, "DOMAIN_EVENT_GRAPHICS", DomainEventGraphicsMsg)


class DomainEventIoErrorReasonMsg(Struct):
    dom: NonnullDomain
    src_path: NonnullString
    dev_alias: NonnullString
    action: Int
    reason: NonnullString


DOMAIN_EVENT_IO_ERROR_REASON = event(195, "DOMAIN_EVENT_IO_ERROR_REASON", DomainEventIoErrorReasonMsg)


class DomainEventControlErrorMsg(Struct):
    dom: NonnullDomain


DOMAIN_EVENT_CONTROL_ERROR = event(224, "DOMAIN_EVENT_CONTROL_ERROR", DomainEventControlErrorMsg)


class DomainEventBlockJobMsg(Struct):
    dom: NonnullDomain
    path: NonnullString
    type: Int
    status: Int


DOMAIN_EVENT_BLOCK_JOB = event(241, "DOMAIN_EVENT_BLOCK_JOB", DomainEventBlockJobMsg)


class DomainEventDiskChangeMsg(Struct):
    dom: NonnullDomain
    old_src_path: String
    new_src_path: String
    dev_alias: NonnullString
    reason: Int


DOMAIN_EVENT_DISK_CHANGE = event(248, "DOMAIN_EVENT_DISK_CHANGE", DomainEventDiskChangeMsg)


class DomainEventTrayChangeMsg(Struct):
    dom: NonnullDomain
    dev_alias: NonnullString
    reason: Int


DOMAIN_EVENT_TRAY_CHANGE = event(268, "DOMAIN_EVENT_TRAY_CHANGE", DomainEventTrayChangeMsg)


class DomainEventPmwakeupMsg(Struct):
    dom: NonnullDomain


DOMAIN_EVENT_PMWAKEUP = event(269, "DOMAIN_EVENT_PMWAKEUP", DomainEventPmwakeupMsg)


class DomainEventPmsuspendMsg(Struct):
    dom: NonnullDomain


DOMAIN_EVENT_PMSUSPEND = event(270, "DOMAIN_EVENT_PMSUSPEND", DomainEventPmsuspendMsg)


class DomainEventBalloonChangeMsg(Struct):
    dom: NonnullDomain
    actual: UHyper


DOMAIN_EVENT_BALLOON_CHANGE = event(276, "DOMAIN_EVENT_BALLOON_CHANGE", DomainEventBalloonChangeMsg)


class DomainEventPmsuspendDiskMsg(Struct):
    dom: NonnullDomain


DOMAIN_EVENT_PMSUSPEND_DISK = event(292, "DOMAIN_EVENT_PMSUSPEND_DISK", DomainEventPmsuspendDiskMsg)


class DomainEventDeviceRemovedMsg(Struct):
    dom: NonnullDomain
    dev_alias: NonnullString


DOMAIN_EVENT_DEVICE_REMOVED = event(311, "DOMAIN_EVENT_DEVICE_REMOVED", DomainEventDeviceRemovedMsg)


class ConnectDomainEventCallbackRegisterAnyArgs(Struct):
    event_id: Int
    dom: Domain


class ConnectDomainEventCallbackRegisterAnyRet(Struct):
    callback_id: Int


CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY = procedure(
    316, "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
    ConnectDomainEventCallbackRegisterAnyArgs, ConnectDomainEventCallbackRegisterAnyRet, edge="event-register",
    readonly=ALLOWED, acl=("connect:search_domains",), aclfilter=("domain:getattr",),
    api="virConnectDomainEventRegisterAny", high_priority=True,
)


class ConnectDomainEventCallbackDeregisterAnyArgs(Struct):
    callback_id: Int


CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY = procedure(
    317, "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", ConnectDomainEventCallbackDeregisterAnyArgs, None,
    edge="event-deregister", readonly=ALLOWED, acl=("connect:read",), api="virConnectDomainEventDeregisterAny",
    high_priority=True,
)


class DomainEventCallbackLifecycleMsg(Struct):
    callback_id: Int
    msg: DomainEventLifecycleMsg


DOMAIN_EVENT_CALLBACK_LIFECYCLE = event(318, "DOMAIN_EVENT_CALLBACK_LIFECYCLE", DomainEventCallbackLifecycleMsg)


class DomainEventCallbackRebootMsg(Struct):
    callback_id: Int
    msg: DomainEventRebootMsg


DOMAIN_EVENT_CALLBACK_REBOOT = event(319, "DOMAIN_EVENT_CALLBACK_REBOOT", DomainEventCallbackRebootMsg)


class DomainEventCallbackRtcChangeMsg(Struct):
    callback_id: Int
    msg: DomainEventRtcChangeMsg


DOMAIN_EVENT_CALLBACK_RTC_CHANGE = event(320, "DOMAIN_EVENT_CALLBACK_RTC_CHANGE", DomainEventCallbackRtcChangeMsg)


class DomainEventCallbackWatchdogMsg(Struct):
    callback_id: Int
    msg: DomainEventWatchdogMsg


DOMAIN_EVENT_CALLBACK_WATCHDOG = event(321, "DOMAIN_EVENT_CALLBACK_WATCHDOG", DomainEventCallbackWatchdogMsg)


class DomainEventCallbackIoErrorMsg(Struct):
    callback_id: Int
    msg: DomainEventIoErrorMsg


DOMAIN_EVENT_CALLBACK_IO_ERROR = event(322, "DOMAIN_EVENT_CALLBACK_IO_ERROR", DomainEventCallbackIoErrorMsg)


class DomainEventCallbackGraphicsMsg(Struct):
    callback_id: Int
    msg: DomainEventGraphicsMsg


DOMAIN_EVENT_CALLBACK_GRAPHICS = event(323, "DOMAIN_EVENT_CALLBACK_GRAPHICS", DomainEventCallbackGraphicsMsg)


class DomainEventCallbackIoErrorReasonMsg(Struct):
    callback_id: Int
    msg: DomainEventIoErrorReasonMsg


DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON = event(
    324, "DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON",
    DomainEventCallbackIoErrorReasonMsg,
)


class DomainEventCallbackControlErrorMsg(Struct):
    callback_id: Int
    msg: DomainEventControlErrorMsg


DOMAIN_EVENT_CALLBACK_CONTROL_ERROR = event(
    325, "DOMAIN_EVENT_CALLBACK_CONTROL_ERROR",
    DomainEventCallbackControlErrorMsg,
)


class DomainEventCallbackBlockJobMsg(Struct):
    callback_id: Int
    msg: DomainEventBlockJobMsg


DOMAIN_EVENT_CALLBACK_BLOCK_JOB = event(326, "DOMAIN_EVENT_CALLBACK_BLOCK_JOB", DomainEventCallbackBlockJobMsg)


class DomainEventCallbackDiskChangeMsg(Struct):
    callback_id: Int
    msg: DomainEventDiskChangeMsg


DOMAIN_EVENT_CALLBACK_DISK_CHANGE = event(327, "DOMAIN_EVENT_CALLBACK_DISK_CHANGE", DomainEventCallbackDiskChangeMsg)


class DomainEventCallbackTrayChangeMsg(Struct):
    callback_id: Int
    msg: DomainEventTrayChangeMsg


DOMAIN_EVENT_CALLBACK_TRAY_CHANGE = event(328, "DOMAIN_EVENT_CALLBACK_TRAY_CHANGE", DomainEventCallbackTrayChangeMsg)


class DomainEventCallbackPmwakeupMsg(Struct):
    callback_id: Int
    reason: Int
    msg: DomainEventPmwakeupMsg


DOMAIN_EVENT_CALLBACK_PMWAKEUP = event(329, "DOMAIN_EVENT_CALLBACK_PMWAKEUP", DomainEventCallbackPmwakeupMsg)


class DomainEventCallbackPmsuspendMsg(Struct):
    callback_id: Int
    reason: Int
    msg: DomainEventPmsuspendMsg


DOMAIN_EVENT_CALLBACK_PMSUSPEND = event(330, "DOMAIN_EVENT_CALLBACK_PMSUSPEND", DomainEventCallbackPmsuspendMsg)


class DomainEventCallbackBalloonChangeMsg(Struct):
    callback_id: Int
    msg: DomainEventBalloonChangeMsg


DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE = event(
    331, "DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE",
    DomainEventCallbackBalloonChangeMsg,
)


class DomainEventCallbackPmsuspendDiskMsg(Struct):
    callback_id: Int
    reason: Int
    msg: DomainEventPmsuspendDiskMsg


DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK = event(
    332, "DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK",
    DomainEventCallbackPmsuspendDiskMsg,
)


class DomainEventCallbackDeviceRemovedMsg(Struct):
    callback_id: Int
    msg: DomainEventDeviceRemovedMsg


DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED = event(
    333, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED",
    DomainEventCallbackDeviceRemovedMsg,
)


class DomainEventBlockJob2Msg(Struct):
    callback_id: Int
    dom: NonnullDomain
    dst: NonnullString
    type: Int
    status: Int


DOMAIN_EVENT_BLOCK_JOB_2 = event(339, "DOMAIN_EVENT_BLOCK_JOB_2", DomainEventBlockJob2Msg)


class DomainEventCallbackTunableMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_EVENT_TUNABLE_MAX)]


DOMAIN_EVENT_CALLBACK_TUNABLE = event(346, "DOMAIN_EVENT_CALLBACK_TUNABLE", DomainEventCallbackTunableMsg)


class DomainEventCallbackAgentLifecycleMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    state: Int
    reason: Int


DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE = event(
    348, "DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE",
    DomainEventCallbackAgentLifecycleMsg,
)


class DomainEventCallbackDeviceAddedMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    dev_alias: NonnullString


DOMAIN_EVENT_CALLBACK_DEVICE_ADDED = event(
    354, "DOMAIN_EVENT_CALLBACK_DEVICE_ADDED",
    DomainEventCallbackDeviceAddedMsg,
)


class DomainEventCallbackMigrationIterationMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    iteration: Int


DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION = event(
    359, "DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION",
    DomainEventCallbackMigrationIterationMsg,
)


class DomainEventCallbackJobCompletedMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_JOB_STATS_MAX)]


DOMAIN_EVENT_CALLBACK_JOB_COMPLETED = event(
    363, "DOMAIN_EVENT_CALLBACK_JOB_COMPLETED",
    DomainEventCallbackJobCompletedMsg,
)


class DomainEventCallbackDeviceRemovalFailedMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    dev_alias: NonnullString


DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED = event(
    367, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED",
    DomainEventCallbackDeviceRemovalFailedMsg,
)


class DomainEventCallbackMetadataChangeMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    type: Int
    nsuri: String


DOMAIN_EVENT_CALLBACK_METADATA_CHANGE = event(
    379, "DOMAIN_EVENT_CALLBACK_METADATA_CHANGE",
    DomainEventCallbackMetadataChangeMsg,
)


class DomainEventBlockThresholdMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    dev: NonnullString
    path: String
    threshold: UHyper
    excess: UHyper


DOMAIN_EVENT_BLOCK_THRESHOLD = event(385, "DOMAIN_EVENT_BLOCK_THRESHOLD", DomainEventBlockThresholdMsg)


class DomainEventMemoryFailureMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    recipient: Int
    action: Int
    flags: UInt


DOMAIN_EVENT_MEMORY_FAILURE = event(423, "DOMAIN_EVENT_MEMORY_FAILURE", DomainEventMemoryFailureMsg)


class DomainEventMemoryDeviceSizeChangeMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    alias: NonnullString
    size: UHyper


DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE = event(
    438, "DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE",
    DomainEventMemoryDeviceSizeChangeMsg,
)


class DomainEventNicMacChangeMsg(Struct):
    callback_id: Int
    dom: NonnullDomain
    alias: NonnullString
    old_mac: NonnullString
    new_mac: NonnullString


DOMAIN_EVENT_NIC_MAC_CHANGE = event(453, "DOMAIN_EVENT_NIC_MAC_CHANGE", DomainEventNicMacChangeMsg, since="11.3")
