# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a libvirt-python program sees of test:///default, one line a call: run once for each server to compare.

Run by the system's Python with the URI as the only argument; test_against_libvirt.py reads what it prints. Names
are sorted where libvirt's own order is that of a hash table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import libvirt

XML = "<domain type='test'><name>{}</name><memory>1024</memory>{}<os><type>hvm</type></os></domain>"
BROKEN = {
    "empty": "",
    "no domain": "<x/>",
    "cut": "<domain",
    "no name": "<domain type='test'/>",
    "empty name": "<domain type='test'><name></name><memory>1</memory><os><type>hvm</type></os></domain>",
    "slash": "<domain type='test'><name>a/b</name><memory>1</memory><os><type>hvm</type></os></domain>",
    "no type": "<domain><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>",
    "unknown type": "<domain type='foo'><name>a</name></domain>",
    "no os": "<domain type='test'><name>a</name><memory>1</memory></domain>",
    "unknown os": "<domain type='test'><name>a</name><memory>1</memory><os><type>bar</type></os></domain>",
    "no init": "<domain type='lxc'><name>a</name><memory>1</memory><os><type>exe</type></os></domain>",
    "bad uuid": XML.format("a", "<uuid>zz</uuid>"),
    "bad memory": "<domain type='test'><name>a</name><memory>abc</memory><os><type>hvm</type></os></domain>",
    "bad unit": "<domain type='test'><name>a</name><memory unit='foo'>9</memory><os><type>hvm</type></os></domain>",
    "no memory": "<domain type='test'><name>a</name><os><type>hvm</type></os></domain>",
    "bad vcpus": XML.format("a", "<vcpu>x</vcpu>"),
    "too many vcpus": XML.format("a", "<vcpu current='3'>2</vcpu>"),
    "doctype": "<!DOCTYPE d>" + XML.format("a", ""),
}
heard: list[tuple[str, int, int, int]] = []


def say(label: str, call: Callable[..., Any], *args: Any) -> Any:
    """Print what a call gives, or its whole error; return the result."""
    try:
        result = call(*args)
    except libvirt.libvirtError as error:
        print(label, "->", "ERROR", error.err)
        return None
    shown = f"<{result.name()}>" if hasattr(result, "name") else result
    print(label, "->", repr(shown))
    return result


def names(things: list[Any]) -> list[str]:
    """The sorted names of a list of objects."""
    return sorted(thing.name() for thing in things)


def events(count: int) -> None:
    """Wait for that many events, print them, and that no more came."""
    deadline = time.monotonic() + 5
    while len(heard) < count and time.monotonic() < deadline:
        turn(20)
    turn(20)
    print("   events", heard)
    heard.clear()


def turn(milliseconds: int) -> None:
    """Run the event loop until a timer of that length has fired."""
    done: list[int] = []
    timer = libvirt.virEventAddTimeout(milliseconds, lambda timer, _: done.append(timer), None)
    while not done:
        libvirt.virEventRunDefaultImpl()
    libvirt.virEventRemoveTimeout(timer)


