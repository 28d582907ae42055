# SPDX-License-Identifier: LGPL-2.1-or-later
"""One real C client (libvirt-python) that does one thing many times and prints what it took, as JSON.

__main__.py starts it with the interpreter that has libvirt-python; it uses nothing of virtproxy.
Usage: client.py MEASURE URI COUNT [FILE]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libvirt

GUEST = "<domain type='qemu'><name>bench</name><memory>65536</memory><os><type>hvm</type></os></domain>"
NETWORK = "<network><name>bench</name></network>"
POOL = "bench"


def timed(action: Callable[[], object], count: int) -> dict[str, float]:
    """Call `action` that often; median and 90th percentile in microseconds, and calls a second."""
    taken = []
    begin = time.perf_counter()
    for _ in range(count):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    total = time.perf_counter() - begin
    taken.sort()
    return {
        "median_us": statistics.median(taken) * 1e6,
        "p90_us": taken[int(count * 0.9)] * 1e6,
        "per_second": count / total,
    }


def domain(uri: str, count: int) -> dict[str, float]:
    """virDomainGetInfo of a defined guest."""
    connection = libvirt.open(uri)
    try:
        guest = connection.lookupByName("bench")
    except libvirt.libvirtError:
        guest = connection.defineXML(GUEST)
    for _ in range(100):
        guest.info()
    return timed(guest.info, count)


def network(uri: str, count: int) -> dict[str, float]:
    """virNetworkGetBridgeName's little sister: is it persistent, of a defined network."""
    connection = libvirt.open(uri)
    try:
        bench = connection.networkLookupByName("bench")
    except libvirt.libvirtError:
        bench = connection.networkDefineXML(NETWORK)
    for _ in range(100):
        bench.isPersistent()
    return timed(bench.isPersistent, count)


def opens(uri: str, count: int) -> dict[str, float]:
    """A connection opened and closed."""

    def once() -> None:
        libvirt.open(uri).close()

    return timed(once, count)


def _volume(uri: str, name: str, size: int) -> tuple[libvirt.virConnect, libvirt.virStorageVol]:
    connection = libvirt.open(uri)
    pool = connection.storagePoolLookupByName(POOL)
    try:
        return connection, pool.storageVolLookupByName(name)
    except libvirt.libvirtError:
        xml = f"<volume><name>{name}</name><capacity>{size}</capacity><target><format type='raw'/></target></volume>"
        return connection, pool.createXML(xml)


def upload(uri: str, count: int) -> dict[str, float]:
    """`count` MiB into a volume."""
    size = count * 1024 * 1024
    connection, volume = _volume(uri, "bench-volume", size)
    chunk = bytes(range(256)) * 1024
    stream = connection.newStream()
    start = time.perf_counter()
    volume.upload(stream, 0, size)
    left = size

    def source(stream: libvirt.virStream, wanted: int, opaque: object) -> bytes:
        nonlocal left
        piece = chunk[: min(wanted, left)]
        left -= len(piece)
        return piece

    stream.sendAll(source, None)
    stream.finish()
    return {"mib_per_second": count / (time.perf_counter() - start)}


def download(uri: str, count: int) -> dict[str, float]:
    """`count` MiB out of the volume that `upload` made."""
    size = count * 1024 * 1024
    connection, volume = _volume(uri, "bench-volume", size)
    stream = connection.newStream()
    start = time.perf_counter()
    volume.download(stream, 0, size)
    got = 0

    def sink(stream: libvirt.virStream, data: bytes, opaque: object) -> None:
        nonlocal got
        got += len(data)

    stream.recvAll(sink, None)
    stream.finish()
    assert got == size, f"{got} bytes of {size} came"
    return {"mib_per_second": count / (time.perf_counter() - start)}


def wait_for_start(path: str) -> None:
    """Wait until the file is there, so that several clients begin together."""
    while not Path(path).exists():
        time.sleep(0.005)


def main() -> None:
    """Measure as the command line says."""
    measures = {"domain": domain, "network": network, "opens": opens, "upload": upload, "download": download}
    name, uri, count = sys.argv[1:4]
    if len(sys.argv) > 4:
        wait_for_start(sys.argv[4])
    print(json.dumps(measures[name](uri, int(count))))


main()
