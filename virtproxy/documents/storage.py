# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents of pools and volumes share: the names of types and formats, permissions, sizes, errors.

Read by ``storage_pool`` and ``storage_volume``; the storage driver reads the tables. It opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from virtproxy.documents.markup import Element, escape
from virtproxy.documents.markup import parse as parse_markup
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

_IMAGES = (
    "none", "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2",
    "qed", "vmdk",
)  # fmt: skip
_FILE_SYSTEMS = (
    "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs",
)  # fmt: skip
_LABELS = ("unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2")
_PARTITIONS = ("none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended")


@dataclass(frozen=True, slots=True)
class PoolType:
    """One type of pool: what its source must have, and which formats source and volumes can have, default first.

    `needs` are elements of the source; `target` says whether the document must name a path (True), has one of its own
    (a path) or none (None). `formats` and `images` are in libvirt's order; `images_of_files` are those of a file.
    """

    name: str
    needs: frozenset[str] = frozenset()
    target: bool | str | None = True
    formats: tuple[str, ...] = ()
    default_format: str = ""
    images: tuple[str, ...] | None = None
    default_image: str = ""


def _type(
    name: str,
    needs: str = "",
    target: bool | str | None = True,
    formats: tuple[str, ...] = (),
    default: str = "",
    images: tuple[str, ...] | None = None,
    image: str = "raw",
) -> PoolType:
    return PoolType(name, frozenset(needs.split()), target, formats, default, images, "" if images is None else image)


# In the order of their numbers in errors and, as flags, in lists.
POOL_TYPES: dict[str, PoolType] = {
    kind.name: kind
    for kind in (
        _type("dir", images=_IMAGES),
        _type("fs", "device", formats=_FILE_SYSTEMS, default="auto", images=_IMAGES),
        _type("netfs", "host dir", formats=("auto", "nfs", "glusterfs", "cifs"), default="auto", images=_IMAGES),
        _type("logical", "name", None, formats=("unknown", "lvm2"), default="lvm2"),
        _type("disk", "device", "/dev", formats=_LABELS, default="unknown", images=_PARTITIONS, image="none"),
        _type("iscsi", "host device"),
        _type("iscsi-direct", "host device initiator", None),
        _type("scsi", "adapter"),
        _type("mpath", "", "/dev/mapper"),
        _type("rbd", "host name", None, images=()),
        _type("sheepdog", "host name", None),
        _type("gluster", "host name", None, images=_IMAGES),
        _type("zfs", "name", None),
        _type("vstorage", "name", images=_IMAGES),
    )
}
POOL_NUMBERS = {name: number for number, name in enumerate(POOL_TYPES)}
# Types whose source's name is the pool's if it has none.
NAMED_BY_SOURCE = frozenset({"logical", "rbd", "sheepdog", "gluster", "zfs", "vstorage"})

_UNITS = {"": 1, "b": 1, "byte": 1, "bytes": 1}
_LETTERS = "kmgtpe"
SIZE_MAX = 2**64 - 1


def error(detail: str, code: ErrorCode = ErrorCode.XML_ERROR, domain: ErrorDomain = ErrorDomain.STORAGE) -> VirtError:
    """An error in a document of storage."""
    return VirtError.of(code, detail, domain=domain)


def parse_root(text: str, name: str) -> Element:
    """The root of a document, which must be called `name`. VirtError."""
    try:
        root = parse_markup(text)
    except VirtError as failure:
        failure.domain = ErrorDomain.STORAGE
        raise
    if root.name != name:
        detail = f"expecting root element of '{name}', not '{root.name}'"
        raise error(detail, domain=ErrorDomain.XML)
    return root


def unit_factor(unit: str) -> int:
    """How many bytes a unit has ("KiB", "M", "bytes"); VirtError if there is none such."""
    word = unit.lower()
    if word in _UNITS:
        return _UNITS[word]
    if word and word[0] in _LETTERS:
        power = _LETTERS.index(word[0]) + 1
        if word[1:] in ("", "ib"):
            return int(1024**power)
        if word[1:] == "b":
            return int(1000**power)
    raise error(f"unknown suffix '{unit}'", ErrorCode.INVALID_ARG, ErrorDomain.NONE)


def size(element: Element, complaint: str = "malformed capacity element") -> int:
    """The bytes that an element says, with its unit; VirtError if it is no size."""
    text = element.text.strip()
    if not re.fullmatch(r"\+?[0-9]+", text):
        raise error(complaint)
    value = int(text) * unit_factor(element.attributes.get("unit", ""))
    if value > SIZE_MAX:
        raise error(
            f"value too large: {text}{element.attributes.get('unit', '')}", ErrorCode.OVERFLOW, ErrorDomain.NONE
        )
    return value


@dataclass(slots=True)
class Permissions:
    """Who owns a file or directory, and its mode; None where nothing is said."""

    mode: int | None = None
    owner: int | None = None
    group: int | None = None
    label: str | None = None

    @classmethod
    def parse(cls, parent: Element | None) -> Permissions:
        """Those in the element `permissions` of `parent`. VirtError."""
        element = None if parent is None else parent.find("permissions")
        if element is None:
            return cls()
        mode = element.value("mode")
        if mode is not None and not re.fullmatch(r"0*[0-7]{1,4}", mode):
            raise error("malformed octal mode")
        return cls(
            None if mode is None else int(mode, 8),
            _number(element, "owner"),
            _number(element, "group"),
            element.value("label") or None,
        )

    def lines(self) -> Iterator[str]:
        """The element's lines; none if nothing is known."""
        if self == Permissions():
            return
        yield "<permissions>"
        if self.mode is not None:
            yield f"  <mode>{self.mode:#o}</mode>".replace("0o", "0")
        if self.owner is not None:
            yield f"  <owner>{self.owner}</owner>"
        if self.group is not None:
            yield f"  <group>{self.group}</group>"
        if self.label is not None:
            yield f"  <label>{escape(self.label)}</label>"
        yield "</permissions>"


def _number(element: Element, name: str) -> int | None:
    text = element.value(name)
    if text is None or text == "-1":
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise error(f"malformed {name} element")
    return int(text)


def indented(lines: Iterator[str], by: str = "  ") -> Iterator[str]:
    """The lines, further in."""
    return (by + line for line in lines)


def attribute(name: str, value: str | None) -> str:
    """An attribute with a space before it; nothing if there is no value."""
    return "" if value is None else f" {name}='{escape(value)}'"
