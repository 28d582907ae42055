# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents of snapshots and checkpoints: read with libvirt's errors, completed, and written."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.driver import ErrorCode, ErrorDomain, VirtError
from virtproxy.drivers.test.guests import Guest, State
from virtproxy.drivers.test.moments import Moment
from virtproxy.drivers.test.tree import children, devices, number

STATES = {state: state.name.lower() for state in State}
_KNOWN_STATES = (
    "nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", "disk-snapshot",
)  # fmt: skip
_OFFLINE = ("shutoff", "disk-snapshot")
_PLACES = ("no", "internal", "external", "manual")
_CHECKPOINT_PLACES = ("no", "bitmap")
_SNAPSHOT, _CHECKPOINT = ErrorDomain.DOMAIN_SNAPSHOT, ErrorDomain.DOMAIN_CHECKPOINT


def _error(code: ErrorCode, detail: str, domain: ErrorDomain) -> VirtError:
    return VirtError.of(code, detail, domain=domain)


def read(text: str, root_name: str, domain: ErrorDomain) -> Element:
    """The root of such a document; VirtError XML_ERROR or XML_DETAIL."""
    try:
        root = parse(text)
    except VirtError as error:
        raise VirtError(error.code, error.message, domain=domain, str1=error.str1, str2=error.str2) from None
    if root.name != root_name:
        detail = f"expecting root element of '{root_name}', not '{root.name}'"
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
    return root


def new_snapshot(root: Element, guest: Guest, now: int) -> Moment:
    """A snapshot of `guest` as it is, taken at `now` (seconds since 1970)."""
    name, state = root.value("name") or str(now), STATES[guest.state]
    _check_memory(root, state)
    disks = _snapshot_disks(root, guest.document)
    memory = Element("memory", {"snapshot": "no" if state in _OFFLINE else "internal"})
    current = guest.snapshots.current
    parts = _parts(name, root, now, [memory, Element("disks"), Element("state", text=state)])
    parts.child("disks").children = [Element("disk", {"name": name, "snapshot": "internal"}) for name in disks]
    domain = guest.document.copy().root
    return Moment(name, None if current is None else current.name, parts, domain, state)


def redefined_snapshot(root: Element, guest: Guest) -> Moment:
    """A snapshot as its own document tells of it."""
    name, state, made = root.value("name"), root.value("state"), number(root.find("creationTime"))
    if not name:
        raise _error(ErrorCode.XML_ERROR, "a redefined snapshot must have a name", _SNAPSHOT)
    if made is None:
        raise _error(ErrorCode.INTERNAL_ERROR, "missing creationTime from existing snapshot", _SNAPSHOT)
    if state is None:
        raise _error(ErrorCode.XML_ERROR, "missing state from existing snapshot", _SNAPSHOT)
    if state not in _KNOWN_STATES:
        raise _error(ErrorCode.CONFIG_UNSUPPORTED, f"Invalid state '{state}' in domain snapshot XML", _SNAPSHOT)
    domain = _domain(root)
    if domain is None:
        raise _error(ErrorCode.INTERNAL_ERROR, "missing domain in snapshot", _SNAPSHOT)
    _check_memory(root, state)
    if domain.uuid != guest.uuid:
        detail = f"definition for snapshot {name} must use uuid {UUID(bytes=guest.uuid)}"
        raise _error(ErrorCode.INVALID_ARG, detail, _SNAPSHOT)
    memory = root.find("memory") or Element("memory", {"snapshot": "no" if state in _OFFLINE else "internal"})
    parts = _parts(name, root, made, [memory, root.find("disks") or Element("disks"), Element("state", text=state)])
    return Moment(name, root.value("parent/name"), parts, domain.root, state)


def new_checkpoint(root: Element, guest: Guest, now: int) -> Moment:
    """A checkpoint of `guest` as it is, taken at `now` (seconds since 1970)."""
    name = root.value("name") or str(now)
    known = [_target(disk) for disk in devices(guest.document, "disk")]
    if not known:
        raise _unsupported("domain must have at least one disk to perform checkpoints", _CHECKPOINT)
    asked = {disk.attributes.get("name", ""): disk for disk in children(root.find("disks"), "disk")}
    for disk in asked:
        if disk not in known:
            raise _unsupported(f"no disk named '{disk}'", _CHECKPOINT)
    default = "no" if asked else "bitmap"
    disks = Element("disks")
    disks.children = [_checkpoint_disk(disk, asked.get(disk), default, name) for disk in known]
    current = guest.checkpoints.current
    parent = None if current is None else current.name
    return Moment(name, parent, _parts(name, root, now, [disks]), guest.document.copy().root)