def connection(conn: Any) -> None:
    """The facts and the plain lists."""
    for name in (
        "getType", "getVersion", "getLibVersion", "getHostname", "isSecure", "isEncrypted", "isAlive", "getInfo",
        "getSysinfo", "getCapabilities", "listDomainsID", "numOfDomains", "listDefinedDomains",
        "numOfDefinedDomains", "getFreeMemory", "getCPUMap", "numOfNetworks", "listNetworks", "listDefinedNetworks",
        "numOfDefinedNetworks", "numOfStoragePools", "listStoragePools", "listDefinedStoragePools",
        "listInterfaces", "listDefinedInterfaces", "numOfSecrets", "getMemoryParameters", "getDomainCapabilities",
    ):  # fmt: skip
        say(name, getattr(conn, name))
    say("getMaxVcpus", conn.getMaxVcpus, None)
    say("getMaxVcpus kvm", conn.getMaxVcpus, "kvm")
    say("getCellsFreeMemory", conn.getCellsFreeMemory, 0, 2)
    say("getCellsFreeMemory 5", conn.getCellsFreeMemory, 5, 2)
    say("getCPUStats", conn.getCPUStats, -1, 0)
    say("getMemoryStats", conn.getMemoryStats, -1, 0)
    say("getFreePages", conn.getFreePages, [4, 2048], 0, 2)
    say("listDevices", lambda: sorted(conn.listDevices(None)))
    say("listDevices scsi_host", lambda: sorted(conn.listDevices("scsi_host")))
    say("numOfDevices", conn.numOfDevices, "system")
    for bit in range(11):
        flag = 1 << bit
        say(f"networks {flag:#x}", lambda flag=flag: names(conn.listAllNetworks(flag)))
        say(f"pools {flag:#x}", lambda flag=flag: names(conn.listAllStoragePools(flag)))
        say(f"interfaces {flag:#x}", lambda flag=flag: names(conn.listAllInterfaces(flag)))
        say(f"devices {flag:#x}", lambda flag=flag: names(conn.listAllDevices(flag)))


def lookups(conn: Any) -> None:
    """What is not there."""
    say("lookupByName", conn.lookupByName, "zz")
    say("lookupByUUIDString", conn.lookupByUUIDString, "6695eb01-f6a4-8304-79aa-97f2502e193e")
    say("lookupByID", conn.lookupByID, 77)
    say("networkLookupByName", conn.networkLookupByName, "zz")
    say("storagePoolLookupByName", conn.storagePoolLookupByName, "zz")
    say("interfaceLookupByName", conn.interfaceLookupByName, "zz")
    say("interfaceLookupByMACString", conn.interfaceLookupByMACString, "aa:bb:cc:dd:ee:00")
    say("nodeDeviceLookupByName", conn.nodeDeviceLookupByName, "zz")
    say("storageVolLookupByPath", conn.storageVolLookupByPath, "/zz")
    say("storageVolLookupByKey", conn.storageVolLookupByKey, "/zz")


def reports(dom: Any, state: str) -> None:
    """What a domain tells of itself."""
    for name in (
        "info", "maxMemory", "maxVcpus", "autostart", "isActive", "isPersistent", "isUpdated", "OSType",
        "UUIDString", "hasManagedSaveImage", "securityLabel", "schedulerType", "schedulerParameters", "vcpus",
        "jobInfo", "snapshotNum", "snapshotListNames", "listAllSnapshots", "hasCurrentSnapshot", "snapshotCurrent",
        "listAllCheckpoints", "hostname", "controlInfo", "memoryStats", "fsInfo", "vcpuPinInfo", "emulatorPinInfo",
        "getTime",
    ):  # fmt: skip
        say(f"{state} {name}", getattr(dom, name))
    say(f"{state} state", dom.state, 0)
    say(f"{state} state 1", dom.state, 1)
    say(f"{state} blockInfo", dom.blockInfo, "vda")
    say(f"{state} blockInfo zz", dom.blockInfo, "zz")
    say(f"{state} interfaceAddresses", dom.interfaceAddresses, 0)
    say(f"{state} metadata", dom.metadata, 0, None)
    say(f"{state} snapshotLookupByName", dom.snapshotLookupByName, "zz")
    for flags in (0, 1, 2, 4, 8, 16):
        say(f"{state} XMLDesc {flags}", dom.XMLDesc, flags)


