# SPDX-License-Identifier: LGPL-2.1-or-later
"""``record_session.py URI...``: call everything that libvirt-python has, so that every procedure is seen on the
wire.

Run by record.py in a lab with the system's Python. First what makes sense on the test driver's domain, network,
pool and secret; then every method of every object with arguments chosen by the parameter's name. What the daemon
thinks of a call does not matter: an error is a recorded reply too.
"""

from __future__ import annotations

import inspect
import sys
import threading
from typing import Any

import libvirt
import libvirt_lxc
import libvirt_qemu

UUID = "11111111-2222-4333-8444-555555555599"
XML = "<domain type='test'><name>recorded</name><memory>8192</memory><os><type>hvm</type></os></domain>"
NETWORK = "<network><name>recorded</name><ip address='192.0.2.1' netmask='255.255.255.0'/></network>"
POOL = "<pool type='dir'><name>recorded</name><target><path>/tmp/recorded</path></target></pool>"
VOLUME = "<volume><name>recorded.img</name><capacity>1048576</capacity></volume>"
SECRET = f"<secret ephemeral='yes'><uuid>{UUID}</uuid><usage type='ceph'><name>recorded</name></usage></secret>"
FILTER = "<filter name='recorded' chain='root'><rule action='drop' direction='in'/></filter>"
INTERFACE = "<interface type='ethernet' name='recorded0'><start mode='none'/></interface>"
SNAPSHOT = "<domainsnapshot><name>recorded</name></domainsnapshot>"
GUEST = """<domain type='qemu'><name>test</name><memory>65536</memory><currentMemory>32768</currentMemory>
<vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<features><acpi/></features><iothreads>1</iothreads><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='/run/lab/guest.img'/><target dev='hda'/></disk>
<interface type='user'><mac address='52:54:00:11:22:33'/></interface><serial type='pty'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<graphics type='vnc' autoport='yes' passwd='recorded'/><video><model type='cirrus'/></video><memballoon model='virtio'/>
</devices></domain>"""
CHECKPOINT = "<domaincheckpoint><name>recorded</name></domaincheckpoint>"
# These end the session, wait for a guest that never answers, or would leave the lab.
LEFT_OUT = ("close", "ref", "c_pointer", "migrate", "nodeSuspendForDuration", "connect", "domain")
VALUES: dict[str, Any] = {
    "action": 1, "algorithm": 0, "alias": "ua-recorded", "arch": "x86_64", "autostart": 1,
    "backupXML": "<domainbackup/>", "bandwidth": 1, "base": None, "cacheSize": 1 << 20, "capacity": 1 << 21,
    "cellCount": 1, "cellNum": 0, "checkpointXML": CHECKPOINT, "codeset": 0, "command": 3, "count": 1,
    "cpuNum": 0, "cpumap": (True, False), "destxml": None, "dev": "hda", "dev_name": "recorded", "device": "hda",
    "disk": "hda", "dname": "recorded", "domainXml": XML, "downtime": 100, "driverName": None, "dumpformat": 0,
    "duration": 0, "duri": "test:///default", "dxml": None, "emulator": None, "emulatorbin": None, "fd": 0,
    "file": "/tmp/recorded.save", "flags": 0, "frm": "/tmp/recorded.save", "holdtime": 0, "id": 1, "idx": 0,
    "interval": 1, "iothread_id": 1, "iothread_val": 1, "key": None, "keycodes": [30],
    "keys": ["ssh-ed25519 AAAA recorded"], "length": 16, "mac": None, "machine": None, "macstr": None,
    "maxCells": 1, "memory": 8192, "metadata": "<m/>", "miguri": None, "minimum": 0, "mountPoint": None,
    "mountpoints": ["/"], "name": "recorded", "nativeConfig": "", "nativeFormat": "qemu-argv",
    "new_name": "renamed", "nkeycodes": 1, "nvcpus": 1, "offset": 0, "pages": [4], "params": {},
    "parentIndex": -1, "password": "recorded", "path": "hda", "period": 1, "pid_value": 1, "portdev": "recorded0",
    "screen": 0, "seconds": 1, "section": 1, "signum": 1, "size": 16, "source": 0, "srcSpec": None, "start": 0,
    "startCell": 0, "state": 0, "stats": 0, "target": 0, "threshold": 1 << 20, "cb": lambda *_: None,
    "time": {"seconds": 1, "nseconds": 0}, "timeout": 1, "to": "/tmp/recorded.save", "top": None, "total": 1,
    "type": 0, "types": 0, "uri": None, "usageID": "recorded", "usageType": 2, "user": "root", "uuid": bytes(16),
    "uuidstr": UUID, "value": b"recorded", "vcpu": 0, "vcpumap": "0", "virttype": None, "wwnn": "2000",
    "wwpn": "3000", "xml": XML, "xmlCPU": "<cpu/>", "xmlCPUs": ["<cpu/>"], "xmlDesc": XML, "xmldesc": XML,
}  # fmt: skip
# Where a name alone does not say which XML is meant.
TEXTS = {"network": NETWORK, "storagePool": POOL, "secret": SECRET, "nwfilter": FILTER, "interface": INTERFACE}
PARAMETERS: dict[str, dict[str, Any]] = {
    "setBlkioParameters": {"weight": 500},
    "setMemoryParameters": {"hard_limit": 1 << 20},
    "setNumaParameters": {"numa_nodeset": "0"},
    "setInterfaceParameters": {"inbound.average": 100},
    "setSchedulerParameters": {"cpu_shares": 1024},
    "setSchedulerParametersFlags": {"cpu_shares": 1024},
    "setBlockIoTune": {"total_bytes_sec": 1 << 20},
    "setPerfEvents": {"cmt": False},
    "setMemoryParametersNode": {"shm_pages_to_scan": 100},
    "setIOThreadParams": {"poll_max_ns": 1},
    "setLaunchSecurityState": {"sev-secret": "AAAA", "sev-secret-header": "AAAA"},
    "setGuestVcpus": {},
    "blockCopy": {"bandwidth": 1},
    "saveParams": {"file": "/tmp/recorded.save"},
    "restoreParams": {"file": "/tmp/recorded.save"},
}


