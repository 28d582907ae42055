# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a libvirt-python program sees of a host's storage, one line a call: run once for each server to compare.

Run by the system's Python with the URI and an empty directory as arguments, against a daemon without pools.
test_api.py reads what it prints.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import libvirt

UUID = "11111111-2222-3333-4444-5555555555{:02}"
heard: list[str] = []
directory = sys.argv[2]


def tell(label: str, call: Callable[..., Any], *args: Any) -> Any:
    """Print what a call gives, or the whole error; return what it gave."""
    try:
        given = call(*args)
    except libvirt.libvirtError as error:
        print(label, "->", error.err)
        return None
    shown = given.name() if hasattr(given, "name") else given
    if isinstance(given, list):
        shown = sorted(one.name() if hasattr(one, "name") else one for one in given)
    print(label, "->", repr(shown))
    return given


def pool_text(number: int, name: str, more: str = "", type: str = "dir", path: str = "") -> str:
    """A pool's document."""
    where = path or f"{directory}/{name}"
    head = f"<pool type='{type}'><name>{name}</name><uuid>{UUID.format(number)}</uuid>"
    return f"{head}{more}<target><path>{where}</path></target></pool>"


def volume_text(name: str, more: str = "", capacity: str = "<capacity unit='MiB'>1</capacity>") -> str:
    """A volume's document."""
    return f"<volume><name>{name}</name>{capacity}{more}</volume>"


BAD_POOLS = {
    "root": "<volume/>", "no type": "<pool/>", "type": "<pool type='x'/>", "no name": "<pool type='dir'/>",
    "slash": pool_text(1, "a/b"), "no path": "<pool type='dir'><name>x</name></pool>",
    "uuid": "<pool type='dir'><name>x</name><uuid>1</uuid><target><path>/x</path></target></pool>",
    "device": pool_text(1, "x", type="fs"), "host": pool_text(1, "x", type="netfs"),
    "format": pool_text(1, "x", "<source><device path='/d'/><format type='x'/></source>", type="fs"),
    "zfs": "<pool type='zfs'><name>z</name><source><name>z</name></source></pool>",
    "cow": pool_text(1, "x", "<features><cow state='x'/></features>"),
}  # fmt: skip
BAD_VOLUMES = {
    "root": "<pool/>", "no name": "<volume/>", "no capacity": "<volume><name>x</name></volume>",
    "capacity": volume_text("x", capacity="<capacity>x</capacity>"),
    "unit": volume_text("x", capacity="<capacity unit='x'>1</capacity>"),
    "large": volume_text("x", capacity="<capacity unit='E'>99</capacity>"),
    "format": volume_text("x", "<target><format type='x'/></target>"),
    "mode": volume_text("x", "<target><permissions><mode>9</mode></permissions></target>"),
    "owner": volume_text("x", "<target><permissions><owner>x</owner></permissions></target>"),
    "compat": volume_text("x", "<target><format type='qcow2'/><compat>9.9</compat></target>"),
    "compat word": volume_text("x", "<target><format type='qcow2'/><compat>x</compat></target>"),
    "feature": volume_text("x", "<target><format type='qcow2'/><features><x/></features></target>"),
    "encryption": volume_text("x", "<target><encryption format='x'/></target>"),
    "encryption without": volume_text("x", "<target><encryption/></target>"),
    "secret": volume_text("x", "<target><encryption format='luks'><secret/></encryption></target>"),
    "secret type": volume_text("x", "<target><encryption format='luks'><secret type='x'/></encryption></target>"),
    "secret none": volume_text(
        "x", "<target><encryption format='luks'><secret type='passphrase'/></encryption></target>"
    ),
    "slash": volume_text("a/b"), "backing": volume_text("x", "<backingStore><path>/nope</path></backingStore>"),
}  # fmt: skip


def watch(connection: Any) -> None:
    """Remember every event."""

    def lifecycle(connection: Any, pool: Any, event: int, detail: int, opaque: object) -> None:
        heard.append(f"{pool.name()} {event} {detail}")

    def refresh(connection: Any, pool: Any, opaque: object) -> None:
        heard.append(f"{pool.name()} refresh")

    connection.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, lifecycle, None)
    connection.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH, refresh, None)