def lifecycle(conn: Any, dom: Any) -> None:
    """Every move of a persistent domain, and the refused ones."""
    say("undefine active", dom.undefine)
    events(1)
    say("transient", dom.isPersistent)
    say("define again", conn.defineXML, dom.XMLDesc(0))
    events(1)
    for name in ("suspend", "suspend", "resume", "resume", "reboot", "reset", "create", "shutdown"):
        say(name, getattr(dom, name))
        say("state", dom.state)
    events(3)
    for name in ("shutdown", "destroy", "suspend", "resume", "reboot", "reset", "managedSave"):
        say(f"{name} inactive", getattr(dom, name))
    reports(dom, "inactive")
    say("lookupByID 1", conn.lookupByID, 1)
    say("rename itself", dom.rename, "test")
    say("create", dom.create)
    say("rename active", dom.rename, "other")
    say("create active", dom.create)
    say("create paused", dom.createWithFlags, 1)
    say("destroy graceful", dom.destroyFlags, 1)
    say("destroy 2", dom.destroyFlags, 2)
    events(2)
    say("managed save", lambda: dom.create() or dom.managedSave(0))
    say("has managed save", dom.hasManagedSaveImage)
    say("undefine managed save", dom.undefine)
    for flag in (4, 8, 16, 1):
        say(f"undefine {flag}", dom.undefineFlags, flag)
    events(3)
    say("info of nothing", dom.info)
    say("defined", conn.listDefinedDomains)


def definitions(conn: Any) -> None:
    """Making domains, with every mistake."""
    new = say("createXML", conn.createXML, XML.format("tr", ""), 0)
    events(1)
    say("createXML XML", new.XMLDesc)
    say("createXML again", conn.createXML, XML.format("tr", f"<uuid>{new.UUIDString()}</uuid>"), 0)
    say("createXML name taken", conn.createXML, XML.format("tr", ""), 0)
    say("createXML uuid taken", conn.createXML, XML.format("t2", f"<uuid>{new.UUIDString()}</uuid>"), 0)
    say("createXML flags", conn.createXML, XML.format("t3", ""), 1 << 20)
    say("define transient", conn.defineXML, XML.format("tr", f"<uuid>{new.UUIDString()}</uuid>"))
    say("define", conn.defineXML, XML.format("tr", f"<uuid>{new.UUIDString()}</uuid><title>x</title>"))
    say("define name taken", conn.defineXML, XML.format("tr", ""))
    say("define uuid taken", conn.defineXML, XML.format("t2", f"<uuid>{new.UUIDString()}</uuid>"))
    events(2)
    say("title", new.metadata, 1, None)
    say("destroy", new.destroy)
    say("defined XML", new.XMLDesc)
    say("rename", new.rename, "renamed")
    say("names", lambda: names(conn.listAllDomains()))
    say("undefine", conn.lookupByName("renamed").undefine)
    events(4)
    for what, xml in BROKEN.items():
        made = say(f"broken {what}", conn.defineXML, xml)
        if made is not None:
            made.undefine()
    for flags in (1, 2, 4):
        say(f"define {flags}", conn.defineXMLFlags, XML.format(f"f{flags}", ""), flags)
    say("undefine f1", conn.lookupByName("f1").undefine)
    heard.clear()


def actions(conn: Any) -> None:
    """What the documents ask for when a domain stops."""
    for action in ("destroy", "restart", "preserve", "rename-restart"):
        text = f"<on_reboot>{action}</on_reboot><on_poweroff>{action}</on_poweroff>"
        dom = conn.createXML(XML.format(f"x-{action}", text), 0)
        turn(20)
        heard.clear()
        say(f"reboot {action}", dom.reboot)
        say(f"state {action}", dom.state)
        say(f"shutdown {action}", dom.shutdown)
        say(f"ids {action}", lambda: sorted(conn.listDomainsID()))
        turn(20)
        events(0)