def redefined_checkpoint(root: Element, guest: Guest) -> Moment:
    """A checkpoint as its own document tells of it."""
    name, made = root.value("name"), number(root.find("creationTime"))
    if not name:
        raise _error(ErrorCode.XML_ERROR, "a redefined checkpoint must have a name", _CHECKPOINT)
    if made is None:
        raise _error(ErrorCode.INTERNAL_ERROR, "missing creationTime from existing checkpoint", _CHECKPOINT)
    domain = _domain(root)
    disks = root.find("disks")
    parts = _parts(name, root, made, [] if disks is None else [disks])
    return Moment(name, root.value("parent/name"), parts, None if domain is None else domain.root)


def format_moment(moment: Moment, *, with_domain: bool = True) -> str:
    """The document as libvirt writes it."""
    root = moment.root.copy()
    parent = Element("parent")
    parent.children = [Element("name", text=moment.parent or "")]
    domain = [moment.domain.copy()] if with_domain and moment.domain is not None else []
    order = ["name", "description", "state", "parent", "creationTime", "memory", "disks", "domain"]
    whole: list[Element] = [*root.elements, *([parent] if moment.parent is not None else []), *domain]
    whole.sort(key=lambda child: order.index(child.name))
    root.children = list(whole)
    return format_document(root)


def _parts(name: str, root: Element, made: int, more: Iterable[Element]) -> Element:
    parts = Element(root.name)
    description = root.value("description")
    texts = {"name": name, "description": description, "creationTime": str(made)}
    parts.children = [Element(each, text=text) for each, text in texts.items() if text]
    parts.children += [each.copy() for each in more]
    for element in parts.elements:
        element.children = list(element.elements) or element.children
    return parts


def _domain(root: Element) -> DomainDocument | None:
    inside = root.find("domain")
    return None if inside is None else DomainDocument(format_document(inside))


def _check_memory(root: Element, state: str) -> None:
    memory = root.find("memory")
    default = "internal" if memory is None or "file" not in memory.attributes else "external"
    place = default if memory is None else memory.attributes.get("snapshot", default)
    file = None if memory is None else memory.attributes.get("file")
    _check_word(place, _PLACES, "memory", "snapshot")
    if file is not None and place != "external":
        raise _error(ErrorCode.XML_ERROR, f"memory filename '{file}' requires external snapshot", _SNAPSHOT)
    if memory is not None and place != "no" and state in _OFFLINE and root.find("creationTime") is not None:
        detail = "memory state cannot be saved with offline or disk-only snapshot"
        raise _error(ErrorCode.XML_ERROR, detail, _SNAPSHOT)


def _snapshot_disks(root: Element, document: DomainDocument) -> list[str]:
    """The targets of the domain's disks; VirtError if the snapshot asks for others, or for anything but itself."""
    known = devices(document, "disk")
    asked = list(children(root.find("disks"), "disk"))
    if len(asked) > len(known):
        raise _unsupported("too many disk snapshot requests for domain", _SNAPSHOT)
    paths = {path: _target(disk) for disk in known for path in _paths(disk)}
    for disk in asked:
        name, place = disk.attributes.get("name"), disk.attributes.get("snapshot", "internal")
        if name is None:
            raise _error(ErrorCode.INTERNAL_ERROR, "missing name from disk snapshot element", _SNAPSHOT)
        _check_word(place, _PLACES, "disk", "snapshot")
        if name not in paths:
            raise _unsupported(f"no disk named '{name}'", _SNAPSHOT)
        if place != "internal":
            raise _unsupported(f"disk '{paths[name]}' must use snapshot mode 'internal'", _SNAPSHOT)
    memory = root.find("memory")
    if known and memory is not None and "file" in memory.attributes:
        detail = (
            f"source for disk '{_target(known[0])}' is not a regular file; refusing to generate external snapshot name"
        )
        raise _unsupported(detail, _SNAPSHOT)
    return [_target(disk) for disk in known]


def _checkpoint_disk(name: str, asked: Element | None, default: str, checkpoint: str) -> Element:
    place = default if asked is None else asked.attributes.get("checkpoint", "bitmap")
    _check_word(place, _CHECKPOINT_PLACES, "disk", "checkpoint")
    attributes = {"name": name, "checkpoint": place}
    if place == "bitmap":
        attributes["bitmap"] = checkpoint if asked is None else asked.attributes.get("bitmap", checkpoint)
    return Element("disk", attributes)


def _target(disk: Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.attributes.get("dev", "")


def _paths(disk: Element) -> set[str]:
    source = disk.find("source")
    return {_target(disk)} | ({source.attributes.get("file", "")} - {""} if source is not None else set())


def _unsupported(detail: str, domain: ErrorDomain) -> VirtError:
    return _error(ErrorCode.CONFIG_UNSUPPORTED, detail, domain)


def _check_word(word: str, known: tuple[str, ...], element: str, attribute: str) -> None:
    if word not in known:
        detail = f"Invalid value for attribute '{attribute}' in element '{element}': '{word}'."
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
