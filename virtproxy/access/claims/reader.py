# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a document to its claims: walks every element once and asks the rules about it.

`routing/rules/documents.py` calls `read`. Nothing is left out because libvirt would ignore it: a source in the wrong
place or written twice is a claim too, and what is not known is one of kind "unknown".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from virtproxy.access.claims import devices, disks, guests, networks
from virtproxy.access.claims.document import DocumentError, parse
from virtproxy.access.claims.element import Element, Rule
from virtproxy.access.claims.images import Image, image_of
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.sizes import Sizes, sizes_of
from virtproxy.access.claims.vocabulary import NATIVE, NATIVE_PARENTS, ROOT, vocabulary

# Below these, anybody may write what they like; libvirt keeps it and reads nothing.
_FREE = {("domain", "metadata"), ("network", "metadata"), ("domainsnapshot", "cookie")}
# A device of a guest on its own, as calls attach it; <device> is one of the node.
GUEST_DEVICE = "guest-device"
# Where the element that each kind of document begins with would stand in a whole one.
_ROOTS: Mapping[str, tuple[str, ...]] = {
    GUEST_DEVICE: ("devices",),
    "network-part": ("dhcp", "dns", "forward", "network"),
    "pool-source": ("pool",),
}


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says: its root's name, its claims, images whose headers count too, and what it asks for.

    `uuid` and `name` are what it calls the thing that it describes, None where it does not.
    """

    root: str
    claims: tuple[Claim, ...]
    images: tuple[Image, ...]
    sizes: Sizes
    uuid: str | None
    name: str | None


def read(text: str, kind: str) -> Document:
    """Read a document of `kind`: the name of its root ("domain"), GUEST_DEVICE, "network-part" or "pool-source".

    Raises DocumentError if it cannot be read, ImportError where lxml is missing.
    """
    root = Element(parse(text), ROOT)
    above = next((parent for parent in _ROOTS.get(kind, (ROOT,)) if (parent, root.name) in vocabulary()), ROOT)
    root.above = above
    if kind not in _ROOTS and root.name != kind:
        raise DocumentError(f"the XML begins with <{root.name}>, where <{kind}> is expected")
    claims: list[Claim] = []
    images: list[Image] = []
    for element in _walk(root, claims):
        images.extend(image_of(element))
    uuid, name = (_only(root, word) for word in ("uuid", "name"))
    return Document(root.name, tuple(claims), tuple(images), sizes_of(root), uuid, name)


def read_cookie(text: str) -> list[Document]:
    """Read the cookie that hosts exchange in a migration: the guests that are in it. Raises as `read`."""
    found = []
    for node in parse(text).iter("{*}domain"):
        root = Element(node, ROOT)
        claims: list[Claim] = []
        images = [image for element in _walk(root, claims) for image in image_of(element)]
        found.append(Document(root.name, tuple(claims), tuple(images), sizes_of(root), None, None))
    return found


def _only(root: Element, word: str) -> str | None:
    values = [child.text for child in root.named(word)]
    if len(set(values)) > 1:
        raise DocumentError(f"the XML has more than one <{word}>")
    return values[0] if values and values[0] else root.get(word) or None


def _walk(root: Element, claims: list[Claim]) -> Iterator[Element]:
    """Yield every element that the rules were asked about; not recursive, because documents may be deep."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        if (element.above, element.name) in _FREE and not _namespace(element):
            continue
        if _native(element, claims):
            continue
        claims.extend(_unknown(element))
        for rule in _rules_for(element):
            claims.extend(rule(element))
        yield element
        waiting.extend(reversed(list(element.children)))


def _namespace(element: Element) -> str:
    return str(element.node.tag).rpartition("}")[0].removeprefix("{")


def _native(element: Element, claims: list[Claim]) -> bool:
    """Whether it is an element of a hypervisor's own, where libvirt reads those: one claim for all of it."""
    space = _namespace(element)
    driver, names = NATIVE.get(space, ("", frozenset()))
    if element.name not in names or element.above not in NATIVE_PARENTS or element.parent is None:
        return False
    claims.append(element.claim("native", f"{driver}:{element.name}"))
    return True


def _unknown(element: Element) -> Iterator[Claim]:
    known = vocabulary().get((element.above, element.name))
    if known is None or _namespace(element):
        yield element.unknown()
        known = known or frozenset()
    for attribute in element.node.attrib:
        if str(attribute) not in known:
            yield element.unknown(str(attribute))


@cache
def _rules() -> Mapping[tuple[str, str], tuple[Rule, ...]]:
    table: dict[tuple[str, str], tuple[Rule, ...]] = {}
    for module in (disks, devices, networks, guests):
        for parent, name, rules in module.rules():
            table[parent, name] = (*table.get((parent, name), ()), *rules)
    return table


def _rules_for(element: Element) -> Sequence[Rule]:
    table = _rules()
    return (*table.get((element.above, element.name), ()), *table.get(("*", element.name), ()))
