# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running guest over libvirt-python: its life, console, screen, statistics, devices, snapshots and jobs.

Part of api.py.
"""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import libvirt

from tests.conformance.scripts.speaking import IMAGES, attempt, events, record, say, text, wait_for


def guest(conn: Any) -> None:
    """A running guest: its life, console, screen, statistics, devices, snapshots and jobs."""
    os.system(f"qemu-img convert -f raw -O qcow2 guest.img {IMAGES}/demo.qcow2")
    Path(f"{IMAGES}/extra.img").write_bytes(bytes(2**20))
    domain = attempt("define", lambda: conn.defineXML(text("demo.xml")))
    one = conn.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, record("lifecycle"), "one")
    say("callback id", one)
    attempt("create", domain.createWithFlags, libvirt.VIR_DOMAIN_START_PAUSED)
    attempt("create again", domain.create)
    attempt("create with files", domain.createWithFiles, [0])
    console(conn, domain)
    attempt("state", domain.state)
    attempt("info", lambda: domain.info()[:4])
    attempt("id", domain.ID)
    attempt("xml", lambda: len(domain.XMLDesc()) > 3000)
    screenshot(conn, domain)
    graphics(domain)
    statistics(conn, domain)
    devices(domain)
    attempt("metadata", domain.setMetadata, 2, "<place/>", "lab", "urn:lab", 1)
    attempt("metadata", domain.metadata, 2, "urn:lab", 1)
    attempt("io tune", domain.setBlockIoTune, "vda", {"total_bytes_sec": 50000000}, 1)
    attempt("io tune", lambda: sorted(domain.blockIoTune("vda").items())[:4])
    attempt("scheduler", domain.schedulerParameters)
    attempt("memory", domain.setMemoryFlags, 24 * 1024, 1)
    attempt("agent", domain.guestInfo, 0)
    attempt("job", domain.jobInfo)
    attempt("read the guest's memory", lambda: domain.memoryPeek(0x7C00, 16, 2).hex())
    attempt("read the guest's disk", lambda: domain.blockPeek("vda", 510, 2).hex())
    snapshots(domain)
    mirror(domain)
    attempt("deregister", conn.domainEventDeregisterAny, one)
    attempt("deregister again", conn.domainEventDeregisterAny, one)


def console(conn: Any, domain: Any) -> None:
    """Talks to the guest over its serial port."""
    stream = conn.newStream()
    attempt("console", domain.openConsole, None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    attempt("console twice", domain.openConsole, None, conn.newStream())
    attempt("resume", domain.resume)
    seen = b""
    while b"ready\r\n" not in seen:
        seen += stream.recv(1024)
    # One at a time: an emulated guest on a busy machine reads its serial port too slowly for more.
    for letter in b"over the api":
        stream.send(bytes([letter]))
        while seen[-1] != letter:
            seen += stream.recv(1024)
    say("console said", seen)
    attempt("console end", stream.abort)


def screenshot(conn: Any, domain: Any) -> None:
    """A picture of the screen over a stream."""
    stream = conn.newStream()
    attempt("screenshot", domain.screenshot, stream, 0)
    picture = b""
    while part := stream.recv(262120):
        picture += part
    stream.finish()
    say("picture", (picture[:4], len(picture), hashlib.sha256(picture).hexdigest()))


def graphics(domain: Any) -> None:
    """Descriptors in both directions, each end greeted by the guest's VNC server."""
    descriptor = domain.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    with socket.socket(fileno=descriptor) as ours:
        ours.settimeout(10)
        say("graphics descriptor from the daemon", ours.recv(12))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        attempt("graphics descriptor to the daemon", domain.openGraphics, 0, theirs.fileno(), 1)
        ours.settimeout(10)
        say("graphics greeting", ours.recv(12))
    attempt("no such graphics", domain.openGraphicsFD, 7)


def statistics(conn: Any, domain: Any) -> None:
    """Typed parameters, by their names."""
    attempt("stats", lambda: sorted(conn.domainListGetStats([domain])[0][1]))
    attempt("all stats", lambda: [(d.name(), s["state.state"]) for d, s in conn.getAllDomainStats(1)])
    attempt("block stats", lambda: sorted(domain.blockStatsFlags("vda")))
    attempt("block info", lambda: domain.blockInfo("vda")[0])
    attempt("memory stats", lambda: sorted(domain.memoryStats()))
    attempt("cpu time", lambda: domain.info()[4] > 0)
    attempt("vcpus", lambda: domain.vcpus()[1])


def devices(domain: Any) -> None:
    """Hotplug, one disk of it from a descriptor that was handed over."""
    with open(f"{IMAGES}/extra.img", "r+b") as file:
        attempt("associate", domain.FDAssociate, "handed", [file.fileno()], 0)
    handed = text("disk.xml").replace("extra.img'", "extra.img' fdgroup='handed'")
    attempt("attach handed", domain.attachDevice, handed)
    attempt("handed", lambda: "fdgroup='handed'" in domain.XMLDesc())
    attempt("detach handed", domain.detachDevice, handed)
    attempt("attach", domain.attachDevice, text("disk.xml"))
    attempt("attach again", domain.attachDevice, text("disk.xml"))
    attempt("detach", domain.detachDevice, text("disk.xml"))
    attempt("detach again", domain.detachDevice, text("disk.xml"))


def snapshots(domain: Any) -> None:
    """Internal snapshots."""
    attempt("snapshot", lambda: domain.snapshotCreateXML(text("snapshot.xml")))
    attempt("snapshots", domain.listAllSnapshots)
    snapshot = domain.snapshotCurrent()
    attempt("parent", snapshot.getParent)
    attempt("revert", domain.revertToSnapshot, snapshot)
    attempt("delete", snapshot.delete)


def mirror(domain: Any) -> None:
    """A block job to its end, told by an event."""
    target = f"<disk type='file'><source file='{IMAGES}/mirror.qcow2'/><driver type='qcow2'/></disk>"
    attempt("copy", domain.blockCopy, "vda", target, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    wait_for(lambda: any("block job" in event and "2, 3)" in event for event in events), "the copy")
    attempt("pivot", domain.blockJobAbort, "vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    attempt("job", domain.blockJobInfo, "vda")
