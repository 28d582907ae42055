# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's snapshot and checkpoint documents: read, checked, completed for the domain they are of, and formatted.

Drivers make one from a client's text and the domain's document. Which of a domain's moments is whose parent, and what
may be made when, is the driver's affair.
"""

from __future__ import annotations

from uuid import UUID

from virtproxy.documents.domain.device import Device
from virtproxy.documents.domain.model import SECURE, DomainDocument
from virtproxy.documents.domain.values import number, refused
from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

STATES = (
    "nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", "disk-snapshot",
)  # fmt: skip
OFFLINE = frozenset({"shutoff", "disk-snapshot"})
_PLACES = ("no", "internal", "external", "manual")


class MomentDocument:
    """What snapshots and checkpoints have in common."""

    root_name: str
    errors: ErrorDomain
    redefined_called: str

    def __init__(self, text: str, domain: DomainDocument, *, now: int = 0, redefine: bool = False) -> None:
        """Read `text`, about `domain` as it is at `now` (seconds since 1970); VirtError with libvirt's code and text.

        redefine: the document tells of a moment that was made before, and must say all of it.
        """
        root = self._parse(text)
        self.name = root.value("name") or ("" if redefine else str(now))
        if not self.name:
            raise self._error(ErrorCode.XML_ERROR, f"a redefined {self.redefined_called} must have a name")
        self.description = root.value("description") or None
        self.parent: str | None = (root.value("parent/name") or None) if redefine else None
        self.created = self._created(root) if redefine else now
        self.domain: DomainDocument | None = domain.copy()
        if redefine:
            inner = root.find("domain")
            self.domain = None if inner is None else DomainDocument.of(inner.copy(), domain.host)
        self.disks: list[Element] = []

    def _parse(self, text: str) -> Element:
        try:
            root = parse(text)
        except VirtError as error:
            raise VirtError.of(ErrorCode(error.code), error.str2, domain=self.errors) from None
        if root.name != self.root_name:
            detail = f"expecting root element of '{self.root_name}', not '{root.name}'"
            raise VirtError.of(ErrorCode.XML_ERROR, detail, domain=ErrorDomain.XML)
        return root

    def _created(self, root: Element) -> int:
        made = number(root.value("creationTime") or "")
        if made is None:
            what = f"missing creationTime from existing {self.redefined_called}"
            raise self._error(ErrorCode.INTERNAL_ERROR, what)
        return made

    def _error(self, code: ErrorCode, detail: str) -> VirtError:
        return VirtError.of(code, detail, domain=self.errors)

    def _unsupported(self, detail: str) -> VirtError:
        return self._error(ErrorCode.CONFIG_UNSUPPORTED, detail)

    def _asked(self, root: Element, domain: DomainDocument, name_attribute: str) -> dict[str, Element]:
        """What the document says of disks, by target; a source's path names a disk, too."""
        disks = root.find("disks")
        asked: dict[str, Element] = {}
        named = [] if disks is None else [each for each in disks.elements if each.name == "disk"]
        if len(named) > len(domain.devices("disk")):
            raise self._unsupported(f"too many disk {name_attribute} requests for domain")
        for disk in named:
            name = disk.attributes.get("name")
            if name is None:
                detail = f"missing name from disk {name_attribute} element"
                raise self._error(ErrorCode.INTERNAL_ERROR, detail)
            found = domain.find_disk(name)
            if found is None or found.target is None:
                raise self._unsupported(f"no disk named '{name}'")
            if found.target in asked:
                raise self._unsupported(f"disk '{found.target}' specified twice")
            asked[found.target] = disk
        return asked

    def _head(self) -> Element:
        root = Element(self.root_name)
        root.children.append(Element("name", text=self.name))
        if self.description:
            root.children.append(Element("description", text=self.description))
        return root

    def _tail(self, root: Element, with_domain: bool, flags: int) -> str:
        if self.disks:
            disks = Element("disks")
            disks.children = list(self.disks)
            root.children.append(disks)
        if with_domain and self.domain is not None:
            root.children.append(parse(self.domain.format(flags=flags)))
        return format_document(root)

    def _parent(self) -> list[Element]:
        if self.parent is None:
            return []
        parent = Element("parent")
        parent.children.append(Element("name", text=self.parent))
        return [parent]