def settings(conn: Any) -> None:
    """Memory, vCPUs and autostart with every flag, inactive, running and transient."""
    dom = conn.defineXML(XML.format("p", "<vcpu>3</vcpu>"))
    for state in ("inactive", "active", "transient"):
        for flags in range(9):
            say(f"{state} setMemoryFlags {flags}", dom.setMemoryFlags, 900 + flags, flags)
            say(f"{state} setVcpusFlags {flags}", dom.setVcpusFlags, 2, flags)
            say(f"{state} vcpusFlags {flags}", dom.vcpusFlags, flags)
        for name, value in (("setMemory", 700), ("setMemory", 99999), ("setMaxMemory", 5000), ("setVcpus", 1)):
            say(f"{state} {name} {value}", getattr(dom, name), value)
        say(f"{state} setVcpusFlags 33", dom.setVcpusFlags, 33, 6)
        say(f"{state} setAutostart", dom.setAutostart, 5)
        say(f"{state} autostart", dom.autostart)
        say(f"{state} info", lambda: dom.info()[:4])
        if state == "inactive":
            dom.create()
        elif state == "active":
            dom.undefine()
    dom.destroy()
    heard.clear()


def lists(conn: Any) -> None:
    """Domains by flag, and their statistics."""
    conn.defineXML(XML.format("q1", "")).setAutostart(1)
    conn.defineXML(XML.format("q2", "")).create()
    conn.createXML(XML.format("q3", ""), 0).suspend()
    for bit in range(17):
        say(f"domains {1 << bit:#x}", lambda bit=bit: names(conn.listAllDomains(1 << bit)))
    for stats in (0, 1, 2, 3):
        for flags in (0, 1, 2, 16, 32, 1 << 31, 1 << 17):
            say(
                f"stats {stats} {flags:#x}",
                lambda stats=stats, flags=flags: sorted(
                    (record[0].name(), record[1]) for record in conn.getAllDomainStats(stats, flags)
                ),
            )
    say("stats of one", lambda: [record[1] for record in conn.domainListGetStats([conn.lookupByName("q2")], 1, 0)])
    heard.clear()


def families(conn: Any) -> None:
    """The other objects, through their lifecycle."""
    for name in sorted(conn.listDevices(None)):
        device = conn.nodeDeviceLookupByName(name)
        say(f"{name} parent", device.parent)
        say(f"{name} caps", device.listCaps)
        say(f"{name} XML", device.XMLDesc, 0)
    net = conn.networkLookupByName("default")
    for flags in (0, 1, 2):
        say(f"network XML {flags}", net.XMLDesc, flags)
    for name in (
        "UUIDString", "isActive", "isPersistent", "autostart", "bridgeName", "create", "destroy", "isActive",
        "bridgeName", "destroy", "create", "undefine", "destroy",
    ):  # fmt: skip
        say(f"network {name}", getattr(net, name))
    say("networks defined", conn.listDefinedNetworks)
    say("network setAutostart", net.setAutostart, 1)
    say("network autostart", net.autostart)
    pool = conn.storagePoolLookupByName("default-pool")
    say("pool XML", pool.XMLDesc, 0)
    for name in (
        "UUIDString", "isActive", "isPersistent", "autostart", "info", "numOfVolumes", "listVolumes",
        "listAllVolumes", "create", "undefine", "refresh", "destroy", "info", "listVolumes", "numOfVolumes",
        "refresh", "destroy", "create", "destroy", "undefine", "info",
    ):  # fmt: skip
        say(f"pool {name}", getattr(pool, name))
    iface = conn.interfaceLookupByName("eth1")
    say("interface XML", iface.XMLDesc, 0)
    for name in (
        "MACString", "isActive", "create", "destroy", "isActive", "destroy", "create", "undefine", "isActive",
    ):  # fmt: skip
        say(f"interface {name}", getattr(iface, name))


def main() -> None:
    """Connect and say everything."""
    libvirt.registerErrorHandler(lambda _, error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    conn = libvirt.open(sys.argv[1])
    lifecycle_event = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
    conn.domainEventRegisterAny(
        None,
        lifecycle_event,
        lambda _, dom, event, detail, __: heard.append((dom.name(), dom.ID(), event, detail)),
        None,
    )
    connection(conn)
    lookups(conn)
    dom = conn.lookupByName("test")
    reports(dom, "running")
    lifecycle(conn, dom)
    definitions(conn)
    actions(conn)
    settings(conn)
    lists(conn)
    families(conn)


if __name__ == "__main__":
    main()
