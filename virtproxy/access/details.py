# SPDX-License-Identifier: LGPL-2.1-or-later
"""The details of a thing as rules of polkit read them: the `details` of a `decision.Thing`, one function a kind.

Whoever describes a thing calls these with what its daemon knows. A detail that is not known is left out, never empty.
"""

from __future__ import annotations

from virtproxy.protocol.enums.secret import SecretUsageType

Details = tuple[tuple[str, str], ...]

# Only the usage of a secret's own type is told.
SECRET_USAGE_ATTRIBUTE: dict[int, str] = {
    SecretUsageType.VOLUME: "secret_usage_volume",
    SecretUsageType.CEPH: "secret_usage_ceph",
    SecretUsageType.ISCSI: "secret_usage_target",
    SecretUsageType.TLS: "secret_usage_name",
    SecretUsageType.VTPM: "secret_usage_name",
}


def domain(name: str, uuid: str) -> Details:
    """Of a guest; UUIDs here and below are in the usual text form."""
    return (("domain_name", name), ("domain_uuid", uuid))


def interface(name: str, mac: str | None) -> Details:
    """Of a host's interface and its hardware address."""
    return _known(("interface_name", name), ("interface_macaddr", mac))


def network(name: str, uuid: str) -> Details:
    """Of a network."""
    return (("network_name", name), ("network_uuid", uuid))


def network_port(network_name: str, network_uuid: str, uuid: str) -> Details:
    """Of a port of a network."""
    return (*network(network_name, network_uuid), ("port_uuid", uuid))


def node_device(name: str) -> Details:
    """Of a host's device."""
    return (("node_device_name", name),)


def nwfilter(name: str, uuid: str) -> Details:
    """Of a network filter."""
    return (("nwfilter_name", name), ("nwfilter_uuid", uuid))


def nwfilter_binding(port_device: str, link_device: str | None, filter_name: str | None) -> Details:
    """Of a filter's binding to a guest's port."""
    return _known(
        ("nwfilter_binding_portdev", port_device),
        ("nwfilter_binding_linkdev", link_device),
        ("nwfilter_binding_filter", filter_name),
    )


def secret(uuid: str, usage_type: int, usage_id: str | None) -> Details:
    """Of a secret; `usage_type` is a virSecretUsageType."""
    attribute = SECRET_USAGE_ATTRIBUTE.get(usage_type)
    if attribute is None:
        return (("secret_uuid", uuid),)
    return _known(("secret_uuid", uuid), (attribute, usage_id))


def storage_pool(name: str, uuid: str) -> Details:
    """Of a pool."""
    return (("pool_name", name), ("pool_uuid", uuid))


def storage_vol(pool_name: str, pool_uuid: str, name: str, key: str | None) -> Details:
    """Of a volume, with its pool."""
    return _known(*storage_pool(pool_name, pool_uuid), ("vol_name", name), ("vol_key", key))


def _known(*details: tuple[str, str | None]) -> Details:
    return tuple((name, value) for name, value in details if value is not None)
