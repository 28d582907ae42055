# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes to a domain's document that keep libvirt's order of elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element

# The order among those children that this driver sets; others stay where they are.
ORDER = {
    "domain": (
        "name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory",
        "blkiotune", "memtune", "memoryBacking", "vcpu", "vcpus", "iothreads", "iothreadids", "defaultiothread",
        "cputune", "numatune", "resource", "sysinfo", "bootloader", "bootloader_args", "os", "idmap", "features",
        "cpu", "clock", "on_poweroff", "on_reboot", "on_crash", "pm", "perf", "devices", "seclabel",
    ),
    "memtune": ("hard_limit", "soft_limit", "min_guarantee", "swap_hard_limit"),
    "cputune": (
        "shares", "period", "quota", "global_period", "global_quota", "emulator_period", "emulator_quota",
        "iothread_period", "iothread_quota", "vcpupin", "emulatorpin", "iothreadpin", "vcpusched",
    ),
    "disk": (
        "driver", "auth", "source", "backingStore", "backenddomain", "geometry", "blockio", "mirror", "target",
        "iotune", "readonly", "shareable", "transient", "serial", "wwn", "vendor", "product", "encryption", "boot",
        "alias", "address",
    ),
    "interface": (
        "mac", "source", "virtualport", "ip", "route", "script", "downscript", "backenddomain", "bandwidth", "vlan",
        "port", "target", "guest", "model", "driver", "boot", "rom", "link", "alias", "address",
    ),
    "devices": (
        "emulator", "disk", "controller", "lease", "filesystem", "interface", "smartcard", "serial", "parallel",
        "console", "channel", "input", "tpm", "graphics", "sound", "audio", "video", "hostdev", "redirdev",
        "redirfilter", "hub", "watchdog", "memballoon", "rng",
    ),
}  # fmt: skip


def insert(parent: Element, child: Element) -> Element:
    """Put a new child behind those that libvirt writes before it, and return it."""
    order = ORDER.get(parent.name, ())
    later = set(order[order.index(child.name) + 1 :]) if child.name in order else set()
    for place, other in enumerate(parent.children):
        if isinstance(other, Element) and other.name in later:
            parent.children.insert(place, child)
            return child
    parent.children.append(child)
    return child


def ensure(parent: Element, name: str) -> Element:
    """The child of that name, made in its place if it is not there."""
    found = parent.find(name)
    return insert(parent, Element(name)) if found is None else found


def put(parent: Element, name: str, text: str | None, attributes: Mapping[str, str] | None = None) -> None:
    """Give the child of that name this text; None removes it."""
    if text is None:
        parent.remove(name)
        return
    child = ensure(parent, name)
    child.set_text(text)
    child.attributes.update(attributes or {})


def drop_empty(parent: Element, name: str) -> None:
    """Remove the child of that name if it has neither children nor attributes."""
    found = parent.find(name)
    if found is not None and not found.elements and not found.attributes:
        parent.remove(name)


def children(parent: Element | None, name: str) -> Iterator[Element]:
    """The child elements of that name."""
    return iter([child for child in parent.elements if child.name == name] if parent is not None else [])


def devices(document: DomainDocument, name: str) -> list[Element]:
    """The devices of that kind."""
    return list(children(document.root.find("devices"), name))


def number(element: Element | None) -> int | None:
    """The number that an element holds, None if there is no element or no number."""
    text = "" if element is None else element.text.strip()
    return int(text) if text.isascii() and text.isdigit() else None
