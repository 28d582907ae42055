# SPDX-License-Identifier: LGPL-2.1-or-later
"""The procedures that the SDK serves for every driver: event registration, features, the close callback; and
URI, type and library version of a connection for those that say nothing of them.

The local backend looks here before it looks at the driver. A driver that emits no events of a class has
no registration for it either, and answers so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from virtproxy.access.origin import error_domain
from virtproxy.driver.events import EventClass
from virtproxy.errors import no_support
from virtproxy.protocol import remote
from virtproxy.protocol.enums.limits import LIBVIR_VERSION_NUMBER
from virtproxy.protocol.features import COMMON_TO_DRIVERS
from virtproxy.protocol.schema import Procedure

if TYPE_CHECKING:
    from virtproxy.driver.backend import LocalBackend
    from virtproxy.driver.call import Call

Served = Callable[["LocalBackend", "Call", Any], Any]


def _needs(backend: LocalBackend, call: Call, event_class: EventClass) -> None:
    if event_class not in backend.driver.event_classes:
        raise no_support(call.procedure.api or call.procedure.name, error_domain(call.procedure))


def _modern(event_class: EventClass, subject_field: str, result: Callable[[int], Any]) -> Served:
    """A registration that returns a callback id and may name one object."""

    def register(backend: LocalBackend, call: Call, args: Any) -> Any:
        _needs(backend, call, event_class)
        return result(backend.registrations.add(event_class, args.event_id, getattr(args, subject_field)))

    return register


def _drop(event_class: EventClass) -> Served:
    """A deregistration by callback id."""

    def deregister(backend: LocalBackend, call: Call, args: Any) -> None:
        _needs(backend, call, event_class)
        backend.registrations.remove(event_class, args.callback_id)

    return deregister


def _legacy_lifecycle(backend: LocalBackend, call: Call, args: Any) -> Any:
    _needs(backend, call, EventClass.DOMAIN)
    backend.registrations.add(EventClass.DOMAIN, 0, legacy=True)
    return remote.ConnectDomainEventRegisterRet(cb_registered=0)


def _legacy_lifecycle_drop(backend: LocalBackend, call: Call, args: Any) -> Any:
    _needs(backend, call, EventClass.DOMAIN)
    backend.registrations.remove_first(0)
    return remote.ConnectDomainEventDeregisterRet(cb_registered=0)


def _legacy(backend: LocalBackend, call: Call, args: remote.ConnectDomainEventRegisterAnyArgs) -> None:
    _needs(backend, call, EventClass.DOMAIN)
    backend.registrations.add(EventClass.DOMAIN, args.event_id, legacy=True)


def _legacy_drop(backend: LocalBackend, call: Call, args: remote.ConnectDomainEventDeregisterAnyArgs) -> None:
    _needs(backend, call, EventClass.DOMAIN)
    backend.registrations.remove_first(args.event_id)


def _feature(backend: LocalBackend, call: Call, args: remote.ConnectSupportsFeatureArgs) -> Any:
    common = {int(feature) for feature, answer in COMMON_TO_DRIVERS.items() if answer}
    yes = args.feature in common or args.feature in backend.driver.features
    return remote.ConnectSupportsFeatureRet(supported=int(yes))


def _nothing(backend: LocalBackend, call: Call, args: Any) -> None:
    """A local driver goes away only with the daemon: the close callback is accepted and never fires."""


# Whose aclfilter says who may hear an event of a class.
REGISTERS: dict[EventClass, Procedure[Any, Any]] = {
    EventClass.DOMAIN: remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
    EventClass.NETWORK: remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
    EventClass.STORAGE: remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
    EventClass.NODEDEV: remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
    EventClass.SECRET: remote.CONNECT_SECRET_EVENT_REGISTER_ANY,
}

_TABLE: tuple[tuple[Procedure[Any, Any], Served], ...] = (
    (remote.CONNECT_SUPPORTS_FEATURE, _feature),
    (remote.CONNECT_REGISTER_CLOSE_CALLBACK, _nothing),
    (remote.CONNECT_UNREGISTER_CLOSE_CALLBACK, _nothing),
    (remote.CONNECT_DOMAIN_EVENT_REGISTER, _legacy_lifecycle),
    (remote.CONNECT_DOMAIN_EVENT_DEREGISTER, _legacy_lifecycle_drop),
    (remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY, _legacy),
    (remote.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, _legacy_drop),
    (
        remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
        _modern(EventClass.DOMAIN, "dom", remote.ConnectDomainEventCallbackRegisterAnyRet),
    ),
    (remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, _drop(EventClass.DOMAIN)),
    (
        remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
        _modern(EventClass.NETWORK, "net", remote.ConnectNetworkEventRegisterAnyRet),
    ),
    (remote.CONNECT_NETWORK_EVENT_DEREGISTER_ANY, _drop(EventClass.NETWORK)),
    (
        remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
        _modern(EventClass.STORAGE, "pool", remote.ConnectStoragePoolEventRegisterAnyRet),
    ),
    (remote.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY, _drop(EventClass.STORAGE)),
    (
        remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
        _modern(EventClass.NODEDEV, "dev", remote.ConnectNodeDeviceEventRegisterAnyRet),
    ),
    (remote.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, _drop(EventClass.NODEDEV)),
    (
        remote.CONNECT_SECRET_EVENT_REGISTER_ANY,
        _modern(EventClass.SECRET, "secret", remote.ConnectSecretEventRegisterAnyRet),
    ),
    (remote.CONNECT_SECRET_EVENT_DEREGISTER_ANY, _drop(EventClass.SECRET)),
)
SERVED = dict(_TABLE)


def _uri(backend: LocalBackend, call: Call, args: None) -> Any:
    return remote.ConnectGetUriRet(uri=call.uri)


def _type(backend: LocalBackend, call: Call, args: None) -> Any:
    return remote.ConnectGetTypeRet(type=backend.driver.name)


def _library_version(backend: LocalBackend, call: Call, args: None) -> Any:
    return remote.ConnectGetLibVersionRet(lib_ver=LIBVIR_VERSION_NUMBER)


# The same for a driver that does not serve them itself.
DEFAULTS: dict[Procedure[Any, Any], Served] = {
    remote.CONNECT_GET_URI: _uri,
    remote.CONNECT_GET_TYPE: _type,
    remote.CONNECT_GET_LIB_VERSION: _library_version,
}
