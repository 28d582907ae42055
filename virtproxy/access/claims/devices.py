# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules for devices of the host and for the ends of character devices.

A host device's claim is in one form however the document writes it: "pci:0000:01:00.0", "usb:1234:5678". A number that
versions of libvirt could read differently makes two claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from virtproxy.access.claims.element import (
    Element,
    Rule,
    device_at,
    if_equal,
    path_at,
    path_in_text,
    readings,
    word_at,
)
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.network_disks import network_disk
from virtproxy.access.claims.paths import lexical

# Parents whose `source` is the other end of a character device.
ENDS = ("console", "serial", "parallel", "channel", "redirdev", "smartcard", "backend")
_PTY = re.compile(r"/dev/pts/[0-9]+")


def address(element: Element) -> Iterator[Claim]:
    """The address of a device of the host: PCI, USB, SCSI, or a mediated device's UUID."""
    if element.get("uuid"):
        yield element.claim("host_device", f"mdev:{element.get('uuid').strip().lower()}", element.get("uuid"))
    known = ("domain", "bus", "slot", "function", "device", "target", "unit")
    told = {key: readings(element.get(key)) for key in known if key in element.attributes}
    for broken in (key for key, numbers in told.items() if not numbers):
        yield element.unknown(broken)
    for numbers in product(*told.values()):
        yield from _address_at(element, dict(zip(told, numbers, strict=True)))


def _address_at(element: Element, at: dict[str, int]) -> Iterator[Claim]:
    if "slot" in at or "function" in at or "domain" in at or element.get("type") == "pci":
        where = (at.get("domain", 0), at.get("bus", 0), at.get("slot", 0), at.get("function", 0))
        yield element.claim("host_device", "pci:{:04x}:{:02x}:{:02x}.{:x}".format(*where))
    if "device" in at:
        yield element.claim("host_device", f"usb:bus:{at.get('bus', 0)}.{at['device']}")
    if "target" in at or "unit" in at:
        adapters = [each.get("name") for each in element.parent.named("adapter")] if element.parent else []
        unit = f"{at.get('bus', 0)}:{at.get('target', 0)}:{at.get('unit', 0)}"
        for adapter in adapters or ["?"]:
            yield element.claim("host_device", f"scsi:{adapter}:{unit}")


def host_device(element: Element) -> Iterator[Claim]:
    """What a `hostdev` takes from the host; always at least one claim."""
    sources = list(element.named("source"))
    found = [claim for source in sources for claim in _taken(element, source)]
    yield from found
    if not any(claim.kind in ("host_device", "network_disk", "unknown") for claim in found):
        yield element.claim("host_device", f"{element.get('type') or element.get('mode')}:unspecified")


def _taken(element: Element, source: Element) -> Iterator[Claim]:
    for child in source.named("address"):
        yield from address(child)
    yield from _usb_product(source)
    for prefix, name in (("block:", "block"), ("char:", "char")):
        for child in source.named(name):
            yield child.claim("host_device", prefix + lexical(child.text), prefix + child.text)
    for child in source.named("interface"):
        yield child.claim("host_device", f"net:{child.text}")
    if source.get("wwpn"):
        yield source.claim("host_device", f"scsi_host:{source.get('wwpn')}", attribute="wwpn")
    if source.get("protocol") and source.get("name"):
        yield from network_disk(source)


def _usb_product(source: Element) -> Iterator[Claim]:
    told = [list(source.named(name)) for name in ("vendor", "product")]
    if not any(told):
        return
    vendors, products = ([value for child in children for value in readings(child.get("id"))] for children in told)
    if not vendors or not products:
        yield source.unknown()
    for vendor, number in product(vendors, products):
        yield source.claim("host_device", f"usb:{vendor:04x}:{number:04x}")


def character_end(element: Element) -> Iterator[Claim]:
    """The host's end of a serial line, console, channel and the like."""
    parent = element.parent
    types = {element.get("type"), parent.get("type") if parent else ""} - {""}
    if parent is not None and parent.name == "backend" and parent.parent and parent.parent.name == "tpm":
        types = {element.get("type") or "file"}
    path = element.get("path")
    if path:
        kinds = [kind for kind in map(_path_kind, sorted(types)) if kind]
        for kind in kinds or [""]:
            yield from _character_path(element, kind, path)
    for attribute in ("master", "slave"):
        yield from device_at(attribute)(element)
    if element.get("host") or element.get("service"):
        kind = "listen" if element.get("mode") == "bind" else "connect"
        yield element.claim(kind, f"{element.get('host') or '*'}:{element.get('service') or '*'}", attribute="service")


