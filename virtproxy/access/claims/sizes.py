# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much a document asks for: what quotas are counted in.

Numbers are read as libvirt does, and the largest one where something is written twice. It knows no limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from virtproxy.access.claims.document import parse
from virtproxy.access.claims.element import Element

# https://libvirt.org/formatdomain.html#memory-allocation: powers of 1000 end in B alone.
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
_UNIT = re.compile(r"(?P<letter>[kmgtpe])(?P<binary>i?b)?|b|bytes|", re.IGNORECASE)
_COUNT = re.compile(r"\s*\+?([0-9]{1,20})\s*")
# More than any host has: what cannot be read asks for this.
BOUNDLESS = 2**63


@dataclass(frozen=True, slots=True)
class Sizes:
    """`memory` and `capacity` in bytes; 0 is nothing of it."""

    vcpus: int = 0
    memory: int = 0
    capacity: int = 0


def scaled(text: str, unit: str, default: str) -> int:
    """Return `text` times its unit in bytes; BOUNDLESS if either cannot be read."""
    count = _COUNT.fullmatch(text)
    match = _UNIT.fullmatch(unit.strip() or default)
    if not count or not match:
        return BOUNDLESS
    letter, rest = (match["letter"] or "").lower(), (match["binary"] or "").lower()
    base = 1000 if rest == "b" else 1024
    return min(int(count[1]) * int(base ** _POWERS[letter]), BOUNDLESS)


def sizes_of(root: Element) -> Sizes:
    """Return what the document with this root asks for."""
    if root.name == "domain":
        return Sizes(vcpus=_vcpus(root), memory=_memory(root))
    if root.name == "memory":
        return Sizes(memory=sum(_module_sizes(root)))
    if root.name == "volume":
        sizes = [scaled(each.text, each.get("unit"), "b") for each in root.named("capacity", "allocation") if each.text]
        return Sizes(capacity=max(sizes, default=0))
    return Sizes()


def source_of(document: str, disk: str) -> str | None:
    """Return the path of a guest's disk, which is called by its target or by that path; None if it has none.

    Raises DocumentError.
    """
    for devices in Element(parse(document), "/").named("devices"):
        for each in devices.named("disk"):
            paths = [source.get("file") or source.get("dev") for source in each.named("source")]
            if disk in (*paths, *(target.get("dev") for target in each.named("target"))):
                return next((path for path in paths if path), None)
    return None


def _vcpus(root: Element) -> int:
    counts = [_COUNT.fullmatch(each.text) for each in root.named("vcpu") if each.text]
    return max((int(count[1]) if count else BOUNDLESS for count in counts), default=1)


def _memory(root: Element) -> int:
    plain = [scaled(each.text, each.get("unit"), "k") for each in root.named("memory", "currentMemory") if each.text]
    cells = [
        scaled(cell.get("memory"), cell.get("unit"), "k")
        for cpu in root.named("cpu")
        for numa in cpu.named("numa")
        for cell in numa.named("cell")
        if cell.get("memory")
    ]
    modules = [
        size for devices in root.named("devices") for each in devices.named("memory") for size in _module_sizes(each)
    ]
    return max([*plain, sum(cells) + sum(modules)])


def _module_sizes(element: Element) -> Iterator[int]:
    for target in element.named("target"):
        yield max((scaled(size.text, size.get("unit"), "k") for size in target.named("size")), default=0)
