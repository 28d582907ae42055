# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the made-up figures come from: a domain's document and its number."""

from __future__ import annotations

from collections.abc import Iterator

from virtproxy.documents.domain import Device, DomainDocument
from virtproxy.driver import remote

GUEST_TIME = 627319920
# Memory statistics by tag: what part of the guest's memory they are, where they are not nothing.
_TAGS = {"actual": 6, "unused": 4, "available": 5, "usable": 8, "last_update": 9, "disk_caches": 10, "rss": 7}
_NOTHING_BEFORE, _NOTHING_AFTER = (0, 1, 2, 3), (11, 12)
_IPV4 = 0
# Each run of a guest gets addresses twenty further on.
_ADDRESSES_A_RUN, _FIRST_ADDRESS, _LAST_ADDRESS = 20, 3, 254

FILE_SYSTEMS = (
    remote.DomainFsinfo(mountpoint="/", name="vda1", fstype="ext4", dev_aliases=["vda"]),
    remote.DomainFsinfo(mountpoint="/boot", name="vda2", fstype="ext4", dev_aliases=["vda"]),
)


def memory_figures(kib: int) -> Iterator[tuple[int, int]]:
    """Tag and value of each memory statistic of a guest of `kib` KiB, in libvirt's order."""
    yield _TAGS["actual"], kib
    yield from ((tag, 0) for tag in _NOTHING_BEFORE)
    yield _TAGS["unused"], kib // 2
    yield _TAGS["available"], kib
    yield _TAGS["usable"], kib // 2
    yield _TAGS["last_update"], GUEST_TIME
    yield _TAGS["disk_caches"], kib // 8
    yield from ((tag, 0) for tag in _NOTHING_AFTER)
    yield _TAGS["rss"], kib // 2


def addresses(document: DomainDocument, id: int) -> list[remote.DomainInterface]:
    """An address for each interface: in the network "default", or in no network known here."""
    return [_interface(nic, index, id) for index, nic in enumerate(document.devices("interface"))]


def _interface(nic: Device, index: int, id: int) -> remote.DomainInterface:
    last = (_ADDRESSES_A_RUN * (id - 1) + _FIRST_ADDRESS + index) % _LAST_ADDRESS
    address = f"192.168.122.{last}" if nic.source == "default" and nic.type == "network" else f"192.168.0.{1 + index}"
    return remote.DomainInterface(
        name=nic.target or "",
        hwaddr=nic.mac or "",
        addrs=[remote.DomainIpAddr(type=_IPV4, addr=address, prefix=24)],
    )