def pools(connection: Any) -> Any:
    """The life of pools."""
    for label, text in BAD_POOLS.items():
        tell(f"define {label}", connection.storagePoolDefineXML, text, 0)
        tell(f"create {label}", connection.storagePoolCreateXML, text, 0)
    pool = tell("define", connection.storagePoolDefineXML, pool_text(2, "p"), 0)
    tell("define again", connection.storagePoolDefineXML, pool_text(2, "p"), 0)
    tell("define validated", connection.storagePoolDefineXML, pool_text(2, "p"), 1)
    tell("define invalid", connection.storagePoolDefineXML, pool_text(2, "p", "<foo/>"), 1)
    tell("define other uuid", connection.storagePoolDefineXML, pool_text(3, "p"), 0)
    tell("define other name", connection.storagePoolDefineXML, pool_text(2, "q"), 0)
    tell("define same path", connection.storagePoolDefineXML, pool_text(3, "q", path=f"{directory}/p"), 0)
    for flags in (2, 64, 1 << 20):
        tell(f"define flags {flags}", connection.storagePoolDefineXML, pool_text(2, "p"), flags)
    for call in ("isActive", "isPersistent", "autostart", "info", "UUIDString", "numOfVolumes", "listVolumes"):
        tell(call, getattr(pool, call))
    for label, call, flags in (
        ("refresh", pool.refresh, 0), ("list all", pool.listAllVolumes, 0), ("start", pool.create, 0),
        ("start flags", pool.create, 64), ("start both", pool.create, 6), ("build both", pool.build, 12),
        ("build flags", pool.build, 64), ("build", pool.build, 0), ("delete", pool.delete, 0),
        ("delete flags", pool.delete, 8), ("build again", pool.build, 0), ("start", pool.create, 0),
        ("start again", pool.create, 0), ("build active", pool.build, 0), ("delete active", pool.delete, 0),
        ("refresh", pool.refresh, 0), ("refresh flags", pool.refresh, 1), ("xml flags", pool.XMLDesc, 8),
        ("list flags", pool.listAllVolumes, 1),
    ):  # fmt: skip
        tell(label, call, flags)
    tell("undefine active", pool.undefine)
    for flag in (0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 1 << 19, 1 << 20):
        tell(f"list {flag}", connection.listAllStoragePools, flag)
    for call in ("listStoragePools", "listDefinedStoragePools", "numOfStoragePools", "numOfDefinedStoragePools"):
        tell(call, getattr(connection, call))
    tell("by name", connection.storagePoolLookupByName, "p")
    tell("by no name", connection.storagePoolLookupByName, "x")
    tell("by uuid", connection.storagePoolLookupByUUIDString, UUID.format(2))
    tell("by no uuid", connection.storagePoolLookupByUUIDString, UUID.format(9))
    tell("by path", connection.storagePoolLookupByTargetPath, f"{directory}/p/")
    tell("by no path", connection.storagePoolLookupByTargetPath, "/nope")
    tell("create active", connection.storagePoolCreateXML, pool_text(2, "p"), 0)
    for kind in ("dir", "netfs", "zfs", "x"):
        tell(f"sources {kind}", connection.findStoragePoolSources, kind, None, 0)
    tell("sources bad", connection.findStoragePoolSources, "netfs", "<x/>", 0)
    tell("sources flags", connection.findStoragePoolSources, "netfs", None, 1)
    tell("capabilities flags", connection.getStoragePoolCapabilities, 1)
    return pool


