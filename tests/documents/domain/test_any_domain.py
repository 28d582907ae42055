# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever a client writes: it is refused as an error of libvirt's, or its document is read again as it was written."""

from __future__ import annotations

import random
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.domain.fragments import DEVICES, MACHINE, documents
from virtproxy.documents.domain import Device, DomainDocument
from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.errors import VirtError

WORDS = [
    "",
    "yes",
    "on",
    "none",
    "0",
    "1",
    "-1",
    "7",
    "0x1f",
    "auto",
    "bogus",
    "vda",
    "usb",
    "pci",
    "virtio",
    "file",
    "é",
    "<&>'\"",
]


@cache
def known() -> list[str]:
    """The documents that are written by hand, and are well formed."""
    return list(documents().values())


def elements(root: Element) -> list[Element]:
    """An element and all inside."""
    return [root, *(each for child in root.elements for each in elements(child))]


def spoiled(text: str, chance: random.Random) -> str:
    """The document with a few things changed, gone or twice."""
    root = parse(text)
    for _ in range(chance.randint(1, 6)):
        element = chance.choice(elements(root))
        change = chance.randrange(5)
        if change == 0 and element.attributes:
            element.attributes[chance.choice(list(element.attributes))] = chance.choice(WORDS)
        elif change == 1 and element.attributes:
            del element.attributes[chance.choice(list(element.attributes))]
        elif change == 2 and element.elements:
            element.children.remove(chance.choice(element.elements))
        elif change == 3 and element.elements:
            element.children.append(chance.choice(element.elements).copy())
        else:
            other = chance.choice(elements(parse(chance.choice(known()))))
            element.children.append(other.copy())
    return format_document(root)


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=0))
def test_a_spoiled_document_is_refused_or_comes_back_as_it_was(which: int, seed: int) -> None:
    text = spoiled(known()[which % len(known())], random.Random(seed))
    try:
        document = DomainDocument(text)
    except VirtError as error:
        assert error.message
        return
    formatted = document.format()
    assert document.copy().format() == formatted
    try:
        again = DomainDocument(formatted)
    except VirtError as error:
        # What libvirt fills in can be what it refuses when a client writes it: two faults that hid each other.
        assert error.message
        return
    assert DomainDocument(again.format()).format() == again.format()
    assert again.uuid == document.uuid


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(DEVICES.strip().splitlines()))
def test_a_device_is_refused_or_comes_back_as_it_was(line: str) -> None:
    for element in parse(f"<all>{line}</all>").elements:
        try:
            device = Device.parse(format_document(element))
        except VirtError as error:
            assert error.message
            continue
        assert Device.parse(device.format()).format() == device.format()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_refused_as_libvirt_does(text: str) -> None:
    try:
        DomainDocument(text)
    except VirtError as error:
        assert error.message


def test_the_tables_take_what_is_written_by_hand() -> None:
    assert len(MACHINE.strip().splitlines()) > 100
    taken = 0
    for text in known():
        try:
            formatted = DomainDocument(text).format()
        except VirtError:
            continue
        taken += 1
        # A controller that was numbered for its writer has its place by its number from then on.
        again = DomainDocument(formatted).format()
        assert DomainDocument(again).format() == again, text
    assert taken > 150