def argument(method: str, name: str, objects: dict[str, Any]) -> Any:
    """A value for a parameter."""
    if name in objects:
        return objects[name]
    if name in ("xmlDesc", "xmldesc", "xml"):
        texts = [text for stem, text in TEXTS.items() if method.lower().startswith(stem.lower())]
        return texts[0] if texts else SNAPSHOT if "snapshot" in method.lower() else XML
    if name == "pages" and method == "allocPages":
        return {4: 1}
    if name == "params":
        return PARAMETERS.get(method, {})
    return VALUES.get(name)


def attempt(make: Any) -> Any:
    """The result, or None if it fails in whatever way: libvirt-python has many for arguments it does not like."""
    try:
        return make()
    except Exception:
        return None


def call(method: Any, objects: dict[str, Any]) -> Any:
    """Call a method with chosen arguments; None if it fails."""
    names = [n for n, p in inspect.signature(method).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    return attempt(lambda: method(*(argument(method.__name__, name, objects) for name in names)))


def call_all(thing: Any, objects: dict[str, Any], skip: tuple[str, ...] = ()) -> None:
    """Call every method of an object; those that destroy it come last."""
    names = [n for n, _ in inspect.getmembers(type(thing), inspect.isfunction) if not n.startswith("_")]
    last = ("destroy", "destroyFlags", "undefine", "undefineFlags", "delete", "free")
    for name in sorted(set(names) - set(LEFT_OUT) - set(skip) - set(last)) + [n for n in last if n in names]:
        if "igrat" not in name and not name.startswith("unregister"):
            if isinstance(thing, libvirt.virDomain) and name not in last and not thing.isActive():
                call(thing.create, {})
            call(getattr(thing, name), objects)


def watch(connection: Any) -> list[tuple[Any, int]]:
    """Register for every event of every class."""
    kept = []
    for stem, last in (("domain", 25), ("network", 1), ("storagePool", 1), ("nodeDevice", 1), ("secret", 1)):
        for event in range(last + 1):
            register = getattr(connection, f"{stem}EventRegisterAny")
            number = attempt(lambda register=register, event=event: register(None, event, lambda *_: None, None))
            if number is not None:
                kept.append((getattr(connection, f"{stem}EventDeregisterAny"), number))
    return kept


def everything_on(connection: Any) -> None:
    """Define one object of each class, then call every method of the connection and of each of them."""
    makers = {
        "dom": lambda: connection.lookupByName("test"), "net": lambda: connection.networkDefineXML(NETWORK),
        "pool": lambda: connection.storagePoolDefineXML(POOL), "secret": lambda: connection.secretDefineXML(SECRET),
        "filter": lambda: connection.nwfilterDefineXML(FILTER),
        "interface": lambda: connection.interfaceDefineXML(INTERFACE), "device": lambda: connection.listAllDevices()[0],
    }  # fmt: skip
    objects: dict[str, Any] = {name: thing for name, make in makers.items() if (thing := attempt(make)) is not None}
    objects["doms"] = [objects[name] for name in ("dom",) if name in objects]
    kept = watch(connection)
    if "pool" in objects:
        call(objects["pool"].build, {})
        call(objects["pool"].create, {})
        volume = call(objects["pool"].createXML, {"xmlDesc": VOLUME})
        if volume is not None:
            stream = connection.newStream()
            skip = ("upload", "delete", "wipe", "wipePattern")
            call_all(volume, {**objects, "stream": stream, "clonevol": volume}, skip)
            call(volume.wipe, {})
            call(volume.wipePattern, {})
            call(volume.delete, {})
    if "dom" in objects:
        domain = objects["dom"]
        snapshot = call(domain.snapshotCreateXML, {"xmlDesc": SNAPSHOT})
        checkpoint = call(domain.checkpointCreateXML, {"xmlDesc": CHECKPOINT})
        for thing in (snapshot, checkpoint):
            if thing is not None:
                call_all(thing, {"snap": snapshot, "dom": domain})
        for stats in (libvirt.VIR_DOMAIN_STATS_STATE, 0):
            connection.getAllDomainStats(stats)
    old_and_odd(connection)
    migrate(connection)
    if "net" in objects:
        call(objects["net"].create, {})
        port = call(objects["net"].portCreateXML, {"xmldesc": f"<networkport><uuid>{UUID}</uuid></networkport>"})
        if port is not None:
            call_all(port, objects)
    call_all(connection, {**objects, "stream": connection.newStream()})
    for thing in objects.values():
        if not isinstance(thing, list):
            call_all(thing, {**objects, "stream": connection.newStream(), "st": connection.newStream()})
    for deregister, number in kept:
        deregister(number)


def old_and_odd(connection: Any) -> None:
    """What needs a module of its own, or is called by no method."""
    domain = connection.lookupByName("test")
    attempt(domain.create)
    for one in (
        lambda: libvirt_qemu.qemuMonitorCommand(domain, '{"execute": "query-status"}', 0),
        lambda: libvirt_qemu.qemuAgentCommand(domain, '{"execute": "guest-ping"}', 1, 0),
        lambda: libvirt_qemu.qemuAttach(connection, 1, 0),
        lambda: libvirt_qemu.qemuMonitorEventRegister(connection, domain, "STOP", lambda *_: None, None, 0),
        lambda: libvirt_lxc.lxcOpenNamespace(domain, 0),
    ):
        attempt(one)


def migrate(connection: Any) -> None:
    """Ask for migrations of every generation, none of which can succeed."""
    domain = connection.lookupByName("test")
    target = libvirt.open("qemu:///system")
    parameters = {"destination_name": "recorded", "bandwidth": 1}
    for one in (
        lambda: domain.migrate(target, libvirt.VIR_MIGRATE_LIVE, "recorded", None, 0),
        lambda: domain.migrate2(target, None, libvirt.VIR_MIGRATE_LIVE, "recorded", None, 0),
        lambda: domain.migrate3(target, parameters, libvirt.VIR_MIGRATE_LIVE),
        lambda: domain.migrateToURI("test:///default", libvirt.VIR_MIGRATE_PEER2PEER, None, 0),
        lambda: domain.migrateToURI3("test:///default", parameters, libvirt.VIR_MIGRATE_PEER2PEER),
        lambda: domain.migrateSetMaxDowntime(100),
        lambda: domain.migrateSetMaxSpeed(100),
        domain.migrateGetMaxSpeed,
        domain.migrateGetMaxDowntime,
        lambda: domain.migrateSetCompressionCache(1 << 20),
        domain.migrateGetCompressionCache,
        domain.migrateStartPostCopy,
    ):
        attempt(one)


def main(uris: list[str]) -> None:
    """Run everything on each URI."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def turn() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=turn, daemon=True).start()
    for uri in uris:
        connection = libvirt.open(uri)
        connection.setKeepAlive(1, 5)
        connection.registerCloseCallback(lambda *_: None, None)
        if "qemu" in uri:
            attempt(lambda connection=connection: connection.defineXML(GUEST))
        everything_on(connection)
        connection.unregisterCloseCallback()
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
