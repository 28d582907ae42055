# SPDX-License-Identifier: LGPL-2.1-or-later
"""The layers of a running guest's disk, as its live definition tells them, and which of them a commit writes to.

A backing file is granted to be read alone; a commit is the one way in which a guest writes to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from virtproxy.access.claims.document import parse
from virtproxy.access.claims.element import Element
from virtproxy.access.claims.vocabulary import ROOT

_INDEX = re.compile(r".*\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Layer:
    """One image: its path, None where another host has it, and libvirt's index of it, "" without."""

    path: str | None
    index: str


def layers_of(document: str, disk: str) -> list[Layer]:
    """Return the layers, topmost first, of the disk with that target or path. Raises DocumentError."""
    for devices in Element(parse(document), ROOT).named("devices"):
        for each in devices.named("disk"):
            found = _layers(each)
            called = [target.get("dev") for target in each.named("target")]
            if disk in (*called, *(layer.path for layer in found[:1])):
                return found
    return []


def _layers(holder: Element) -> list[Layer]:
    found: list[Layer] = []
    inner: Element | None = holder
    while inner is not None:
        for source in inner.named("source"):
            path = source.get("file") or source.get("dev") or None
            found.append(Layer(path, source.get("index") or inner.get("index")))
        inner = next(inner.named("backingStore"), None)
    return found


def committed_to(layers: list[Layer], base: str | None, top: str | None, shallow: bool) -> Layer | None:
    """Return the layer that a commit down from `top` writes to; None if that cannot be told."""
    if base:
        return _called(layers, base) or Layer(base, "")
    if not shallow:
        return layers[-1] if layers else None
    begin = _called(layers, top) if top else next(iter(layers), None)
    below = layers[layers.index(begin) + 1 :] if begin in layers else []
    return next(iter(below), None)


def _called(layers: list[Layer], name: str) -> Layer | None:
    index = _INDEX.fullmatch(name)
    if index:
        return next((layer for layer in layers if layer.index == index[1]), None)
    return next((layer for layer in layers if layer.path == name), None)
