# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of every kind of thing, one at a time, and what polkit was asked for each: one JSON line a call.

Copied into a lab and run there as an ordinary user, so it must import nothing of the project. The stand-in for polkit
writes what it is asked into ASKED before it answers, so the lines that come during a call belong to it.
Usage: polkit_steps.py ASKED [URI]
With a URI all calls go over one connection to it; otherwise each kind of thing over one to its own driver, as the
proxy's connections to daemons are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import libvirt

GUEST = "c7a5fdbd-edaf-9455-926a-d65c16db1801"
NET = "c7a5fdbd-edaf-9455-926a-d65c16db1802"
PORT = "c7a5fdbd-edaf-9455-926a-d65c16db1803"
POOL = "c7a5fdbd-edaf-9455-926a-d65c16db1804"
FILTER = "c7a5fdbd-edaf-9455-926a-d65c16db1805"
SECRETS = {
    "volume": ("c7a5fdbd-edaf-9455-926a-d65c16db1806", "<volume>/run/lab/pool/s</volume>"),
    "ceph": ("c7a5fdbd-edaf-9455-926a-d65c16db1807", "<name>cephy</name>"),
    "iscsi": ("c7a5fdbd-edaf-9455-926a-d65c16db1808", "<target>iscsiy</target>"),
    "tls": ("c7a5fdbd-edaf-9455-926a-d65c16db1809", "<name>tlsy</name>"),
}
GUEST_XML = f"""<domain type="qemu"><name>web</name><uuid>{GUEST}</uuid><memory>65536</memory>
<os><type>hvm</type></os><devices><disk type="file" device="disk"><driver name="qemu" type="qcow2"/>
<source file="/run/lab/pool/disk.qcow2"/><target dev="vda" bus="virtio"/></disk>
<console type="pty"/></devices></domain>"""
NET_XML = f"""<network><name>lan</name><uuid>{NET}</uuid><bridge name="virbr7"/>
<ip address="192.0.2.1" netmask="255.255.255.0"><dhcp><range start="192.0.2.9" end="192.0.2.20"/></dhcp></ip>
</network>"""
HOST_XML = "<host mac='52:54:00:00:00:01' ip='192.0.2.9'/>"
PORT_XML = f"""<networkport><uuid>{PORT}</uuid><owner><name>web</name><uuid>{GUEST}</uuid></owner>
<mac address="52:54:00:7b:35:93"/></networkport>"""
POOL_XML = f"<pool type='dir'><name>disks</name><uuid>{POOL}</uuid><target><path>/run/lab/pool</path></target></pool>"
VOL_XML = "<volume><name>{}</name><capacity>1048576</capacity><target><format type='{}'/></target></volume>"
FILTER_XML = f"<filter name='own'><uuid>{FILTER}</uuid></filter>"
BINDING_XML = f"""<filterbinding><owner><name>web</name><uuid>{GUEST}</uuid></owner><portdev name='lo'/>
<mac address='52:54:00:7b:35:93'/><filterref filter='own'/></filterbinding>"""
META = (libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<x/>", "x", "http://example.com/x", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
DISK_XML = """<disk type="file" device="disk"><source file="/run/lab/pool/other.raw"/>
<target dev="vdb" bus="virtio"/></disk>"""
CONFIG, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE
VOL_FORMAT = "raw"

Connection = Any
Step = tuple[str, Callable[[Connection], object]]


def secret_xml(kind: str) -> str:
    """The document of a secret."""
    uuid, usage = SECRETS[kind]
    return f"<secret><uuid>{uuid}</uuid><usage type='{kind}'>{usage}</usage></secret>"


def guest(c: Connection) -> Any:
    """The guest, looked up by its UUID."""
    return c.lookupByUUIDString(GUEST)


def net(c: Connection) -> Any:
    """The network."""
    return c.networkLookupByName("lan")


def pool(c: Connection) -> Any:
    """The pool."""
    return c.storagePoolLookupByName("disks")


def vol(c: Connection, name: str = "other.raw") -> Any:
    """A volume of the pool."""
    return pool(c).storageVolLookupByName(name)


def stream(c: Connection, begin: Callable[[Any], object]) -> None:
    """Open a stream and give it up."""
    flow = c.newStream()
    begin(flow)
    flow.abort()


def secret(c: Connection, kind: str) -> Any:
    """One of the secrets."""
    return c.secretLookupByUUIDString(SECRETS[kind][0])


def first_device(c: Connection) -> Any:
    """Some device of the host that is always there."""
    return c.nodeDeviceLookupByName("computer")


CONNECTION: list[Step] = [
    ("type", lambda c: c.getType()),
    ("version", lambda c: c.getVersion()),
    ("library version", lambda c: c.getLibVersion()),
    ("hostname", lambda c: c.getHostname()),
    ("capabilities", lambda c: c.getCapabilities()),
    ("domain capabilities", lambda c: c.getDomainCapabilities(None, "x86_64", None, "qemu", 0)),
    ("sysinfo", lambda c: c.getSysinfo()),
    ("node info", lambda c: c.getInfo()),
    ("cpu map", lambda c: c.getCPUMap()),
    ("cpu stats", lambda c: c.getCPUStats(-1)),
    ("free memory", lambda c: c.getFreeMemory()),
    ("max vcpus", lambda c: c.getMaxVcpus("qemu")),
    ("cpu models", lambda c: c.getCPUModelNames("x86_64")),
    ("secure", lambda c: c.isSecure()),
    ("memory parameters", lambda c: c.getMemoryParameters()),
    ("from native", lambda c: c.domainXMLFromNative("qemu-argv", "qemu-system-x86_64")),
    ("to native", lambda c: c.domainXMLToNative("qemu-argv", GUEST_XML)),
    ("ids", lambda c: c.listDomainsID()),
    ("number of guests", lambda c: c.numOfDomains()),
    ("number of defined", lambda c: c.numOfDefinedDomains()),
]
STORAGE: list[Step] = [
    ("pool define", lambda c: c.storagePoolDefineXML(POOL_XML)),
    ("pool build", lambda c: pool(c).build()),
    ("pool create", lambda c: pool(c).create()),
    ("pool by uuid", lambda c: c.storagePoolLookupByUUIDString(POOL)),
    ("pool by path", lambda c: c.storagePoolLookupByTargetPath("/run/lab/pool")),
    ("pool xml", lambda c: pool(c).XMLDesc()),
    ("pool info", lambda c: pool(c).info()),
    ("pool refresh", lambda c: pool(c).refresh()),
    ("pool active", lambda c: pool(c).isActive()),
    ("pool autostart", lambda c: pool(c).setAutostart(1)),
    ("pool list", lambda c: c.listAllStoragePools()),
    ("pool names", lambda c: c.listStoragePools()),
    ("pool defined names", lambda c: c.listDefinedStoragePools()),
    ("pool number", lambda c: c.numOfStoragePools()),
    ("vol create", lambda c: pool(c).createXML(VOL_XML.format("other.raw", "raw"))),
    ("disk create", lambda c: pool(c).createXML(VOL_XML.format("disk.qcow2", "qcow2"))),
    ("vol clone", lambda c: pool(c).createXMLFrom(VOL_XML.format("clone.raw", "raw"), vol(c))),
    ("vol list", lambda c: pool(c).listAllVolumes()),
    ("vol names", lambda c: pool(c).listVolumes()),
    ("vol number", lambda c: pool(c).numOfVolumes()),
    ("vol by key", lambda c: c.storageVolLookupByKey("/run/lab/pool/other.raw")),
    ("vol by path", lambda c: c.storageVolLookupByPath("/run/lab/pool/other.raw")),
    ("pool by vol", lambda c: vol(c).storagePoolLookupByVolume()),
    ("vol xml", lambda c: vol(c).XMLDesc()),
    ("vol info", lambda c: vol(c).info()),
    ("vol path", lambda c: vol(c).path()),
    ("vol resize", lambda c: vol(c).resize(2097152)),
    ("vol upload", lambda c: stream(c, lambda flow: vol(c).upload(flow, 0, 0))),
    ("vol download", lambda c: stream(c, lambda flow: vol(c).download(flow, 0, 0))),
    ("find sources", lambda c: c.findStoragePoolSources("dir", None)),
    ("vol wipe", lambda c: vol(c, "clone.raw").wipe()),
    ("vol delete", lambda c: vol(c, "clone.raw").delete()),
]
GUESTS: list[Step] = [
    ("define", lambda c: c.defineXML(GUEST_XML)),
    ("define again", lambda c: c.defineXML(GUEST_XML)),
    ("by name", lambda c: c.lookupByName("web")),
    ("list", lambda c: c.listAllDomains()),
    ("defined", lambda c: c.listDefinedDomains()),
    ("stats", lambda c: c.getAllDomainStats()),
    ("stats of one", lambda c: c.domainListGetStats([guest(c)])),
    ("xml", lambda c: guest(c).XMLDesc()),
    ("secure xml", lambda c: guest(c).XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)),
    ("migratable xml", lambda c: guest(c).XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)),
    ("info", lambda c: guest(c).info()),
    ("state", lambda c: guest(c).state()),
    ("active", lambda c: guest(c).isActive()),
    ("os", lambda c: guest(c).OSType()),
    ("max memory", lambda c: guest(c).maxMemory()),
    ("autostart", lambda c: guest(c).autostart()),
    ("set autostart", lambda c: guest(c).setAutostart(0)),
    ("memory config", lambda c: guest(c).setMemoryFlags(65536, CONFIG)),
    ("vcpus config", lambda c: guest(c).setVcpusFlags(1, CONFIG)),
    ("scheduler", lambda c: guest(c).schedulerParameters()),
    ("set scheduler config", lambda c: guest(c).setSchedulerParametersFlags({"cpu_shares": 1000}, CONFIG)),
    ("blkio config", lambda c: guest(c).blkioParameters(CONFIG)),
    ("set metadata", lambda c: guest(c).setMetadata(*META)),
    ("metadata", lambda c: guest(c).metadata(2, META[3], CONFIG)),
    ("attach config", lambda c: guest(c).attachDeviceFlags(DISK_XML, CONFIG)),
    ("detach config", lambda c: guest(c).detachDeviceFlags(DISK_XML, CONFIG)),
    ("managed save image", lambda c: guest(c).hasManagedSaveImage()),
    ("snapshot", lambda c: guest(c).snapshotCreateXML("<domainsnapshot><name>s1</name></domainsnapshot>")),
    ("snapshots", lambda c: guest(c).listAllSnapshots()),
    ("snapshot names", lambda c: guest(c).snapshotListNames()),
    ("snapshot number", lambda c: guest(c).snapshotNum()),
    ("snapshot xml", lambda c: guest(c).snapshotLookupByName("s1").getXMLDesc()),
    ("snapshot parent", lambda c: guest(c).snapshotLookupByName("s1").getParent()),
    ("current snapshot", lambda c: guest(c).snapshotCurrent()),
    ("revert", lambda c: c.lookupByUUIDString(GUEST).revertToSnapshot(guest(c).snapshotLookupByName("s1"))),
    ("snapshot delete", lambda c: guest(c).snapshotLookupByName("s1").delete()),
    ("checkpoints", lambda c: guest(c).listAllCheckpoints()),
    ("start", lambda c: guest(c).create()),
    ("by id", lambda c: c.lookupByID(1)),
    ("names of running", lambda c: c.listDomainsID()),
    ("block info", lambda c: guest(c).blockInfo("vda")),
    ("block stats", lambda c: guest(c).blockStats("vda")),
    ("memory stats", lambda c: guest(c).memoryStats()),
    ("job", lambda c: guest(c).jobInfo()),
    ("job stats", lambda c: guest(c).jobStats()),
    ("block peek", lambda c: guest(c).blockPeek("/run/lab/pool/disk.qcow2", 0, 8)),
    ("memory peek", lambda c: guest(c).memoryPeek(0, 8, libvirt.VIR_MEMORY_PHYSICAL)),
    ("screenshot", lambda c: stream(c, lambda flow: guest(c).screenshot(flow, 0))),
    ("console", lambda c: stream(c, lambda flow: guest(c).openConsole(None, flow, 1))),
    ("key", lambda c: guest(c).sendKey(0, 0, [30], 1)),
    ("nmi", lambda c: guest(c).injectNMI()),
    ("suspend", lambda c: guest(c).suspend()),
    ("resume", lambda c: guest(c).resume()),
    ("reset", lambda c: guest(c).reset()),
    ("reboot", lambda c: guest(c).reboot()),
    ("agent shutdown", lambda c: guest(c).shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)),
    ("trim", lambda c: guest(c).fSTrim(None, 0)),
    ("freeze", lambda c: guest(c).fsFreeze()),
    ("time", lambda c: guest(c).setTime({"seconds": 1, "nseconds": 0})),
    ("password", lambda c: guest(c).setUserPassword("a", "b")),
    ("dump", lambda c: guest(c).coreDump("/run/lab/core", libvirt.VIR_DUMP_MEMORY_ONLY)),
    ("block copy", lambda c: guest(c).blockCopy("vda", "<disk type='file'><source file='/run/lab/c'/></disk>")),
    ("block job", lambda c: guest(c).blockJobInfo("vda")),
    ("io tune", lambda c: guest(c).blockIoTune("vda")),
    ("memory live", lambda c: guest(c).setMemoryFlags(65536, LIVE)),
    ("interface addresses", lambda c: guest(c).interfaceAddresses(0)),
    ("agent addresses", lambda c: guest(c).interfaceAddresses(1)),
    ("managed save", lambda c: guest(c).managedSave()),
    ("remove managed save", lambda c: guest(c).managedSaveRemove()),
    ("shutdown off", lambda c: guest(c).shutdown()),
    ("destroy off", lambda c: guest(c).destroy()),
    ("undefine", lambda c: guest(c).undefine()),
    ("by name gone", lambda c: c.lookupByName("web")),
]
NETWORKS: list[Step] = [
    ("net define", lambda c: c.networkDefineXML(NET_XML)),
    ("net by uuid", lambda c: c.networkLookupByUUIDString(NET)),
    ("net start", lambda c: net(c).create()),
    ("net xml", lambda c: net(c).XMLDesc()),
    ("net active", lambda c: net(c).isActive()),
    ("net bridge", lambda c: net(c).bridgeName()),
    ("net autostart", lambda c: net(c).setAutostart(0)),
    ("net leases", lambda c: net(c).DHCPLeases()),
    ("net update", lambda c: net(c).update(3, 4, -1, HOST_XML, 2)),
    ("nets", lambda c: c.listAllNetworks()),
    ("net names", lambda c: c.listNetworks()),
    ("net number", lambda c: c.numOfNetworks()),
    ("defined nets", lambda c: c.numOfDefinedNetworks()),
    ("port create", lambda c: net(c).portCreateXML(PORT_XML)),
    ("ports", lambda c: net(c).listAllPorts()),
    ("port", lambda c: net(c).portLookupByUUIDString(PORT)),
    ("port xml", lambda c: net(c).portLookupByUUIDString(PORT).XMLDesc()),
    ("port parameters", lambda c: net(c).portLookupByUUIDString(PORT).parameters()),
    ("port delete", lambda c: net(c).portLookupByUUIDString(PORT).delete()),
    ("net destroy", lambda c: net(c).destroy()),
    ("net undefine", lambda c: net(c).undefine()),
]
FILTERS: list[Step] = [
    ("filter define", lambda c: c.nwfilterDefineXML(FILTER_XML)),
    ("filter by name", lambda c: c.nwfilterLookupByName("own")),
    ("filter by uuid", lambda c: c.nwfilterLookupByUUIDString(FILTER)),
    ("filter xml", lambda c: c.nwfilterLookupByName("own").XMLDesc()),
    ("filters", lambda c: c.listAllNWFilters()),
    ("filter names", lambda c: c.listNWFilters()),
    ("binding create", lambda c: c.nwfilterBindingCreateXML(BINDING_XML)),
    ("bindings", lambda c: c.listAllNWFilterBindings()),
    ("binding", lambda c: c.nwfilterBindingLookupByPortDev("lo")),
    ("binding xml", lambda c: c.nwfilterBindingLookupByPortDev("lo").XMLDesc()),
    ("binding delete", lambda c: c.nwfilterBindingLookupByPortDev("lo").delete()),
    ("filter undefine", lambda c: c.nwfilterLookupByName("own").undefine()),
]
DEVICES: list[Step] = [
    ("devices", lambda c: c.numOfDevices(None)),
    ("device list", lambda c: c.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM)),
    ("device", first_device),
    ("device xml", lambda c: first_device(c).XMLDesc()),
    ("device caps", lambda c: first_device(c).listCaps()),
    ("device parent", lambda c: first_device(c).parent()),
    ("device autostart", lambda c: first_device(c).isPersistent()),
    ("device destroy", lambda c: first_device(c).destroy()),
]
INTERFACES: list[Step] = [
    ("interfaces", lambda c: c.listAllInterfaces()),
    ("interface number", lambda c: c.numOfInterfaces()),
    ("interface", lambda c: c.interfaceLookupByName("lo")),
    ("interface by mac", lambda c: c.interfaceLookupByMACString("00:00:00:00:00:00")),
    ("interface xml", lambda c: c.interfaceLookupByName("lo").XMLDesc()),
    ("interface active", lambda c: c.interfaceLookupByName("lo").isActive()),
]
SECRET_STEPS: list[Step] = [
    *((f"secret {kind}", lambda c, kind=kind: c.secretDefineXML(secret_xml(kind))) for kind in SECRETS),
    *((f"secret {kind} xml", lambda c, kind=kind: secret(c, kind).XMLDesc()) for kind in SECRETS),
    ("secrets", lambda c: c.listAllSecrets()),
    ("secret names", lambda c: c.listSecrets()),
    ("secret number", lambda c: c.numOfSecrets()),
    ("secret by usage", lambda c: c.secretLookupByUsage(2, "cephy")),
    ("secret set", lambda c: secret(c, "ceph").setValue("x")),
    ("secret value", lambda c: secret(c, "ceph").value()),
    *((f"secret {kind} undefine", lambda c, kind=kind: secret(c, kind).undefine()) for kind in SECRETS),
]
LAST: list[Step] = [
    ("pool destroy", lambda c: pool(c).destroy()),
    ("pool delete", lambda c: pool(c).delete()),
    ("pool undefine", lambda c: pool(c).undefine()),
]
SECTIONS = [
    ("qemu", CONNECTION),
    ("storage", STORAGE),
    ("qemu", GUESTS),
    ("network", NETWORKS),
    ("nwfilter", FILTERS),
    ("nodedev", DEVICES),
    ("interface", INTERFACES),
    ("secret", SECRET_STEPS),
    ("storage", LAST),
]


def outcome(step: Callable[[Connection], object], connection: Connection) -> list[int] | None:
    """Code and domain of the error, if there is one."""
    try:
        step(connection)
    except libvirt.libvirtError as failure:
        return [failure.get_error_code(), failure.get_error_domain()]
    return None


def main(asked: str, *uri: str) -> None:
    """Run the steps."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    opened: dict[str, Connection] = {}
    with open(asked) as log:
        for scheme, steps in SECTIONS:
            where = uri[0] if uri else f"{scheme}:///system"
            connection = opened.get(where) or opened.setdefault(where, libvirt.open(where))
            log.read()
            for name, step in steps:
                error = outcome(step, connection)
                rows = [json.loads(line) for line in log.read().splitlines()]
                questions = [[row["action"].removeprefix("org.libvirt.api."), row["details"]] for row in rows]
                print(json.dumps([name, error, questions]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
