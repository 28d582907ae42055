# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which images a document has opened whose own headers name further files.

The reader asks about each element. Whoever wrote an image chose what stands in its header, so `chain.py` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from virtproxy.access.claims.element import Element

_HOLDERS = ("disk", "backingStore", "dataStore", "nvram", "mirror")


@dataclass(frozen=True, slots=True)
class Image:
    """An image by `path`, or by `volume` ("pool/name") where the path is empty. `read`: it is not written to."""

    path: str
    volume: str
    where: str
    read: bool = False


def image_of(element: Element) -> Iterator[Image]:
    """Yield the images that this element has opened. Raw ones have no header: their contents are the guest's."""
    if element.name == "source" and element.parent is not None and element.parent.name in (*_HOLDERS, "filesystem"):
        if _is_raw(element.parent):
            return
        for attribute in ("file", "dev"):
            if element.get(attribute):
                read = element.parent.name == "backingStore"
                yield Image(element.get(attribute), "", element.where(attribute), read)
        if element.get("pool") or element.get("volume"):
            yield Image("", f"{element.get('pool')}/{element.get('volume')}", element.where("volume"))
    elif element.name in ("target", "scratch") and element.place.startswith("domainbackup"):
        # A target that is there already is taken with what its header says.
        path = element.get("file") or element.get("dev")
        if path and element.parent is not None and not _is_raw(element.parent):
            yield Image(path, "", element.where())
    elif element.name == "path" and element.parent is not None and element.parent.name == "backingStore":
        formats = {each.get("type") for each in element.parent.named("format")}
        if element.text.startswith("/") and formats != {"raw"}:
            yield Image(element.text, "", element.where(), True)


def _is_raw(holder: Element) -> bool:
    """Whether it says so, once: where two elements contradict each other the header counts."""
    formats = [each.get("type") for each in holder.named("driver", "format")]
    formats += [each.get("type") for source in holder.named("source") for each in source.named("format")]
    return bool(formats) and set(formats) == {"raw"} and not holder.get("format")
