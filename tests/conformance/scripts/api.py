# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same over libvirt-python: ``python3 -m tests.conformance.scripts.api URI`` does one thing of every family.

It prints what came of each. The conformance tests run it in a lab with the system's Python, once direct and once
through virtproxyd.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from typing import Any

import libvirt

from tests.conformance.scripts.api_guest import guest
from tests.conformance.scripts.speaking import (
    IMAGES,
    attempt,
    events,
    record,
    run_loop,
    say,
    tell_events,
    text,
    wait_for,
)


def subscribe(conn: Any) -> list[int]:
    """Registers one callback a kind of event; the ids."""
    lifecycle = record("lifecycle")
    ids = [
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "all"),
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, record("added"), None),
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, record("removed"), None),
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE, record("tunable"), None),
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, record("metadata"), None),
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, record("block job"), None),
    ]
    conn.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, record("network"), None)
    conn.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, record("pool"), None)
    conn.storagePoolEventRegisterAny(None, libvirt.VIR_STORAGE_POOL_EVENT_ID_REFRESH, record("refresh"), None)
    conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE, record("secret"), None)
    conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED, record("value"), None)
    say("callback ids", ids)
    return ids


def host(conn: Any) -> None:
    """The connection itself."""
    for name in ("getType", "getVersion", "getLibVersion", "getURI", "getHostname", "isAlive", "isSecure"):
        attempt(name, getattr(conn, name))
    attempt("max vcpus", conn.getMaxVcpus, "qemu")
    attempt("cpu map", conn.getCPUMap)
    attempt("models", lambda: len(conn.getCPUModelNames("x86_64")))
    attempt("capabilities", lambda: conn.getCapabilities().count("<guest>"))
    attempt("domain capabilities", lambda: len(conn.getDomainCapabilities(None, "x86_64", None, "qemu")))
    attempt("keepalive", conn.setKeepAlive, 5, 3)
    attempt("numbers", lambda: (conn.numOfDomains(), conn.numOfDefinedDomains(), conn.listDomainsID()))
    attempt("bad xml", conn.defineXML, "<domain>")
    attempt("no such", conn.lookupByName, "nosuch")
    attempt("no such uuid", conn.lookupByUUIDString, "11111111-2222-4333-8444-555555555599")
    attempt("no such network", conn.networkLookupByName, "nosuch")
    attempt("interfaces", lambda: conn.listAllInterfaces())
    attempt("devices", conn.listAllDevices, libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET)
    attempt("device xml", lambda: conn.nodeDeviceLookupByName("computer").XMLDesc())


def secrets(conn: Any) -> None:
    """Secrets with binary values."""
    secret = attempt("secret", lambda: conn.secretDefineXML(text("secret.xml")).UUIDString())
    secret = conn.secretLookupByUUIDString(secret)
    attempt("set", secret.setValue, bytes(range(256)))
    attempt("get", secret.value)
    attempt("usage", secret.usageID)
    attempt("by usage", lambda: conn.secretLookupByUsage(1, f"{IMAGES}/locked.img").UUIDString())
    attempt("undefine", secret.undefine)


def networks(conn: Any) -> None:
    """Networks and filters that the guest needs."""
    attempt("filter", lambda: conn.nwfilterDefineXML(text("filter.xml")))
    network = attempt("network", lambda: conn.networkDefineXML(text("labnet.xml")))
    attempt("start", network.create)
    attempt("start again", network.create)
    attempt("bridge", network.bridgeName)
    attempt("leases", network.DHCPLeases)
    attempt("active", lambda: (network.isActive(), network.isPersistent(), network.autostart()))
    attempt("update", network.update, 3, 4, -1, "<host mac='52:54:00:00:00:09' ip='192.168.77.9'/>", 1)
    attempt("networks", conn.listAllNetworks)
    attempt("port", lambda: network.portCreateXML(text("port.xml")).UUIDString())
    attempt("ports", lambda: [port.UUIDString() for port in network.listAllPorts()])


