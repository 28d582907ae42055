# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a host and its hypervisors can: the documents of capabilities and of domain capabilities.

Only daemons write these, so they are read as they are, and written in libvirt's layout.
"""

from __future__ import annotations

from virtproxy.documents.form import read
from virtproxy.documents.markup import Element, format_document
from virtproxy.protocol.errors import ErrorDomain

DOMAIN = ErrorDomain.CAPABILITIES
_ENDS = ("  </host>", "  </guest>")


class CapabilitiesDocument:
    """The host, and the guests that it can run."""

    def __init__(self, root: Element) -> None:
        self.root = root

    def copy(self) -> CapabilitiesDocument:
        """An independent copy."""
        return CapabilitiesDocument(self.root.copy())

    def format(self) -> str:
        """The document as libvirt writes it: a free line around each part."""
        lines = format_document(self.root).replace("<doi/>", "<doi></doi>").splitlines()
        free = [f"{line}\n" if line == "<capabilities>" or line in _ENDS else line for line in lines]
        return "\n".join([*free, ""])

    @property
    def host_uuid(self) -> str | None:
        """The host's own UUID."""
        return self.root.value("host/uuid")

    @property
    def guests(self) -> list[tuple[str, str, list[str]]]:
        """Operating system type, architecture and domain types of each kind of guest."""
        found = []
        for guest in (child for child in self.root.elements if child.name == "guest"):
            arch = guest.find("arch") or Element("arch")
            types = [one.attributes.get("type", "") for one in arch.elements if one.name == "domain"]
            found.append((guest.value("os_type") or "", arch.attributes.get("name", ""), types))
        return found


class DomainCapabilitiesDocument:
    """What one emulator can."""

    def __init__(self, root: Element) -> None:
        self.root = root

    def copy(self) -> DomainCapabilitiesDocument:
        """An independent copy."""
        return DomainCapabilitiesDocument(self.root.copy())

    def format(self) -> str:
        """The document as libvirt writes it."""
        return format_document(self.root)

    def supports(self, path: str) -> bool:
        """Whether the element at `path` (names separated by slashes) says that it is supported."""
        found = self.root.find(path)
        return found is not None and found.attributes.get("supported") == "yes"

    def values(self, path: str, enum: str) -> list[str]:
        """The values of an enumeration below the element at `path`."""
        found = self.root.find(path)
        enums = [] if found is None else [one for one in found.elements if one.attributes.get("name") == enum]
        return [value.text for one in enums for value in one.elements if value.name == "value"]


def parse(text: str) -> CapabilitiesDocument:
    """Read a host's capabilities. VirtError if they are none."""
    return CapabilitiesDocument(read(text, "capabilities", DOMAIN))


def parse_domain(text: str) -> DomainCapabilitiesDocument:
    """Read an emulator's capabilities. VirtError if they are none."""
    return DomainCapabilitiesDocument(read(text, "domainCapabilities", DOMAIN))
