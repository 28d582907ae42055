# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a storage volume: its sizes, where it is, its format, and what it rests on.

The storage driver reads and writes it. As in libvirt, elements that are not known are ignored and not kept.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from virtproxy.documents.markup import Element, escape
from virtproxy.documents.storage import (
    Permissions,
    PoolType,
    attribute,
    error,
    indented,
    parse_root,
    size,
    unit_factor,
)
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

TYPES = ("file", "block", "dir", "network", "netdir", "ploop")
FEATURES = ("lazy_refcounts", "extended_l2")


@dataclass(slots=True)
class Timestamps:
    """When a file was read, written, changed and made, in nanoseconds since 1970; 0 for an unknown time."""

    access: int
    modification: int
    change: int
    birth: int = 0

    def lines(self) -> Iterator[str]:
        """The element's lines."""
        yield "<timestamps>"
        yield f"  <atime>{_time(self.access)}</atime>"
        yield f"  <mtime>{_time(self.modification)}</mtime>"
        yield f"  <ctime>{_time(self.change)}</ctime>"
        yield f"  <btime>{_time(self.birth)}</btime>"
        yield "</timestamps>"


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{seconds}.{rest:09}" if rest else str(seconds)


@dataclass(slots=True)
class Encryption:
    """How a volume is encrypted; the secret with the passphrase is named by UUID or else usage, and never its value."""

    format: str
    secret_uuid: bytes | None = None
    secret_usage: str | None = None
    secret_type: str = ""
    cipher: tuple[str, int, str | None, str | None] | None = None
    ivgen: tuple[str, str | None] | None = None

    def lines(self) -> Iterator[str]:
        """The element's lines."""
        yield f"<encryption format='{self.format}'>"
        if self.secret_type:
            named = attribute("usage", self.secret_usage)
            if self.secret_uuid is not None:
                named = attribute("uuid", str(UUID(bytes=self.secret_uuid)))
            yield f"  <secret type='{self.secret_type}'{named}/>"
        if self.cipher is not None:
            name, bits, mode, digest = self.cipher
            more = attribute("mode", mode) + attribute("hash", digest)
            yield f"  <cipher{attribute('name', name)} size='{bits}'{more}/>"
            if self.ivgen is not None:
                yield f"  <ivgen{attribute('name', self.ivgen[0])}{attribute('hash', self.ivgen[1])}/>"
        yield "</encryption>"


@dataclass(slots=True)
class Image:
    """A file or device: a volume's own, or the one that it rests on."""

    path: str | None = None
    format: str = ""
    permissions: Permissions = field(default_factory=Permissions)
    timestamps: Timestamps | None = None
    encryption: Encryption | None = None
    compat: str | None = None
    cluster_size: int = 0
    features: frozenset[str] | None = None

    def lines(self) -> Iterator[str]:
        """The lines inside of the element."""
        if self.path is not None:
            yield f"<path>{escape(self.path)}</path>"
        if self.format:
            yield f"<format type='{self.format}'/>"
        yield from self.permissions.lines()
        if self.timestamps is not None:
            yield from self.timestamps.lines()
        if self.encryption is not None:
            yield from self.encryption.lines()
        if self.compat is not None:
            yield f"<compat>{escape(self.compat)}</compat>"
        if self.cluster_size:
            yield f"<clusterSize unit='B'>{self.cluster_size}</clusterSize>"
        if self.features is not None:
            yield from self._features(self.features)

    def _features(self, features: frozenset[str]) -> Iterator[str]:
        if not features:
            yield "<features/>"
            return
        yield "<features>"
        yield from (f"  <{name}/>" for name in FEATURES if name in features)
        yield "</features>"


@dataclass(slots=True)
class Extent:
    """A part of a device: from `start` up to `end`, in bytes."""

    path: str
    start: int
    end: int


@dataclass(slots=True)
class VolumeDocument:
    """One volume. Sizes are in bytes; `has_allocation` says whether the document named one."""

    name: str
    type: str = "file"
    key: str | None = None
    capacity: int = 0
    allocation: int = 0
    physical: int = 0
    has_allocation: bool = False
    has_capacity: bool = True
    nocow: bool = False
    target: Image = field(default_factory=Image)
    backing: Image | None = None
    extents: list[Extent] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where it is; empty while that is not known."""
        return self.target.path or ""

    def copy(self) -> VolumeDocument:
        """The same once more, to its depth."""
        return copy.deepcopy(self)

    def format(self) -> str:
        """The document as libvirt writes it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"<volume type='{self.type}'>"
        yield from indented(self._inside())
        yield "</volume>"

    def _inside(self) -> Iterator[str]:
        yield f"<name>{escape(self.name)}</name>"
        if self.key is not None:
            yield f"<key>{escape(self.key)}</key>"
        if self.extents:
            yield from ("<source>", *indented(self._devices()), "</source>")
        yield f"<capacity unit='bytes'>{self.capacity}</capacity>"
        yield f"<allocation unit='bytes'>{self.allocation}</allocation>"
        if self.physical:
            yield f"<physical unit='bytes'>{self.physical}</physical>"
        yield from ("<target>", *indented(self.target.lines()), "</target>")
        if self.backing is not None:
            yield from ("<backingStore>", *indented(self.backing.lines()), "</backingStore>")

    def _devices(self) -> Iterator[str]:
        former = ""
        for extent in self.extents:
            if extent.path != former:
                if former:
                    yield "</device>"
                yield f"<device path='{escape(extent.path)}'>"
                former = extent.path
            yield f"  <extent start='{extent.start}' end='{extent.end}'/>"
        yield "</device>"


