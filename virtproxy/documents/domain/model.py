# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's XML document as a typed model: checked, completed, changed and formatted as libvirt does.

Drivers make one from a client's text and keep it as the domain's definition. Elements that it does not know stay in
place.
"""

from __future__ import annotations

from virtproxy.documents.domain.check import complete
from virtproxy.documents.markup import format_document, parse


class DomainDocument:
    """One domain's definition; mutable where the driver's setters need it."""

    def __init__(self, text: str) -> None:
        """Read and complete `text`; VirtError with libvirt's code and text if it is no domain document."""
        self.root = parse(text)
        self.uuid = complete(self.root)
        self.name = self.root.value("name") or ""

    def copy(self) -> DomainDocument:
        """An independent copy."""
        twin = object.__new__(DomainDocument)
        twin.root, twin.name, twin.uuid = self.root.copy(), self.name, self.uuid
        return twin

    def format(self, id: int | None = None) -> str:
        """The document as libvirt prints it; `id` is the running domain's number."""
        root = self.root
        if id is not None:
            root = root.copy()
            root.attributes = {**root.attributes, "id": str(id)}
        return format_document(root)

    def action(self, event: str) -> str:
        """What is to happen on "poweroff", "reboot" or "crash"."""
        return self.root.value(f"on_{event}") or ""

    @property
    def title(self) -> str | None:
        """The title, if there is one."""
        return self.root.value("title")

    @property
    def max_memory(self) -> int:
        """Memory the domain may have at most, in KiB."""
        return int(self.root.value("memory") or 0)

    @max_memory.setter
    def max_memory(self, kib: int) -> None:
        self.root.child("memory").set_text(str(kib))
        self.memory = min(self.memory, kib)

    @property
    def memory(self) -> int:
        """Memory the domain has, in KiB."""
        return int(self.root.value("currentMemory") or 0)

    @memory.setter
    def memory(self, kib: int) -> None:
        self.root.child("currentMemory").set_text(str(kib))

    @property
    def max_vcpus(self) -> int:
        """vCPUs the domain may have at most."""
        return int(self.root.value("vcpu") or 1)

    @max_vcpus.setter
    def max_vcpus(self, count: int) -> None:
        current = min(self.vcpus, count)
        self.root.child("vcpu").set_text(str(count))
        self.vcpus = current

    @property
    def vcpus(self) -> int:
        """vCPUs the domain has."""
        return int(self.root.child("vcpu").attributes.get("current", self.max_vcpus))

    @vcpus.setter
    def vcpus(self, count: int) -> None:
        attributes = self.root.child("vcpu").attributes
        attributes.pop("current", None)
        if count != self.max_vcpus:
            attributes["current"] = str(count)
