# SPDX-License-Identifier: LGPL-2.1-or-later
"""What elements of the machine itself mean beyond their tables: sizes in units, and values that depend on each other.

Each function is a hook of a table's line: it gets the shaper, the element (its own table already applied) and the
element around it, changes the element, and returns False if libvirt leaves it out. They raise VirtError.
"""

from __future__ import annotations

import re
from uuid import UUID, uuid4

from virtproxy.documents.domain.shape import Hook, Shaper, put
from virtproxy.documents.domain.values import internal, refused, scaled, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

_FACTORS = {"B": 1, "bytes": 1, "KiB": 1 << 10, "M": 1 << 20, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
# What libvirt takes for "no limit", in KiB.
_UNLIMITED = 9007199254740991


def scale(
    _shaper: Shaper,
    element: Element,
    _parent: Element | None,
    attribute: str,
    default: str,
    unit: str,
    name: str = "unit",
) -> None:
    """A size, in the text or in an attribute, in the unit that libvirt writes; rounded up."""
    text = element.attributes.get(attribute, "") if attribute else element.text
    found = scaled(text, element.attributes.get(name, ""), default)
    if found is None:
        raise refused(text.strip(), element.name, attribute)
    if unit == "auto":
        unit = next(each for each in ("TiB", "GiB", "MiB", "KiB", "B") if each == "B" or found % _FACTORS[each] == 0)
    value = str(-(-found // _FACTORS[unit]))
    element.attributes[name] = unit
    if attribute:
        element.attributes[attribute] = value
    else:
        element.set_text(value)


def limit(shaper: Shaper, element: Element, parent: Element | None) -> bool:
    """A limit of memory: none at all is not written."""
    scale(shaper, element, parent, "", "KiB", "KiB")
    return int(element.text) < _UNLIMITED


def genid(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A generation number is made up where none is given."""
    if not element.text:
        element.set_text(str(uuid4()))


def spinlocks(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Spinlocks say how often to retry."""
    if element.attributes["state"] != "on":
        element.attributes.pop("retries", None)
        return
    if int(element.attributes.get("retries", "0")) < 0xFFF:
        raise xml_error("HyperV spinlock retry count must be at least 4095")


def vendorid(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A vendor's name has at most twelve letters, and no comma."""
    if element.attributes["state"] != "on":
        element.attributes.pop("value", None)
        return
    value = element.attributes.get("value")
    if value is None:
        raise xml_error("missing 'value' attribute for HyperV feature 'vendor_id'")
    if len(value) > 12:
        raise xml_error("HyperV vendor_id value must not be more than 12 characters.")
    if "," in value:
        raise xml_error("HyperV vendor_id value is invalid")


def dirtyring(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A ring has a size that is a power of two."""
    if element.attributes["state"] != "on":
        element.attributes.pop("size", None)
        return
    size = int(element.attributes.get("size", "0"))
    if size & (size - 1) or not 1024 <= size <= 65536:
        raise xml_error("dirty ring must be power of 2 and ranges [1024, 65536]")


def smm(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only what is on has a size."""
    if element.attributes["state"] != "on":
        element.children = []


def throttlegroup(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A group has a name."""
    if not element.value("group_name"):
        raise xml_error("missing group name")


def idmap(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Users and groups are mapped together, or not at all."""
    if (element.find("uid") is None) != (element.find("gid") is None):
        raise unsupported("uid and gid should be mapped both")


def os(_shaper: Shaper, element: Element, parent: Element | None) -> None:
    """What firmware and kernel can be with the operating system's type."""
    loader, type_ = element.find("loader"), element.value("type")
    if type_ in ("exe", "linux"):
        element.children = [child for child in element.elements if child.name not in _MACHINE_BOOT]
        return
    element.children = [
        child for child in element.elements if not child.name.startswith("init") or child.name == "initrd"
    ]
    if "firmware" not in element.attributes:
        element.remove("firmware")
        if (loader is None or not loader.text.strip()) and (loader is not None or element.find("nvram") is not None):
            detail = "no loader path specified and firmware auto selection disabled"
            raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)
        if loader is not None:
            given = loader.attributes
            head = {name: given[name] for name in ("readonly", "secure") if name in given}
            loader.attributes = head | {"type": given.get("type", "rom")} | given
    if parent is not None and parent.find("bootloader") is None and element.find("boot") is None and type_ == "hvm":
        boot = Element("boot", {"dev": "hd"})
        if not any(device.find("boot") for device in _devices(parent)):
            put(element, boot, frozenset({"bootmenu", "bios", "smbios"}))


def _devices(root: Element) -> list[Element]:
    devices = root.find("devices")
    return [] if devices is None else devices.elements


_MACHINE_BOOT = frozenset({"loader", "nvram", "kernel", "initrd", "cmdline", "shim", "dtb", "root", "acpi", "firmware"})


def nvram(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A store of variables that has a type has a source."""
    if element.find("source") is None:
        raise VirtError(1, "An error occurred, but the cause is unknown")
    element.child("source").attributes.pop("startupPolicy", None)


def gone(_shaper: Shaper, _element: Element, _parent: Element | None) -> bool:
    """What only a running domain's own status has."""
    return False


def length(_shaper: Shaper, element: Element, _parent: Element | None, expected: str) -> None:
    """A text of one length."""
    found = len(element.text.strip())
    if found != int(expected):
        raise unsupported(f"Unexpected length of '{element.name}', expected {expected} got {found}")


def passthrough(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only what is on has a mode."""
    if element.attributes["state"] != "on":
        element.attributes.pop("mode", None)


def capabilities(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """The usual capabilities are not said."""
    return element.attributes["policy"] != "default" or bool(element.children)


def resource(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A partition or a fabric's name."""
    if not element.children:
        raise VirtError(1, "An error occurred, but the cause is unknown")


def bootmenu(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only a menu that is shown waits."""
    if element.attributes.get("enable") != "yes":
        element.attributes.pop("timeout", None)


def smbios(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A date and a UUID have their forms."""
    for entry in (each for part in element.elements for each in part.elements):
        name, text = entry.attributes.get("name"), entry.text
        if name == "date" and not re.fullmatch(r"(0[1-9]|1[0-2]|[1-9])/(\d{1,2})/(\d{4}|\d{2})", text):
            raise VirtError.of(ErrorCode.XML_DETAIL, "Invalid BIOS 'date' format", domain=ErrorDomain.SYSINFO)
        if name == "uuid":
            try:
                UUID(text)
            except ValueError:
                detail = "malformed <sysinfo> uuid element"
                raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.SYSINFO) from None


def blkdevice(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A device without limits is not said."""
    if element.find("path") is None:
        raise xml_error("missing per-device path")
    return len(element.children) > 1


def clock(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Each kind of offset has attributes of its own."""
    attributes = element.attributes
    offset = attributes["offset"]
    if offset in ("utc", "localtime") and attributes.get("adjustment", "reset") != "reset":
        attributes["basis"] = offset
        offset = attributes["offset"] = "variable"
    keep = {"variable": ("adjustment", "basis"), "timezone": ("timezone",), "absolute": ("start",)}
    for name in ("adjustment", "basis", "timezone", "start"):
        if name in attributes and name not in keep.get(offset, ("adjustment",)):
            del attributes[name]
    if offset == "variable":
        attributes.setdefault("adjustment", "0")
        attributes.setdefault("basis", "utc")
    if offset == "timezone" and "timezone" not in attributes:
        raise internal("missing 'timezone' attribute for clock with offset='timezone'")


def timer(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only catching up has limits."""


def seclabel(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A security label's type is dynamic by itself, and what is not said about relabelling follows from it."""
    attributes = element.attributes
    if "type" not in attributes:
        if "model" not in attributes:
            return False
        attributes["type"] = "dynamic"
    type_ = attributes["type"]
    if type_ != "none":
        attributes.setdefault("relabel", "yes" if type_ == "dynamic" else "no")
    relabel = attributes.get("relabel")
    if type_ == "dynamic" and relabel == "no":
        raise unsupported("dynamic label type must use resource relabeling")
    if type_ == "none":
        attributes.pop("relabel", None)
    if type_ == "none" and relabel == "yes":
        raise unsupported("resource relabeling is not compatible with 'none' label type")
    order = ("type", "model", "relabel")
    element.attributes = {name: attributes[name] for name in order if name in attributes}
    if attributes["type"] != "static":
        element.children = [child for child in element.elements if child.name == "baselabel"]
    elif element.find("label") is None:
        raise xml_error("security label is missing")
    return True


MEANINGS: dict[str, Hook] = {
    hook.__name__: hook
    for hook in (
        scale, limit, genid, spinlocks, vendorid, dirtyring, smm, throttlegroup, idmap, os, nvram, clock, timer,
        seclabel, gone, length, passthrough, capabilities, resource, bootmenu, smbios, blkdevice,
    )
}  # fmt: skip
