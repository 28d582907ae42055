# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small changes to a domain's document that keep libvirt's order of elements."""

from __future__ import annotations

from collections.abc import Iterator

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element

# Inside a device: the children that this driver sets, and those that libvirt writes after them.
LATER = {
    "iotune": {"readonly", "shareable", "transient", "serial", "wwn", "vendor", "product", "boot", "alias", "address"},
    "bandwidth": {"vlan", "port", "target", "guest", "model", "driver", "boot", "rom", "link", "alias", "address"},
    "alias": {"address"},
    "stats": {"alias", "address", "driver"},
}


def part(document: DomainDocument, path: str) -> Element:
    """The element at `path` below the domain, made if it is not there."""
    found = document.section(path, make=True)
    assert found is not None
    return found


def put(document: DomainDocument, path: str, text: str | None) -> None:
    """Give the element at `path` this text; None drops it."""
    if text is None:
        document.drop(path)
    else:
        part(document, path).set_text(text)


def inside(device: Element, name: str) -> Element:
    """A device's child of that name, made in its place if it is not there."""
    found = device.find(name)
    if found is not None:
        return found
    child = Element(name)
    later = (each for each in device.elements if each.name in LATER.get(name, ()))
    before = next(later, None)
    place = len(device.children) if before is None else device.children.index(before)
    device.children.insert(place, child)
    return child


def children(parent: Element | None, name: str) -> Iterator[Element]:
    """The child elements of that name."""
    return iter([child for child in parent.elements if child.name == name] if parent is not None else [])


def number(element: Element | None) -> int | None:
    """The number that an element holds, None if there is no element or no number."""
    text = "" if element is None else element.text.strip()
    return int(text) if text.isascii() and text.isdigit() else None
