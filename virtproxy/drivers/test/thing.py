# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network, interface or storage pool of the pretended host, as far as these are alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from virtproxy.documents.markup import parse
from virtproxy.driver import ErrorCode, ErrorDomain, VirtError


class Thing:
    """An object with a name, a UUID (where its kind has one), a document, and whether it runs and starts by itself."""

    def __init__(self, xml: str) -> None:
        root = parse(xml)
        self.root = root
        self.xml = xml
        self.name = root.value("name") or root.attributes.get("name", "")
        self.uuid = bytes.fromhex((root.value("uuid") or "").replace("-", ""))
        self.active = True
        self.autostart = False


T = TypeVar("T", bound=Thing)


def only(things: Iterable[T], code: ErrorCode, detail: str, match: Callable[[T], bool]) -> T:
    """The thing that matches; VirtError with `code` and `detail` if there is none."""
    for thing in things:
        if match(thing):
            return thing
    raise VirtError.of(code, detail, domain=ErrorDomain.TEST)


def passes(flags: int, pairs: Iterable[tuple[int, int, bool]]) -> bool:
    """Whether list flags let a thing pass; each pair is the bit if true, the bit if false, and which it is."""
    for yes, no, truth in pairs:
        given = flags & (yes | no)
        if given and not given & (yes if truth else no):
            return False
    return True
