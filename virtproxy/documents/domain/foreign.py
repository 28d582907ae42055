# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metadata of other programs inside a domain's document: namespaces by prefix, as libvirt keeps and returns them."""

from __future__ import annotations

from collections.abc import Iterable

from virtproxy.documents.markup import Element, format_verbatim
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain


def uri_of(element: Element, around: Iterable[Element] = ()) -> str | None:
    """The URI of an element's namespace, declared on it or on one of the elements around it."""
    prefix, colon, _ = element.name.rpartition(":")
    declaration = f"xmlns:{prefix}" if colon else "xmlns"
    for holder in (element, *around):
        if declaration in holder.attributes:
            return holder.attributes[declaration]
    return None


def joined(element: Element, key: str, uri: str) -> Element:
    """The element in the namespace `uri`, with `key` as prefix where it has no namespace of its own.

    VirtError if it uses that prefix for another one.
    """
    declared = {f"xmlns:{key}": uri}
    if element.attributes.get(f"xmlns:{key}", uri) != uri:
        detail = "failed to create a new XML namespace"
        raise VirtError.of(ErrorCode.INTERNAL_ERROR, detail, domain=ErrorDomain.XML)
    if ":" not in element.name and "xmlns" not in element.attributes:
        _prefix(element, key)
    spaces = {name: value for name, value in element.attributes.items() if name.startswith("xmlns")}
    rest = {name: value for name, value in element.attributes.items() if name not in spaces}
    element.attributes = spaces | declared | rest
    return element


def _prefix(element: Element, key: str) -> None:
    element.name = f"{key}:{element.name}"
    for child in element.elements:
        if ":" not in child.name and "xmlns" not in child.attributes:
            _prefix(child, key)


def stripped(element: Element) -> str:
    """The element as text without its own prefix and that prefix's declaration."""
    twin = element.copy()
    prefix, colon, _ = twin.name.rpartition(":")
    if colon:
        _strip(twin, prefix)
    return format_verbatim(twin)


def _strip(element: Element, prefix: str) -> None:
    element.name = element.name.removeprefix(f"{prefix}:")
    element.attributes.pop(f"xmlns:{prefix}", None)
    for child in element.elements:
        _strip(child, prefix)
