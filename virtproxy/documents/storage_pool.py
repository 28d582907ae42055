# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a storage pool: where its volumes are and how they are reached.

The storage driver reads and writes it. As in libvirt, elements that are not known are ignored and not kept.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from virtproxy.documents.markup import Element, escape
from virtproxy.documents.storage import (
    NAMED_BY_SOURCE,
    POOL_TYPES,
    Permissions,
    PoolType,
    attribute,
    error,
    indented,
    parse_root,
)
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

_UUID = re.compile(r"\s*(?:[0-9A-Fa-f]{2}[- ]*){16}\s*")
FS_OPTIONS = "http://libvirt.org/schemas/storagepool/fs/1.0"


@dataclass(slots=True)
class Device:
    """One source device, and what of a disk is free: (start, end) in bytes. `separator` is the word yes or no."""

    path: str
    separator: str | None = None
    free: list[tuple[int, int]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The element's lines."""
        head = f"<device path='{escape(self.path)}'{attribute('part_separator', self.separator)}"
        if not self.free:
            yield f"{head}/>"
            return
        yield f"{head}>"
        yield from (f"  <freeExtent start='{start}' end='{end}'/>" for start, end in self.free)
        yield "</device>"


@dataclass(slots=True)
class Auth:
    """Who logs in at the source; the secret is named by UUID or else usage."""

    type: str
    username: str
    secret_uuid: bytes | None = None
    secret_usage: str | None = None

    def lines(self) -> Iterator[str]:
        """The element's lines."""
        named = attribute("usage", self.secret_usage)
        if self.secret_uuid is not None:
            named = attribute("uuid", str(UUID(bytes=self.secret_uuid)))
        yield f"<auth type='{self.type}' username='{escape(self.username)}'>"
        yield f"  <secret{named}/>"
        yield "</auth>"


@dataclass(slots=True)
class Source:
    """Where a pool's storage comes from. Hosts are (name, port or 0)."""

    hosts: list[tuple[str, int]] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    dir: str | None = None
    name: str | None = None
    initiator: str | None = None
    format: str = ""
    auth: Auth | None = None
    protocol: str | None = None
    vendor: str | None = None
    product: str | None = None

    def lines(self, kind: PoolType) -> Iterator[str]:
        """The element's lines."""
        yield "<source>"
        yield from indented(self._inside(kind))
        yield "</source>"

    def _inside(self, kind: PoolType) -> Iterator[str]:
        for name, port in self.hosts:
            yield f"<host name='{escape(name)}'{attribute('port', str(port) if port else None)}/>"
        for device in self.devices:
            yield from device.lines()
        if self.dir is not None:
            yield f"<dir path='{escape(self.dir)}'/>"
        if self.name is not None and "name" in kind.needs:
            yield f"<name>{escape(self.name)}</name>"
        if self.initiator is not None:
            yield from ("<initiator>", f"  <iqn name='{escape(self.initiator)}'/>", "</initiator>")
        if self.format:
            yield f"<format type='{self.format}'/>"
        if self.auth is not None:
            yield from self.auth.lines()
        if self.protocol is not None:
            yield f"<protocol ver='{escape(self.protocol)}'/>"
        if self.vendor is not None:
            yield f"<vendor name='{escape(self.vendor)}'/>"
        if self.product is not None:
            yield f"<product name='{escape(self.product)}'/>"


@dataclass(slots=True)
class PoolDocument:
    """One pool's definition, and its sizes in bytes while it runs. `uuid` has 16 bytes."""

    type: str
    name: str
    uuid: bytes
    source: Source = field(default_factory=Source)
    target: str | None = None
    permissions: Permissions = field(default_factory=Permissions)
    cow: str | None = None
    mount_options: tuple[str, ...] = ()
    capacity: int = 0
    allocation: int = 0
    available: int = 0

    @property
    def uuid_text(self) -> str:
        """The UUID in its usual form."""
        return str(UUID(bytes=self.uuid))

    @property
    def kind(self) -> PoolType:
        """What is known of its type."""
        return POOL_TYPES[self.type]

    def copy(self) -> PoolDocument:
        """The same once more, to its depth."""
        return copy.deepcopy(self)

    def format(self) -> str:
        """The document as libvirt writes it."""
        return "".join(f"{line}\n" for line in self._lines())

    def format_state(self) -> str:
        """The document of a pool that runs, as libvirt keeps it."""
        return "".join(f"{line}\n" for line in ("<poolstate>", *indented(self._lines()), "</poolstate>"))

    def _lines(self) -> Iterator[str]:
        namespace = f" xmlns:fs='{FS_OPTIONS}'" if self.mount_options else ""
        yield f"<pool type='{self.type}'{namespace}>"
        yield from indented(self._inside())
        yield "</pool>"

    def _inside(self) -> Iterator[str]:
        yield f"<name>{escape(self.name)}</name>"
        yield f"<uuid>{self.uuid_text}</uuid>"
        for word in ("capacity", "allocation", "available"):
            yield f"<{word} unit='bytes'>{getattr(self, word)}</{word}>"
        if self.cow is not None:
            yield from ("<features>", f"  <cow state='{self.cow}'/>", "</features>")
        yield from self.source.lines(self.kind)
        if self.target is not None:
            yield from ("<target>", f"  <path>{escape(self.target)}</path>")
            yield from indented(self.permissions.lines())
            yield "</target>"
        if self.mount_options:
            yield "<fs:mount_opts>"
            yield from (f"  <fs:option name='{escape(option)}'/>" for option in self.mount_options)
            yield "</fs:mount_opts>"


def parse(text: str) -> PoolDocument:
    """Read a definition; one without a UUID gets a random one. VirtError, in libvirt's words, if it is none."""
    return _pool(parse_root(text, "pool"))


def parse_state(text: str) -> PoolDocument:
    """Read what libvirt keeps of a pool that runs. VirtError."""
    root = parse_root(text, "poolstate")
    found = root.find("pool")
    if found is None:
        raise error("missing pool in its state")
    return _pool(found)


def parse_source(text: str, type: str) -> Source:
    """Read a source alone, which says where to look for pools of `type`. VirtError."""
    return _source(parse_root(text, "source"), POOL_TYPES[type])


def clean_path(path: str) -> str:
    """The path without double slashes and one at its end."""
    cleaned = re.sub("/+", "/", path)
    return cleaned.rstrip("/") or "/" if cleaned else cleaned


def _pool(root: Element) -> PoolDocument:
    kind = _kind(root)
    element = root.find("source")
    source = Source(format=kind.default_format) if element is None else _source(element, kind)
    name = root.value("name") or (source.name if kind.name in NAMED_BY_SOURCE else None)
    if not name:
        raise error("missing pool source name element")
    if "/" in name:
        raise error(f"name {name} cannot contain '/'")
    uuid = _uuid(root.value("uuid"))
    _complete(source, kind, name)
    cow = root.find("features/cow")
    target, permissions = _target(root.find("target"), kind, source)
    return PoolDocument(
        kind.name, name, uuid, source, target, permissions, None if cow is None else _cow(cow), _options(root, kind)
    )


def _kind(root: Element) -> PoolType:
    word = root.attributes.get("type")
    if word is None:
        raise error("Missing required attribute 'type' in element 'pool'", domain=ErrorDomain.XML)
    if word not in POOL_TYPES:
        raise error(f"Invalid value for attribute 'type' in element 'pool': '{word}'.", domain=ErrorDomain.XML)
    return POOL_TYPES[word]


def _uuid(text: str | None, complaint: str = "malformed uuid element") -> bytes:
    if not text:
        return uuid4().bytes
    if not _UUID.fullmatch(text):
        raise error(complaint)
    return bytes.fromhex(re.sub(r"[-\s]", "", text))


def _source(element: Element, kind: PoolType) -> Source:
    return Source(
        hosts=[_host(host) for host in element.elements if host.name == "host"],
        devices=[_device(device) for device in element.elements if device.name == "device"],
        dir=_path(element, "dir"),
        name=element.value("name") or None,
        initiator=_attribute(element, "initiator/iqn", "name"),
        format=_format(element, kind),
        auth=_auth(element.find("auth")),
        protocol=_attribute(element, "protocol", "ver"),
        vendor=_attribute(element, "vendor", "name"),
        product=_attribute(element, "product", "name"),
    )


def _attribute(element: Element, path: str, name: str) -> str | None:
    found = element.find(path)
    return None if found is None else found.attributes.get(name)


def _path(element: Element, name: str) -> str | None:
    path = _attribute(element, name, "path")
    return None if path is None else clean_path(path)


def _host(host: Element) -> tuple[str, int]:
    name, port = host.attributes.get("name"), host.attributes.get("port", "0")
    if not name:
        raise error("missing storage pool host name")
    if not re.fullmatch("[0-9]{1,5}", port):
        raise error(f"Invalid port number: {port}")
    return name, int(port)


def _device(device: Element) -> Device:
    path = device.attributes.get("path")
    if path is None:
        raise error("missing storage pool source device path")
    separator = device.attributes.get("part_separator")
    if separator not in (None, "yes", "no"):
        raise error(f"Invalid value for attribute 'part_separator' in element 'device': '{separator}'.")
    return Device(clean_path(path), separator)


def _format(element: Element, kind: PoolType) -> str:
    word = _attribute(element, "format", "type")
    if not kind.formats or word is None:
        return kind.default_format
    if word not in kind.formats:
        raise error(f"unknown pool format type {word}", ErrorCode.CONFIG_UNSUPPORTED)
    return word


def _auth(element: Element | None) -> Auth | None:
    if element is None:
        return None
    username, type = element.attributes.get("username"), element.attributes.get("type")
    if username is None:
        raise error("missing username for auth")
    if type not in ("chap", "ceph"):
        raise error(f"unknown auth type '{type}'" if type else "missing auth type")
    secret = element.find("secret")
    if secret is None:
        raise error("missing <secret> element in auth")
    uuid, usage = secret.attributes.get("uuid"), secret.attributes.get("usage")
    if (uuid is None) == (usage is None):
        raise error("either auth secret uuid or usage expected")
    named = None if uuid is None else _uuid(uuid, f"invalid secret uuid '{uuid}'")
    return Auth(type, username, named, usage)


def _complete(source: Source, kind: PoolType, name: str) -> None:
    """Fill in what libvirt does, and complain of what the type must have."""
    if "name" in kind.needs and source.name is None:
        source.name = name
    if "host" in kind.needs and not source.hosts:
        raise error("missing storage pool source host name")
    if "dir" in kind.needs and source.dir is None:
        raise error("missing storage pool source path")
    if "device" in kind.needs and not source.devices:
        raise error("missing storage pool source device name")
    if "initiator" in kind.needs and source.initiator is None:
        raise error("missing storage pool initiator iqn")


def _target(element: Element | None, kind: PoolType, source: Source) -> tuple[str | None, Permissions]:
    path = None if element is None else element.value("path") or None
    if kind.target is None:
        path = {"logical": f"/dev/{source.name}", "zfs": f"/dev/zvol/{source.name}"}.get(kind.name)
    elif path is None and isinstance(kind.target, str):
        path = kind.target
    elif path is None:
        raise error("missing storage pool target path")
    return None if path is None else clean_path(path), Permissions.parse(element)


def _cow(element: Element) -> str:
    state = element.attributes.get("state", "")
    if state not in ("yes", "no"):
        raise error(f"Invalid value for attribute 'state' in element 'cow': '{state}'.", domain=ErrorDomain.XML)
    return state


def _options(root: Element, kind: PoolType) -> tuple[str, ...]:
    """The further options of a mount, which stand in a namespace of their own."""
    prefixes = [name.removeprefix("xmlns:") for name, value in root.attributes.items() if value == FS_OPTIONS]
    if kind.name not in ("fs", "netfs") or not prefixes:
        return ()
    element = root.find(f"{prefixes[0]}:mount_opts")
    options = [] if element is None else element.elements
    named = [option.attributes.get("name") for option in options]
    if None in named:
        raise error("no mount option name specified")
    return tuple(name for name in named if name is not None)