def _path_kind(type: str) -> str | None:
    kinds = {"dev": "char", "file": "host_file", "dir": "host_file", "pipe": "host_file", "unix": "unix_socket"}
    return {**kinds, "pty": "pty", "vhostuser": "unix_socket"}.get(type)


def _character_path(element: Element, kind: str, path: str) -> Iterator[Claim]:
    if not kind:
        yield element.unknown("path")
    elif kind == "char" or (kind == "pty" and not _PTY.fullmatch(path)):
        yield element.claim("host_device", f"char:{lexical(path)}", f"char:{path}", "path")
    elif kind != "pty":
        yield element.claim(kind, lexical(path), path, "path")


def _old_terminal(element: Element) -> Iterator[Claim]:
    tty = element.get("tty")
    if tty and not _PTY.fullmatch(tty):
        yield element.claim("host_device", f"char:{lexical(tty)}", f"char:{tty}", "tty")


def _random_device(element: Element) -> Iterator[Claim]:
    parent = element.parent
    texts = [element.node.text, *(child.tail for child in element.node)]
    written = "".join(text or "" for text in texts).strip()
    if parent is not None and parent.name == "rng" and written:
        yield element.claim("host_device", f"char:{lexical(written)}", f"char:{written}")


def _graphics(element: Element) -> Iterator[Claim]:
    """Where a display listens; a port that is chosen for it on the default address is no claim."""
    ports = [element.get(name) for name in ("port", "tlsPort", "websocket")]
    fixed = [port for port in ports if port and port != "-1" and element.get("autoport") != "yes"]
    addresses = [element.get("listen")] if element.get("listen") else []
    addresses += [child.get("address") for child in element.named("listen") if child.get("address")]
    for where in addresses or (["default"] if fixed else []):
        for port in fixed or ["*"]:
            yield element.claim("listen", f"{where}:{port}")


def _audio(element: Element) -> Iterator[Claim]:
    if element.get("type") not in ("", "none", "spice", "dbus", "file"):
        yield element.claim("host_device", f"audio:{element.get('type')}", attribute="type")


def rules() -> Iterator[tuple[str, str, tuple[Rule, ...]]]:
    """Yield (parent, element, rules); "*" is any parent."""
    yield (
        "*",
        "hostdev",
        (
            host_device,
            if_equal("rawio", ("yes",), "isolation", "rawio:"),
            if_equal("sgio", ("unfiltered",), "isolation", "sgio:"),
        ),
    )
    for end in ENDS:
        yield end, "source", (character_end,)
        yield end, "log", (path_at("file", "host_file"),)
    for name in ("console", "serial"):
        yield "*", name, (_old_terminal,)
    yield "*", "smartcard", (if_equal("mode", ("host", "host-certificates"), "host_device", "smartcard:"),)
    yield "smartcard", "database", (path_in_text("host_file"),)
    yield "*", "backend", (_random_device, device_at("tap"), device_at("vhost"), path_at("logFile", "host_file"))
    yield "backend", "device", (device_at("path"),)
    yield "input", "source", (device_at("evdev"), device_at("dev"))
    yield (
        "*",
        "graphics",
        (
            _graphics,
            path_at("socket", "unix_socket"),
            path_at("xauth", "host_file"),
            word_at("display", "host_device", "display:"),
            word_at("address", "connect", "dbus:"),
        ),
    )
    yield "graphics", "listen", (path_at("socket", "unix_socket"), word_at("network", "network"))
    yield "graphics", "gl", (device_at("rendernode"),)
    yield "model", "acceleration", (device_at("rendernode"),)
    yield (
        "*",
        "audio",
        (
            _audio,
            path_at("path", "host_file"),
            path_at("runtimeDir", "unix_socket"),
            word_at("serverName", "connect", "audio:"),
        ),
    )
    for end in ("input", "output"):
        yield "audio", end, (device_at("dev"), word_at("serverName", "connect", "audio:"))
    yield "*", "shmem", (word_at("name", "shared_memory"),)
    yield "shmem", "server", (path_at("path", "unix_socket"),)
    yield "*", "rom", (path_at("file", "boot_file"),)
    yield "pstore", "path", (path_in_text("host_file"),)
