# SPDX-License-Identifier: LGPL-2.1-or-later
"""One real C client (libvirt-python) of a test driver, which does one thing many times and prints what it took.

drivers.py starts it with the interpreter that has libvirt-python; it uses nothing of virtproxy.
Usage: driver_client.py MEASURE URI COUNT [FILE]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libvirt

GUEST = (
    "<domain type='test'><name>{name}</name><memory>65536</memory><vcpu>2</vcpu><os><type>hvm</type></os>"
    "<devices><disk type='file'><source file='/{name}.img'/><target dev='vda' bus='virtio'/></disk>"
    "<interface type='network'><source network='default'/></interface></devices></domain>"
)
FILLER = "filler"


def per_second(action: Callable[[], object], count: int) -> float:
    """How often a second `action` can be done, of `count` times."""
    begin = time.perf_counter()
    for _ in range(count):
        action()
    return count / (time.perf_counter() - begin)


def fill(uri: str, count: int) -> None:
    """Define guests until there are `count`, say so on standard output, and stay connected until input ends."""
    connection = libvirt.open(uri)
    for number in range(connection.numOfDomains() + connection.numOfDefinedDomains(), count):
        connection.defineXML(GUEST.format(name=f"{FILLER}{number}"))
    print("ready", flush=True)
    sys.stdin.read()


def call(uri: str, count: int) -> float:
    """virDomainGetInfo of one guest."""
    guest = libvirt.open(uri).lookupByName("test")
    for _ in range(50):
        guest.info()
    return per_second(guest.info, count)


def listing(uri: str, count: int) -> float:
    """The list of all guests, and each one's state."""
    connection = libvirt.open(uri)

    def once() -> None:
        for guest in connection.listAllDomains():
            guest.state()

    return per_second(once, count)


def names(uri: str, count: int) -> float:
    """The list of all guests alone."""
    return per_second(libvirt.open(uri).listAllDomains, count)


def stats(uri: str, count: int) -> float:
    """The statistics of all guests in one call."""
    return per_second(libvirt.open(uri).getAllDomainStats, count)


def xml_out(uri: str, count: int) -> float:
    """The description of one guest."""
    return per_second(libvirt.open(uri).lookupByName("test").XMLDesc, count)


def xml_in(uri: str, count: int) -> float:
    """A definition of one guest, again and again."""
    connection = libvirt.open(uri)
    xml = connection.defineXML(GUEST.format(name="defined")).XMLDesc()
    rate = per_second(lambda: connection.defineXML(xml), count)
    connection.lookupByName("defined").undefine()
    return rate


def toggle(uri: str, count: int) -> float:
    """Suspend and resume one guest: two events each time."""
    guest = libvirt.open(uri).lookupByName("test")

    def once() -> None:
        guest.suspend()
        guest.resume()

    return per_second(once, count)


def main() -> None:
    """Measure as the command line says."""
    name, uri, count = sys.argv[1:4]
    if name == "fill":
        fill(uri, int(count))
        return
    if len(sys.argv) > 4:
        while not Path(sys.argv[4]).exists():
            time.sleep(0.005)
    measures = {
        "call": call,
        "list": listing,
        "names": names,
        "stats": stats,
        "xml_out": xml_out,
        "xml_in": xml_in,
        "toggle": toggle,
    }
    print(json.dumps(measures[name](uri, int(count))))


main()
