# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is on a made-up host, as a configuration file of the test driver that makes the same host again.

It is asked for by the driver's own procedures. What libvirt's form has no place for, autostart and what is not started,
are attributes of a name space of our own.
"""

from __future__ import annotations

from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.driver import VirtError, remote
from virtproxy.driver.own_calls import call_own
from virtproxy.drivers.test.furnish import Furnished
from virtproxy.drivers.test.guests import Guest
from virtproxy.drivers.test.node_config import NAMESPACE, OWN_NAMESPACE
from virtproxy.drivers.test.plan import NodeFacts

SECURE = 1


async def state_of(host: Furnished) -> str:
    """The file's text."""
    root = Element("node", {"xmlns:test": NAMESPACE, "xmlns:vp": OWN_NAMESPACE})
    root.children += _machine(host.facts or NodeFacts())
    root.children += await _networks(host)
    root.children += await _interfaces(host)
    root.children += await _pools(host)
    root.children += [parse(device.document.format()) for device in host.devices]
    for guest in host.guests:
        root.children.append(await _guest(host, guest))
    return format_document(root)


def _machine(facts: NodeFacts) -> list[Element | str]:
    cpu = Element("cpu")
    words = {"mhz": facts.mhz, "model": facts.model, "active": facts.cpus, "nodes": facts.nodes}
    words |= {"sockets": facts.sockets, "cores": facts.cores, "threads": facts.threads}
    cpu.children += [Element(name, text=str(value)) for name, value in words.items()]
    return [cpu, Element("memory", text=str(facts.memory))]


def _marked(xml: str, *, active: bool, autostart: bool) -> Element:
    root = parse(xml)
    root.attributes |= {"vp:active": "yes" if active else "no", "vp:autostart": "yes" if autostart else "no"}
    return root


async def _networks(host: Furnished) -> list[Element]:
    found = []
    wanted = remote.ConnectListAllNetworksArgs(need_results=1, flags=0)
    for net in (await call_own(host, remote.CONNECT_LIST_ALL_NETWORKS, wanted)).nets:
        xml = (await call_own(host, remote.NETWORK_GET_XML_DESC, remote.NetworkGetXmlDescArgs(net=net, flags=0))).xml
        active = (await call_own(host, remote.NETWORK_IS_ACTIVE, remote.NetworkIsActiveArgs(net=net))).active
        auto = await call_own(host, remote.NETWORK_GET_AUTOSTART, remote.NetworkGetAutostartArgs(net=net))
        found.append(_marked(xml, active=bool(active), autostart=bool(auto.autostart)))
    return found


async def _interfaces(host: Furnished) -> list[Element]:
    found = []
    wanted = remote.ConnectListAllInterfacesArgs(need_results=1, flags=0)
    for iface in (await call_own(host, remote.CONNECT_LIST_ALL_INTERFACES, wanted)).ifaces:
        asked = remote.InterfaceGetXmlDescArgs(iface=iface, flags=0)
        xml = (await call_own(host, remote.INTERFACE_GET_XML_DESC, asked)).xml
        active = (await call_own(host, remote.INTERFACE_IS_ACTIVE, remote.InterfaceIsActiveArgs(iface=iface))).active
        found.append(_marked(xml, active=bool(active), autostart=False))
    return found


async def _pools(host: Furnished) -> list[Element]:
    found = []
    wanted = remote.ConnectListAllStoragePoolsArgs(need_results=1, flags=0)
    for pool in (await call_own(host, remote.CONNECT_LIST_ALL_STORAGE_POOLS, wanted)).pools:
        asked = remote.StoragePoolGetXmlDescArgs(pool=pool, flags=0)
        xml = (await call_own(host, remote.STORAGE_POOL_GET_XML_DESC, asked)).xml
        active = (await call_own(host, remote.STORAGE_POOL_IS_ACTIVE, remote.StoragePoolIsActiveArgs(pool=pool))).active
        auto = await call_own(host, remote.STORAGE_POOL_GET_AUTOSTART, remote.StoragePoolGetAutostartArgs(pool=pool))
        root = _marked(xml, active=bool(active), autostart=bool(auto.autostart))
        root.children += await _volumes(host, pool) if active else []
        found.append(root)
    return found


async def _volumes(host: Furnished, pool: remote.NonnullStoragePool) -> list[Element]:
    wanted = remote.StoragePoolListAllVolumesArgs(pool=pool, need_results=1, flags=0)
    vols = (await call_own(host, remote.STORAGE_POOL_LIST_ALL_VOLUMES, wanted)).vols
    asked = [remote.StorageVolGetXmlDescArgs(vol=vol, flags=0) for vol in vols]
    return [parse((await call_own(host, remote.STORAGE_VOL_GET_XML_DESC, one)).xml) for one in asked]


async def _guest(host: Furnished, guest: Guest) -> Element:
    wanted = remote.DomainGetXmlDescArgs(dom=guest.ref(), flags=SECURE)
    xml = (await call_own(host, remote.DOMAIN_GET_XML_DESC, wanted)).xml
    root = _marked(xml, active=True, autostart=guest.autostart)
    del root.attributes["vp:active"]
    root.attributes.pop("id", None)
    root.children.append(Element("test:runstate", text=str(int(guest.state))))
    if not guest.persistent:
        root.children.append(Element("test:transient"))
    if guest.managed_save:
        root.children.append(Element("test:hasmanagedsave", text="1"))
    root.children += await _snapshots(host, guest)
    return root


async def _snapshots(host: Furnished, guest: Guest) -> list[Element]:
    wanted = remote.DomainListAllSnapshotsArgs(dom=guest.ref(), need_results=1, flags=0)
    found = []
    for snap in (await call_own(host, remote.DOMAIN_LIST_ALL_SNAPSHOTS, wanted)).snapshots:
        asked = remote.DomainSnapshotGetXmlDescArgs(snap=snap, flags=SECURE)
        root = parse((await call_own(host, remote.DOMAIN_SNAPSHOT_GET_XML_DESC, asked)).xml)
        root.name = "test:domainsnapshot"
        root.children.append(Element("active", text=await _is_current(host, snap)))
        found.append(root)
    return found


async def _is_current(host: Furnished, snap: remote.NonnullDomainSnapshot) -> str:
    try:
        wanted = remote.DomainSnapshotIsCurrentArgs(snap=snap, flags=0)
        return str((await call_own(host, remote.DOMAIN_SNAPSHOT_IS_CURRENT, wanted)).current)
    except VirtError:
        return "0"