def parse(text: str, kind: PoolType, *, clone: bool = False) -> VolumeDocument:
    """Read the document of a volume for a pool of that type. VirtError, in libvirt's words, if it is none.

    A volume that is made from another (`clone`), or rests on one, may leave its capacity out.
    """
    root = parse_root(text, "volume")
    name = root.value("name")
    if not name:
        raise error("missing volume name element")
    type = root.attributes.get("type", "file")
    if type not in TYPES:
        raise error(f"unknown volume type '{type}'", ErrorCode.CONFIG_UNSUPPORTED)
    backing = _backing(root.find("backingStore"), kind)
    capacity, allocation = root.find("capacity"), root.find("allocation")
    if capacity is None and not clone and backing is None:
        raise error("missing capacity element")
    volume = VolumeDocument(name, type, backing=backing, has_capacity=capacity is not None)
    volume.capacity = 0 if capacity is None else size(capacity)
    volume.has_allocation = allocation is not None
    volume.allocation = volume.capacity if allocation is None else size(allocation)
    volume.target = _target(root.find("target"), kind)
    volume.nocow = root.find("target/nocow") is not None
    return volume


def _target(element: Element | None, kind: PoolType) -> Image:
    if element is None:
        return Image(format=kind.default_image)
    image = Image(element.value("path"), _format(element, kind), Permissions.parse(element))
    image.permissions.label = None
    image.encryption = _encryption(element.find("encryption"))
    image.compat = _compat(element.value("compat"))
    cluster = element.find("clusterSize")
    if cluster is not None:
        image.cluster_size = size(cluster, "malformed clusterSize element")
    features = element.find("features")
    if features is not None:
        if image.compat is None:
            image.compat = "1.1"
        image.features = frozenset(_feature(one.name) for one in features.elements)
    return image


def _backing(element: Element | None, kind: PoolType) -> Image | None:
    path = None if element is None else element.value("path")
    if element is None or not path:
        return None
    return Image(path, _format(element, kind), Permissions.parse(element))


def _format(element: Element, kind: PoolType) -> str:
    found = element.find("format")
    word = None if found is None else found.attributes.get("type")
    if kind.images is None or word is None:
        return kind.default_image
    known = word in kind.images and not (word == "none" and kind.default_image == "raw")
    if not known and not (word == "volume" and not kind.images):
        raise error(f"unknown volume format type {word}", ErrorCode.CONFIG_UNSUPPORTED)
    return word


def _compat(text: str | None) -> str | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
        raise error("forbidden characters in 'compat' attribute")
    return text


def _feature(name: str) -> str:
    if name not in FEATURES:
        raise error(f"unsupported feature {name}", ErrorCode.CONFIG_UNSUPPORTED)
    return name


def _encryption(element: Element | None) -> Encryption | None:
    if element is None:
        return None
    word = element.attributes.get("format")
    if word is None:
        raise error("unknown volume encryption format")
    if word not in ("default", "qcow", "luks", "luks2", "luks-any"):
        raise error(f"unknown volume encryption format type {word}", ErrorCode.CONFIG_UNSUPPORTED)
    encryption = Encryption(word)
    secret = element.find("secret")
    if secret is not None:
        _secret(encryption, secret)
    if word == "luks":
        encryption.cipher, encryption.ivgen = _cipher(element.find("cipher")), _ivgen(element.find("ivgen"))
    return encryption


def _secret(encryption: Encryption, secret: Element) -> None:
    type = secret.attributes.get("type")
    if type is None:
        raise error("unknown volume encryption secret type")
    if type != "passphrase":
        raise error(f"unknown volume encryption secret type {type}", ErrorCode.CONFIG_UNSUPPORTED)
    uuid, usage = secret.attributes.get("uuid"), secret.attributes.get("usage")
    if uuid is None and usage is None:
        raise error("missing secret uuid or usage attribute", domain=ErrorDomain.NONE)
    if uuid is not None and usage is not None:
        raise error("either secret uuid or usage expected", domain=ErrorDomain.NONE)
    encryption.secret_type, encryption.secret_usage = type, usage
    if uuid is not None:
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}[- ]*){16}", uuid):
            raise error(f"malformed volume encryption uuid '{uuid}'")
        encryption.secret_uuid = bytes.fromhex(re.sub(r"[-\s]", "", uuid))


def _cipher(element: Element | None) -> tuple[str, int, str | None, str | None] | None:
    if element is None:
        return None
    name, bits = element.attributes.get("name"), element.attributes.get("size")
    if name is None:
        raise error("cipher info missing 'name' attribute")
    if bits is None or not re.fullmatch("[0-9]{1,5}", bits):
        raise error("cipher info missing 'size' attribute")
    return name, int(bits), element.attributes.get("mode"), element.attributes.get("hash")


def _ivgen(element: Element | None) -> tuple[str, str | None] | None:
    name = None if element is None else element.attributes.get("name")
    if element is None:
        return None
    if name is None:
        raise error("missing ivgen info name string")
    return name, element.attributes.get("hash")


__all__ = ["Encryption", "Extent", "Image", "Timestamps", "VolumeDocument", "parse", "unit_factor"]
