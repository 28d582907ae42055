# SPDX-License-Identifier: LGPL-2.1-or-later
"""Event registrations: old and new, filters, the limits of ids, and who hears what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.toy import GUEST, OTHER, UUID, Guest, ToyDriver, error_of, result_of
from virtproxy.driver import Driver, ErrorCode, ErrorDomain, EventClass, Identity, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.frame import Frame

LIFECYCLE = 0
REGISTER = remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
DEREGISTER = remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY


class EveryEvent(Driver):
    """Emits every class of event."""

    name = "every"
    event_classes = frozenset(EventClass)


class Network:
    def ref(self) -> remote.NonnullNetwork:
        return remote.NonnullNetwork(name="n", uuid=UUID)


class Device:
    def ref(self) -> remote.NonnullNodeDevice:
        return remote.NonnullNodeDevice(name="d")


@pytest.fixture
def driver() -> ToyDriver:
    return ToyDriver()


@pytest.fixture
def harness(driver: ToyDriver) -> DriverHarness:
    return DriverHarness(driver)


def register(harness: DriverHarness, event_id: int = LIFECYCLE, dom: remote.NonnullDomain | None = None) -> int:
    """Register the modern way and return the callback id."""
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=event_id, dom=dom)
    return result_of(harness.call(REGISTER, args)).callback_id


def suspend(harness: DriverHarness) -> None:
    result_of(harness.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=GUEST)))


def test_a_modern_registration_gets_events_with_its_callback_id(harness: DriverHarness) -> None:
    first, second = register(harness), register(harness)
    suspend(harness)
    body = remote.DomainEventLifecycleMsg(dom=GUEST, event=3, detail=0)
    message = remote.DomainEventCallbackLifecycleMsg
    assert harness.events == [
        (remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, message(callback_id=first, msg=body)),
        (remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, message(callback_id=second, msg=body)),
    ]
    assert first != second


def test_a_legacy_registration_gets_the_legacy_message(harness: DriverHarness) -> None:
    assert result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_REGISTER, None)).cb_registered == 0
    args = remote.ConnectDomainEventRegisterAnyArgs(event_id=LIFECYCLE)
    result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY, args))
    suspend(harness)
    body = remote.DomainEventLifecycleMsg(dom=GUEST, event=3, detail=0)
    assert harness.events == [(remote.DOMAIN_EVENT_LIFECYCLE, body)] * 2


def test_an_event_without_legacy_form_is_flat(harness: DriverHarness, driver: ToyDriver) -> None:
    callback = register(harness, event_id=19)
    driver.emit(remote.DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, driver.guest, "net0")
    ((event, message),) = harness.events
    assert event is remote.DOMAIN_EVENT_CALLBACK_DEVICE_ADDED
    assert (message.callback_id, message.dom, message.dev_alias) == (callback, GUEST, "net0")


def test_a_registration_for_one_domain_hears_of_that_one_only(harness: DriverHarness, driver: ToyDriver) -> None:
    register(harness, dom=OTHER)
    suspend(harness)
    assert harness.events == []
    driver.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, Guest(OTHER), 2, 0)
    assert [message.msg.dom for _, message in harness.events] == [OTHER]


def test_other_ids_are_not_heard(harness: DriverHarness) -> None:
    register(harness, event_id=1)
    suspend(harness)
    assert harness.events == []


def test_every_client_hears_and_none_after_it_left(driver: ToyDriver) -> None:
    first, second = DriverHarness(driver), DriverHarness(driver)
    register(first)
    register(second)
    suspend(first)
    second.close()
    suspend(first)
    assert (len(first.events), len(second.events)) == (2, 1)


def test_a_caller_without_permission_hears_nothing(driver: ToyDriver) -> None:
    class NoDomains:
        def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
            return (kind, permission) != ("domain", "getattr")

    harness = DriverHarness(driver, access=NoDomains())
    register(harness)
    driver.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, driver.guest, 3, 0)
    assert harness.events == []


def test_deregistering_ends_it(harness: DriverHarness) -> None:
    callback = register(harness)
    args = remote.ConnectDomainEventCallbackDeregisterAnyArgs(callback_id=callback)
    result_of(harness.call(DEREGISTER, args))
    suspend(harness)
    assert harness.events == []
    error = error_of(harness, DEREGISTER, args)
    assert error.message == f"internal error: domain event callback {callback} not registered"


def test_another_clients_callback_is_not_found(driver: ToyDriver) -> None:
    first, second = DriverHarness(driver), DriverHarness(driver)
    args = remote.ConnectDomainEventCallbackDeregisterAnyArgs(callback_id=register(first))
    assert error_of(second, DEREGISTER, args).code == ErrorCode.INTERNAL_ERROR


def test_legacy_deregistering_takes_the_first_of_either_style(harness: DriverHarness) -> None:
    register(harness)
    result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_REGISTER, None))
    assert result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_DEREGISTER, None)).cb_registered == 0
    suspend(harness)
    assert [event for event, _ in harness.events] == [remote.DOMAIN_EVENT_LIFECYCLE]
    args = remote.ConnectDomainEventDeregisterAnyArgs(event_id=LIFECYCLE)
    result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, args))
    error = error_of(harness, remote.CONNECT_DOMAIN_EVENT_DEREGISTER, None)
    assert (error.code, error.domain) == (ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC)
    assert error.message == "internal error: domain event 0 not registered"


@pytest.mark.parametrize(
    ("procedure", "args", "text"),
    [
        (REGISTER, remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=28, dom=None), "unsupported event ID 28"),
        (REGISTER, remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=-1, dom=None), "unsupported event ID -1"),
        (
            remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY,
            remote.ConnectDomainEventRegisterAnyArgs(event_id=16),
            "unsupported event ID 16",
        ),
        (
            remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
            remote.ConnectNetworkEventRegisterAnyArgs(event_id=2, net=None),
            "unsupported network event ID 2",
        ),
        (
            remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
            remote.ConnectStoragePoolEventRegisterAnyArgs(event_id=2, pool=None),
            "unsupported storage pool event ID 2",
        ),
        (
            remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
            remote.ConnectNodeDeviceEventRegisterAnyArgs(event_id=2, dev=None),
            "unsupported node device event ID 2",
        ),
        (
            remote.CONNECT_SECRET_EVENT_REGISTER_ANY,
            remote.ConnectSecretEventRegisterAnyArgs(event_id=2, secret=None),
            "unsupported secret event ID 2",
        ),
        (
            remote.CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
            remote.ConnectNetworkEventDeregisterAnyArgs(callback_id=5),
            "network event callback 5 not registered",
        ),
        (
            remote.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
            remote.ConnectStoragePoolEventDeregisterAnyArgs(callback_id=5),
            "storage pool event callback 5 not registered",
        ),
        (
            remote.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY,
            remote.ConnectNodeDeviceEventDeregisterAnyArgs(callback_id=5),
            "node device event callback 5 not registered",
        ),
        (
            remote.CONNECT_SECRET_EVENT_DEREGISTER_ANY,
            remote.ConnectSecretEventDeregisterAnyArgs(callback_id=5),
            "node device event callback 5 not registered",
        ),
    ],
)
def test_the_texts_of_refusals(procedure: Procedure[Any, Any], args: Any, text: str) -> None:
    error = error_of(DriverHarness(EveryEvent()), procedure, args)
    assert (error.code, error.message) == (ErrorCode.INTERNAL_ERROR, f"internal error: {text}")


def test_the_classes_do_not_mix() -> None:
    driver = EveryEvent()
    harness = DriverHarness(driver)
    network = remote.ConnectNetworkEventRegisterAnyArgs(event_id=0, net=None)
    callback = result_of(harness.call(remote.CONNECT_NETWORK_EVENT_REGISTER_ANY, network)).callback_id
    device = remote.ConnectNodeDeviceEventRegisterAnyArgs(event_id=0, dev=Device().ref())
    result_of(harness.call(remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, device))
    driver.emit(remote.NETWORK_EVENT_LIFECYCLE, Network(), 1, 0)
    driver.emit(remote.NODE_DEVICE_EVENT_LIFECYCLE, Device(), 1, 0)
    assert [event.name for event, _ in harness.events] == ["NETWORK_EVENT_LIFECYCLE", "NODE_DEVICE_EVENT_LIFECYCLE"]
    wrong_class = remote.ConnectDomainEventCallbackDeregisterAnyArgs(callback_id=callback)
    assert error_of(harness, DEREGISTER, wrong_class).code == ErrorCode.INTERNAL_ERROR


def test_a_driver_without_a_class_of_events_does_not_support_it(harness: DriverHarness) -> None:
    args = remote.ConnectNetworkEventRegisterAnyArgs(event_id=0, net=None)
    error = error_of(harness, remote.CONNECT_NETWORK_EVENT_REGISTER_ANY, args)
    assert (error.code, error.str2) == (ErrorCode.NO_SUPPORT, "virConnectNetworkEventRegisterAny")


class Pool:
    def ref(self) -> remote.NonnullStoragePool:
        return remote.NonnullStoragePool(name="p", uuid=UUID)


class Secret:
    def ref(self) -> remote.NonnullSecret:
        return remote.NonnullSecret(uuid=UUID, usage_type=0, usage_id="")


@pytest.mark.parametrize(
    ("register_any", "args", "event", "thing", "drop", "dropping"),
    [
        (
            remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
            remote.ConnectNetworkEventRegisterAnyArgs,
            remote.NETWORK_EVENT_LIFECYCLE,
            Network(),
            remote.CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
            remote.ConnectNetworkEventDeregisterAnyArgs,
        ),
        (
            remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
            remote.ConnectStoragePoolEventRegisterAnyArgs,
            remote.STORAGE_POOL_EVENT_LIFECYCLE,
            Pool(),
            remote.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
            remote.ConnectStoragePoolEventDeregisterAnyArgs,
        ),
        (
            remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
            remote.ConnectNodeDeviceEventRegisterAnyArgs,
            remote.NODE_DEVICE_EVENT_LIFECYCLE,
            Device(),
            remote.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY,
            remote.ConnectNodeDeviceEventDeregisterAnyArgs,
        ),
        (
            remote.CONNECT_SECRET_EVENT_REGISTER_ANY,
            remote.ConnectSecretEventRegisterAnyArgs,
            remote.SECRET_EVENT_LIFECYCLE,
            Secret(),
            remote.CONNECT_SECRET_EVENT_DEREGISTER_ANY,
            remote.ConnectSecretEventDeregisterAnyArgs,
        ),
    ],
)
def test_every_class_is_heard_of_for_all_and_for_one_until_it_is_dropped(
    register_any: Procedure[Any, Any], args: Any, event: Procedure[Any, Any], thing: Any, drop: Any, dropping: Any
) -> None:
    driver = EveryEvent()
    harness = DriverHarness(driver)
    everything = result_of(harness.call(register_any, args(0, None))).callback_id
    this = result_of(harness.call(register_any, args(0, thing.ref()))).callback_id
    driver.emit(event, thing, 1, 2)
    assert [(one, message.callback_id) for one, message in harness.events] == [(event, everything), (event, this)]
    result_of(harness.call(drop, dropping(everything)))
    driver.emit(event, thing, 1, 2)
    assert [message.callback_id for _, message in harness.events[2:]] == [this]


def test_an_event_is_encoded_once_for_all_who_registered_alike(driver: ToyDriver) -> None:
    sent: list[Frame] = []

    class Listening(DriverHarness):
        def send(self, frame: Frame) -> None:
            sent.append(frame)

    clients = [Listening(driver) for _ in range(5)]
    for client in clients:
        register(client)
    register(clients[0])
    legacy = remote.ConnectDomainEventRegisterAnyArgs(event_id=LIFECYCLE)
    for client in clients[3:]:
        result_of(client.call(remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY, legacy))
    suspend(clients[0])
    assert len(sent) == 8
    assert len({id(frame) for frame in sent}) == 3