def volumes(connection: Any, pool: Any) -> None:
    """The life of volumes."""
    for label, text in BAD_VOLUMES.items():
        tell(f"volume {label}", pool.createXML, text, 0)
    volume = tell("create", pool.createXML, volume_text("v"), 0)
    tell("create again", pool.createXML, volume_text("v"), 0)
    tell("create flags", pool.createXML, volume_text("w"), 64)
    tell("create reflink", pool.createXML, volume_text("w"), 2)
    tell("create prealloc", pool.createXML, volume_text("w"), 1)
    tell("create validated", pool.createXML, volume_text("w"), 4)
    tell("create invalid", pool.createXML, volume_text("w2", "<foo/>"), 4)
    tell("create qcow2", pool.createXML, volume_text("q", "<target><format type='qcow2'/></target>"), 1)
    tell("copy", pool.createXMLFrom, volume_text("c"), volume, 0)
    tell("copy again", pool.createXMLFrom, volume_text("c"), volume, 0)
    tell("copy flags", pool.createXMLFrom, volume_text("d"), volume, 64)
    tell("copy bad", pool.createXMLFrom, "<x/>", volume, 0)
    tell("copy image", pool.createXMLFrom, volume_text("i", "<target><format type='qcow2'/></target>"), volume, 0)
    for call in ("key", "name", "path", "info"):
        tell(call, getattr(volume, call))
    tell("pool of", volume.storagePoolLookupByVolume)
    tell("info physical", volume.infoFlags, 1)
    tell("info flags", volume.infoFlags, 2)
    tell("xml flags", volume.XMLDesc, 1)
    for size, flags in ((2 << 20, 0), (1 << 20, 0), (1 << 20, 4), (1 << 20, 2), (0, 4), (1, 8), (2**62, 1)):
        tell(f"resize {size} {flags}", volume.resize, size, flags)
    tell("wipe", volume.wipe, 0)
    tell("wipe flags", volume.wipe, 1)
    for algorithm in (0, 1, 8, 9, 10):
        tell(f"wipe {algorithm}", volume.wipePattern, algorithm, 0)
    for call in (volume.upload, volume.download):
        tell("stream flags", call, connection.newStream(0), 0, 0, 8)
    tell("volume by name", pool.storageVolLookupByName, "v")
    tell("volume by no name", pool.storageVolLookupByName, "x")
    tell("volume by key", connection.storageVolLookupByKey, f"{directory}/p/v")
    tell("volume by no key", connection.storageVolLookupByKey, "x")
    tell("volume by path", connection.storageVolLookupByPath, f"{directory}/p//v")
    tell("volume by no path", connection.storageVolLookupByPath, "/x//y")
    tell("volumes", pool.listVolumes)
    tell("volumes all", pool.listAllVolumes, 0)
    tell("delete flags", volume.delete, 4)
    tell("delete", volume.delete, 0)
    for label, call in (("info", volume.info), ("path", volume.path), ("delete", volume.delete)):
        tell(f"{label} of none", call)


def last(connection: Any, pool: Any) -> None:
    """The end of pools."""
    tell("autostart", pool.setAutostart, 1)
    tell("autostart", pool.autostart)
    tell("list autostart", connection.listAllStoragePools, 16)
    tell("define active", connection.storagePoolDefineXML, pool_text(2, "p", path=f"{directory}/other"), 0)
    tell("destroy", pool.destroy)
    tell("destroy again", pool.destroy)
    tell("volumes inactive", pool.listVolumes)
    tell("volume inactive", pool.storageVolLookupByName, "c")
    tell("start without", pool.create, 0)
    tell("start built", pool.create, 1)
    tell("destroy", pool.destroy)
    tell("undefine", pool.undefine)
    tell("undefine again", pool.undefine)
    passing = tell("create", connection.storagePoolCreateXML, pool_text(5, "t"), 1)
    tell("autostart of a transient one", passing.setAutostart, 1)
    tell("persistent", passing.isPersistent)
    tell("destroy transient", passing.destroy)
    tell("gone", passing.info)


def main() -> None:
    """Make every call."""
    libvirt.registerErrorHandler(lambda context, error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(sys.argv[1])
    watch(connection)
    pool = pools(connection)
    volumes(connection, pool)
    last(connection, pool)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and heard[-1:] != ["t 3 0"]:
        libvirt.virEventRunDefaultImpl()
    for line in heard:
        print("event ->", line)


main()
