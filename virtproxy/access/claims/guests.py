# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules for the rest of a guest, and for pools, volumes, secrets and node devices."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtproxy.access.claims.element import (
    Element,
    Rule,
    device_at,
    if_equal,
    path_at,
    path_in_text,
    word_in_text,
)
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.paths import lexical

_ANY_SCHEDULER = ("fifo", "rr", "batch", "idle")


def _label(element: Element) -> Iterator[Claim]:
    """A security label that is not libvirt's own choice: it may take away what keeps guests apart."""
    kind = element.get("type")
    if kind in ("none", "static"):
        yield element.claim("isolation", f"seclabel:{kind}", attribute="type")
    of_device = element.parent is not None and element.parent.name != "domain"
    if of_device or kind == "static":
        for label in element.named("label"):
            yield label.claim("isolation", f"seclabel:label:{label.text}")
    elif element.get("relabel") == "no":
        yield element.claim("isolation", "seclabel:relabel:no", attribute="relabel")
    for label in element.named("baselabel"):
        yield label.claim("isolation", f"seclabel:baselabel:{label.text}")


def _capabilities(element: Element) -> Iterator[Claim]:
    if element.get("policy") in ("allow", "deny"):
        yield element.claim("isolation", f"capabilities:policy:{element.get('policy')}", attribute="policy")
    for child in element.children:
        if child.get("state") == "on":
            yield child.claim("isolation", f"capabilities:{child.name}:on", attribute="state")


def _locked(element: Element) -> Iterator[Claim]:
    yield element.claim("isolation", "memory:locked")


def _partition(element: Element) -> Iterator[Claim]:
    if element.text:
        yield element.claim("isolation", f"partition:{lexical(element.text)}", element.text)


def _mode(element: Element) -> Iterator[Claim]:
    """Files that run with their owner's rights, or that carry a label of the document's choice."""
    for mode in element.named("mode"):
        octal = re.fullmatch(r"\s*([0-7]+)\s*", mode.text)
        if octal is None or int(octal[1], 8) & 0o6000:
            yield mode.claim("isolation", f"mode:{mode.text.strip()}")
    for label in element.named("label"):
        if label.text:
            yield label.claim("isolation", f"label:{label.text}")


def _memory_source(element: Element) -> Iterator[Claim]:
    for path in element.named("path"):
        yield from path_in_text("memory_file")(path)


def _pool_source(element: Element) -> Iterator[Claim]:
    """Where the volumes of a pool come from."""
    for host in element.named("host"):
        port = f":{host.get('port')}" if host.get("port") else ""
        yield host.claim("pool_source", f"host:{host.get('name')}{port}")
    for prefix, name in (("device:", "device"), ("dir:", "dir")):
        for child in element.named(name):
            yield child.claim("pool_source", prefix + lexical(child.get("path")), prefix + child.get("path"))
    for child in element.named("name"):
        yield child.claim("pool_source", f"name:{child.text}")
    for child in element.named("adapter"):
        yield from _adapter(child)
    for child in element.named("initiator"):
        for iqn in child.named("iqn"):
            yield iqn.claim("pool_source", f"initiator:{iqn.get('name')}")


def _adapter(element: Element) -> Iterator[Claim]:
    told = [element.get(key) for key in ("name", "parent", "parent_wwnn", "parent_wwpn", "wwnn", "wwpn")]
    found = [value for value in told if value]
    found += [f"pci:{child.place}" for child in element.named("parentaddr")]
    for value in found or ["?"]:
        yield element.claim("pool_source", f"adapter:{value}")


def _pool_target(element: Element) -> Iterator[Claim]:
    for path in element.named("path"):
        yield from path_in_text("pool_target")(path)


def _parent(element: Element) -> Iterator[Claim]:
    written = element.text.strip()
    names = [written] if written else []
    names += [f"{key}:{element.get(key)}" for key in ("wwnn", "wwpn", "fabric_wwn") if element.get(key)]
    for name in names:
        yield element.claim("nodedev_parent", name)


def rules() -> Iterator[tuple[str, str, tuple[Rule, ...]]]:
    """Yield (parent, element, rules); "*" is any parent."""
    yield "devices", "emulator", (path_in_text("emulator"),)
    for name in ("loader", "kernel", "initrd", "dtb", "shim"):
        yield "os", name, (path_in_text("boot_file"),)
    yield "os", "nvram", (_nvram, path_at("template", "boot_file"))
    yield "acpi", "table", (path_in_text("boot_file"),)
    yield "domain", "bootloader", (path_in_text("emulator"),)
    yield "domain", "bootloader_args", (word_in_text("native", "bootloader_args:"),)
    yield "sysinfo", "entry", (path_at("file", "host_file"),)
    yield "resource", "partition", (_partition,)
    yield "*", "seclabel", (_label,)
    yield "features", "capabilities", (_capabilities,)
    yield "memoryBacking", "locked", (_locked,)
    for name in ("vcpusched", "iothreadsched", "emulatorsched"):
        yield "cputune", name, (if_equal("scheduler", _ANY_SCHEDULER, "isolation", "scheduler:"),)
    yield "memory", "source", (_memory_source,)
    yield "*", "permissions", (_mode,)
    # Pools
    yield "pool", "source", (_pool_source,)
    yield "pool", "target", (_pool_target,)
    # Devices of the node
    yield "device", "parent", (_parent,)
    yield "device", "devnode", (device_at("path"),)


def _nvram(element: Element) -> Iterator[Claim]:
    # With an element in it, the text around that is only white space.
    if not any(True for _ in element.children):
        yield from path_in_text("boot_file")(element)