def volumes(conn: Any) -> None:
    """A pool, and streams in both directions."""
    pool = attempt(
        "pool",
        lambda: conn.storagePoolDefineXML(
            f"<pool type='dir'><name>images</name><target><path>{IMAGES}</path></target></pool>"
        ),
    )
    attempt("build", pool.build)
    attempt("create", pool.create)
    volume = attempt(
        "volume", lambda: pool.createXML("<volume><name>data.img</name><capacity unit='MiB'>9</capacity></volume>")
    )
    data = hashlib.sha256(b"seed").digest() * (9 * 2**20 // 32)
    upload(conn, volume, data)
    fetched = download(conn, volume)
    say("same bytes", fetched == data)
    say("checksum", hashlib.sha256(fetched).hexdigest())
    aborted = conn.newStream()
    volume.download(aborted, 0, 0)
    say("first bytes", aborted.recv(10).hex())
    attempt("abort", aborted.abort)
    attempt("after the abort", aborted.recv, 10)
    attempt("info", lambda: volume.info()[:2])
    sparse(conn, pool)
    nonblocking(conn, volume)
    attempt("by path", lambda: conn.storageVolLookupByPath(f"{IMAGES}/data.img"))
    attempt("too far", lambda: volume.upload(conn.newStream(), 2**40, 1))
    attempt("refresh", pool.refresh)
    attempt("volumes", lambda: sorted(volume.name() for volume in pool.listAllVolumes()))
    attempt("delete", volume.delete)


def upload(conn: Any, volume: Any, data: bytes) -> None:
    """Writes the volume in odd pieces."""
    stream = conn.newStream()
    volume.upload(stream, 0, len(data))
    position = 0
    while position < len(data):
        position += stream.send(data[position : position + 100003])
    attempt("upload finished", stream.finish)


def download(conn: Any, volume: Any) -> bytes:
    """Reads the whole volume."""
    stream = conn.newStream()
    volume.download(stream, 0, 0)
    parts = []
    stream.recvAll(lambda _stream, part, _opaque: parts.append(part), None)
    stream.finish()
    return b"".join(parts)


def sparse(conn: Any, pool: Any) -> None:
    """Holes travel as holes."""
    volume = pool.createXML("<volume><name>holes.img</name><capacity unit='MiB'>8</capacity></volume>")
    stream = conn.newStream()
    volume.upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
    stream.send(b"head")
    stream.sendHole(4 * 2**20 - 4)
    stream.send(b"tail")
    attempt("sparse upload", stream.finish)
    stream = conn.newStream()
    volume.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
    parts: list[object] = []
    while True:
        part = stream.recvFlags(262120, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if part == -3:
            parts.append(("hole", stream.recvHole()))
        elif not part:
            break
        else:
            parts.append(("data", len(part), hashlib.sha256(part).hexdigest()))
    say("sparse download", parts)
    attempt("sparse finish", stream.finish)


def nonblocking(conn: Any, volume: Any) -> None:
    """A stream driven by the event loop."""
    stream = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
    volume.download(stream, 0, 2**20)
    got: list[bytes] = []
    done = threading.Event()

    def readable(stream: Any, what: int, _opaque: Any) -> None:
        part = stream.recv(65536)
        if isinstance(part, bytes) and part:
            got.append(part)
        elif part == b"":
            stream.eventRemoveCallback()
            done.set()

    stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, readable, None)
    say("non-blocking end", done.wait(10))
    say("non-blocking bytes", len(b"".join(got)))
    attempt("non-blocking finish", stream.finish)


def readonly(uri: str) -> None:
    """A read-only connection."""
    conn = libvirt.openReadOnly(uri)
    domain = conn.lookupByName("demo")
    attempt("ro state", domain.state)
    attempt("ro destroy", domain.destroy)
    attempt("ro xml", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_SECURE)
    attempt("ro define", conn.defineXML, "<domain/>")
    attempt("ro closes", conn.close)


def leave(conn: Any, ids: list[int]) -> None:
    """Ends the guest and what it used."""
    domain = conn.lookupByName("demo")
    for one in ids:
        attempt("deregister", conn.domainEventDeregisterAny, one)
    attempt("shutdown", domain.shutdown)
    wait_for(lambda: not domain.isActive(), "the end")
    attempt("state", domain.state)
    attempt("undefine", domain.undefine)
    attempt("gone", domain.info)
    network = conn.networkLookupByName("labnet")
    attempt("network", lambda: (network.destroy(), network.undefine()))
    pool = conn.storagePoolLookupByName("images")
    attempt("pool", lambda: (pool.destroy(), pool.undefine()))
    tell_events("events at the end", "pool images (1")


def other_uris() -> None:
    """Secondary drivers by their own URIs."""
    for uri in (
        "network:///system",
        "storage:///system",
        "secret:///system",
        "nodedev:///system",
        "nwfilter:///system",
        "interface:///system",
        "nosuch:///system",
        "qemu:///nosuch",
    ):
        conn = attempt(uri, lambda uri=uri: libvirt.open(uri))
        if conn is not None:
            attempt(f"{uri} networks", conn.listAllNetworks)
            attempt(f"{uri} domains", conn.listAllDomains)
            attempt(f"{uri} pools", conn.listAllStoragePools)
            attempt(f"{uri} uri", conn.getURI)
            conn.close()


def main(uri: str) -> None:
    """Everything in its order."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    run_loop()
    conn = libvirt.open(uri)
    conn.registerCloseCallback(lambda _conn, reason, _opaque: events.append(f"closed {reason}"), None)
    ids = subscribe(conn)
    host(conn)
    secrets(conn)
    networks(conn)
    volumes(conn)
    tell_events("events of the host", "refresh")
    guest(conn)
    readonly(uri)
    other_uris()
    leave(conn, ids)
    conn.unregisterCloseCallback()
    say("references after closing", conn.close())


if __name__ == "__main__":
    main(sys.argv[1])