class SnapshotDocument(MomentDocument):
    """A snapshot: state, memory and disks of a domain, and its definition at that moment."""

    root_name = "domainsnapshot"
    errors = ErrorDomain.DOMAIN_SNAPSHOT
    redefined_called = "snapshot"

    def __init__(
        self, text: str, domain: DomainDocument, *, state: str = "shutoff", now: int = 0, redefine: bool = False
    ) -> None:
        """As for every moment; `state` (one of STATES) is the domain's, unless the document tells of it."""
        super().__init__(text, domain, now=now, redefine=redefine)
        root = self._parse(text)
        self.state = self._state(root) if redefine else state
        if redefine and self.domain is None:
            raise self._error(ErrorCode.INTERNAL_ERROR, "missing domain in snapshot")
        self.memory, self.memory_file = self._memory(root, redefine)
        definition = self.domain or domain
        if definition.uuid != domain.uuid:
            detail = f"definition for snapshot {self.name} must use uuid {UUID(bytes=domain.uuid)}"
            raise self._error(ErrorCode.INVALID_ARG, detail)
        asked = self._asked(root, definition, "snapshot")
        self.disks = [self._disk(each, asked.get(each.target or "")) for each in definition.devices("disk")]

    def _state(self, root: Element) -> str:
        state = root.value("state")
        if state is None:
            raise self._error(ErrorCode.XML_ERROR, "missing state from existing snapshot")
        if state not in STATES:
            raise self._unsupported(f"Invalid state '{state}' in domain snapshot XML")
        return state

    def _memory(self, root: Element, redefine: bool) -> tuple[str, str | None]:
        """Where the memory is kept: "no", "internal" or "external", and in which file."""
        element = root.find("memory")
        usual = "no" if self.state in OFFLINE else "internal"
        attributes = {} if element is None else element.attributes
        place, file = attributes.get("snapshot", usual), attributes.get("file")
        if place not in _PLACES:
            raise refused(place, "memory", "snapshot")
        if file is not None and "snapshot" not in attributes:
            place = "external"
        if file is not None and place != "external":
            raise self._error(ErrorCode.XML_ERROR, f"memory filename '{file}' requires external snapshot")
        if place == "external" and file is None:
            raise self._error(ErrorCode.XML_ERROR, "external memory snapshots require a filename")
        if redefine and place != "no" and self.state in OFFLINE:
            detail = "memory state cannot be saved with offline or disk-only snapshot"
            raise self._error(ErrorCode.XML_ERROR, detail)
        return place, file

    def _disk(self, disk: Device, asked: Element | None) -> Element:
        """What becomes of a disk: what was asked for it, or what becomes of disks that nobody asked for."""
        target = disk.target or ""
        empty = disk.source is None
        place = asked.attributes.get("snapshot") if asked is not None else None
        if place is not None and place not in _PLACES:
            raise refused(place, "disk", "snapshot")
        external = self.memory == "external"
        if place is None:
            place = "no" if empty or (disk.readonly and empty) else "external" if external else "internal"
        if not external and place != "internal" and not empty:
            raise self._unsupported(f"disk '{target}' must use snapshot mode 'internal'")
        if place == "external" and (asked is None or asked.find("source") is None):
            detail = f"source for disk '{target}' is not a regular file; refusing to generate external snapshot name"
            raise self._unsupported(detail)
        made = Element("disk", {"name": target, "snapshot": place})
        if asked is not None and place == "external":
            made.children = [each.copy() for each in asked.elements]
        return made

    def format(self, flags: int = SECURE, *, with_domain: bool = True) -> str:
        """The document as libvirt prints it; flags: VIR_DOMAIN_XML_SECURE for the passwords in the domain."""
        root = self._head()
        root.children.append(Element("state", text=self.state))
        root.children += self._parent()
        root.children.append(Element("creationTime", text=str(self.created)))
        file = {} if self.memory_file is None else {"file": self.memory_file}
        root.children.append(Element("memory", {"snapshot": self.memory, **file}))
        return self._tail(root, with_domain, flags)


class CheckpointDocument(MomentDocument):
    """A checkpoint: which disks are watched since that moment, by which bitmap."""

    root_name = "domaincheckpoint"
    errors = ErrorDomain.DOMAIN_CHECKPOINT
    redefined_called = "checkpoint"

    def __init__(self, text: str, domain: DomainDocument, *, now: int = 0, redefine: bool = False) -> None:
        """As for every moment; a redefined one without a definition has no disks."""
        super().__init__(text, domain, now=now, redefine=redefine)
        if self.domain is None:
            return
        devices = self.domain.devices("disk")
        if not devices:
            raise self._unsupported("domain must have at least one disk to perform checkpoints")
        asked = self._asked(self._parse(text), self.domain, "checkpoint")
        self.disks = [self._disk(each, asked) for each in devices]

    def _disk(self, disk: Device, asked: dict[str, Element]) -> Element:
        target = disk.target or ""
        usual = "no" if asked or disk.source is None or disk.readonly else "bitmap"
        given = asked[target].attributes if target in asked else {"checkpoint": usual}
        place = given.get("checkpoint", "bitmap")
        if place not in ("no", "bitmap"):
            raise refused(place, "disk", "checkpoint")
        made = {"name": target, "checkpoint": place}
        if place == "bitmap":
            made["bitmap"] = given.get("bitmap", self.name)
        return Element("disk", made)

    def format(self, flags: int = SECURE, *, with_domain: bool = True) -> str:
        """The document as libvirt prints it; flags: VIR_DOMAIN_XML_SECURE for the passwords in the domain."""
        root = self._head()
        root.children += self._parent()
        root.children.append(Element("creationTime", text=str(self.created)))
        return self._tail(root, with_domain, flags)
