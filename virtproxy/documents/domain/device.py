# SPDX-License-Identifier: LGPL-2.1-or-later
"""A single device's document, and a device in a domain: what it is called, and how one is told from another.

Drivers parse what a client wants attached, detached or updated with `Device.parse`; `DomainDocument` finds, adds,
replaces and removes. A device is a view of its element: changing one changes the document that holds it.
"""

from __future__ import annotations

from collections.abc import Callable

from virtproxy.documents.domain.grammar import group_child
from virtproxy.documents.domain.implied import alone
from virtproxy.documents.domain.meanings import HOOKS
from virtproxy.documents.domain.shape import Shaper
from virtproxy.documents.domain.values import unsupported
from virtproxy.documents.markup import Element, format_document, parse

# What libvirt calls devices in errors where it is not their element's name.
_CALLED = {"serial": "chr", "parallel": "chr", "console": "chr", "channel": "chr"}
_SOURCES = ("file", "dev", "dir", "name", "volume", "network", "bridge", "path")


class Device:
    """One device of a domain, by its element."""

    def __init__(self, element: Element) -> None:
        self.element = element

    @classmethod
    def parse(cls, text: str, *, active: bool = False) -> Device:
        """The device that `text` describes, with what libvirt fills in; VirtError in libvirt's words.

        active: keep the aliases of a running domain's devices.
        """
        element = parse(text)
        child = group_child("&devices").get(element.name)
        if child is None:
            raise unsupported(f"unknown device type '{element.name}'")
        rule = child.rule(element.attributes, {})
        assert rule is not None
        Shaper(HOOKS, active).shape(element, rule, None, child)
        alone(element)
        return cls(element)

    def format(self) -> str:
        """The device's own document."""
        return format_document(self.element)

    def copy(self) -> Device:
        """An independent copy."""
        return Device(self.element.copy())

    @property
    def kind(self) -> str:
        """Its element's name."""
        return self.element.name

    @property
    def called(self) -> str:
        """What libvirt calls its kind in an error."""
        return _CALLED.get(self.kind, self.kind)

    @property
    def type(self) -> str:
        """Its type, if its kind has types."""
        return self.element.attributes.get("type", "")

    @property
    def alias(self) -> str | None:
        """The name that the domain's devices are told apart by."""
        return self._inner("alias", "name")

    @property
    def target(self) -> str | None:
        """Where it is at the machine (vda), or what it is called on the host (vnet0)."""
        return self._inner("target", "dev")

    @property
    def bus(self) -> str | None:
        """The bus of a disk."""
        return self._inner("target", "bus") or self.element.attributes.get("bus")

    @property
    def mac(self) -> str | None:
        """An interface's MAC address, lower case."""
        return self._inner("mac", "address")

    @property
    def source(self) -> str | None:
        """The file, device, directory, volume, network or bridge behind it."""
        found = self.element.find("source")
        attributes = {} if found is None else found.attributes
        return next((attributes[name] for name in _SOURCES if name in attributes), None)

    @property
    def address(self) -> dict[str, str] | None:
        """Where it sits on its bus, as written."""
        found = self.element.find("address")
        return None if found is None else found.attributes

    @property
    def readonly(self) -> bool:
        """Whether it can only be read."""
        return self.element.find("readonly") is not None

    def _inner(self, name: str, attribute: str) -> str | None:
        found = self.element.find(name)
        return None if found is None else found.attributes.get(attribute)

    def same(self, other: Device) -> bool:
        """Whether a client that describes `other` means this device."""
        if self.kind != other.kind:
            return False
        if other.alias is not None and self.alias is not None and other.alias != self.alias:
            return False
        told_by = _TOLD_BY.get(self.kind)
        if told_by is not None:
            return told_by(self) == told_by(other)
        if other.address is not None and self.address != other.address:
            return False
        mine, theirs = (_bare(each.element) for each in (self, other))
        return mine == theirs


def _source_key(device: Device) -> object:
    source = device.element.find("source")
    return device.type, None if source is None else _bare(source)


def _lease_key(device: Device) -> object:
    return device.element.value("key"), device.element.value("lockspace")


_TOLD_BY: dict[str, Callable[[Device], object]] = {
    "disk": lambda device: device.target,
    "interface": lambda device: device.mac,
    "hostdev": _source_key,
    "lease": _lease_key,
    "filesystem": lambda device: device._inner("target", "dir"),
    "controller": lambda device: (device.type, device.element.attributes.get("index")),
    "shmem": lambda device: device.element.attributes["name"],
    "graphics": lambda device: device.type,
}


def _bare(element: Element) -> object:
    """What an element says, without its address and alias."""
    inner = [_bare(child) for child in element.elements if child.name not in ("alias", "address")]
    return element.name, tuple(element.attributes.items()), element.text.strip() if not inner else "", tuple(inner)
