# SPDX-License-Identifier: LGPL-2.1-or-later
"""What drivers read and change in a domain's document besides its devices: tuning, pinning, labels, metadata.

A base of `DomainDocument`. Setters keep libvirt's order; values are texts as libvirt writes them unless a type says
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from virtproxy.documents.domain.foreign import joined, stripped, uri_of
from virtproxy.documents.domain.grammar import Rule, root_rule
from virtproxy.documents.domain.values import cpu_numbers, cpu_text
from virtproxy.documents.markup import Element, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

_IN_KIB = frozenset({"hard_limit", "soft_limit", "swap_hard_limit", "min_guarantee"})


class Access:
    """Sections of a domain's document by their meaning."""

    root: Element

    def section(self, path: str, *, make: bool = False) -> Element | None:
        """The element at `path` below the domain; with make, put in its place if it is not there."""
        here, done = self.root, ""
        for name in path.split("/"):
            done = f"{done}/{name}".lstrip("/")
            found = here.find(name)
            if found is None:
                if not make:
                    return None
                found = Element(name)
                place_child(here, found, done)
            here = found
        return here

    def drop(self, path: str) -> None:
        """Take the element at `path` out, and the elements around it that hold nothing more."""
        above, _, name = path.rpartition("/")
        parent = self.section(above) if above else self.root
        if parent is None:
            return
        parent.remove(name)
        if above and not parent.elements and not parent.attributes:
            self.drop(above)

    def texts(self, path: str) -> dict[str, str]:
        """The texts of the elements in a section, such as memtune or cputune: name to text."""
        found = self.section(path)
        return (
            {} if found is None else {child.name: child.text.strip() for child in found.elements if child.text.strip()}
        )

    def set_texts(self, path: str, values: Mapping[str, str | None]) -> None:
        """Set (or with None, drop) elements in a section; a section that holds nothing is dropped."""
        for name, value in values.items():
            if value is None:
                self.drop(f"{path}/{name}")
            else:
                element = self.section(f"{path}/{name}", make=True)
                assert element is not None
                element.set_text(value)
                if element.name in _IN_KIB:
                    element.attributes["unit"] = "KiB"

    @property
    def vcpu_pins(self) -> dict[int, frozenset[int]]:
        """The CPUs that each pinned vCPU runs on."""
        return self._pins("vcpupin", "vcpu")

    @property
    def iothread_pins(self) -> dict[int, frozenset[int]]:
        """The CPUs that each pinned I/O thread runs on."""
        return self._pins("iothreadpin", "iothread")

    @property
    def emulator_pin(self) -> frozenset[int] | None:
        """The CPUs that the emulator's own threads run on, if they are pinned."""
        found = self.section("cputune/emulatorpin")
        return None if found is None else cpu_numbers(found.attributes.get("cpuset", ""))

    def pin_vcpu(self, vcpu: int, cpus: Iterable[int] | None) -> None:
        """Let a vCPU run on these CPUs only; None: on any."""
        self._pin("vcpupin", "vcpu", vcpu, cpus)

    def pin_iothread(self, iothread: int, cpus: Iterable[int] | None) -> None:
        """Let an I/O thread run on these CPUs only; None: on any."""
        self._pin("iothreadpin", "iothread", iothread, cpus)

    def pin_emulator(self, cpus: Iterable[int] | None) -> None:
        """Let the emulator's own threads run on these CPUs only; None: on any."""
        if cpus is None:
            self.drop("cputune/emulatorpin")
        else:
            element = self.section("cputune/emulatorpin", make=True)
            assert element is not None
            element.attributes["cpuset"] = cpu_text(cpus)

    def _pins(self, name: str, key: str) -> dict[int, frozenset[int]]:
        tune = self.section("cputune")
        pins = [] if tune is None else [child for child in tune.elements if child.name == name]
        return {int(pin.attributes[key]): cpu_numbers(pin.attributes["cpuset"]) or frozenset() for pin in pins}

    def _pin(self, name: str, key: str, number: int, cpus: Iterable[int] | None) -> None:
        tune = self.section("cputune", make=True)
        assert tune is not None
        pins = {each: set(on) for each, on in self._pins(name, key).items()}
        pins.pop(number, None)
        if cpus is not None:
            pins[number] = set(cpus)
        tune.remove(name)
        for each in sorted(pins):
            place_child(tune, Element(name, {key: str(each), "cpuset": cpu_text(pins[each])}), f"cputune/{name}")
        if not tune.elements:
            self.drop("cputune")

    @property
    def iothreads(self) -> list[int]:
        """The numbers of the domain's I/O threads."""
        listed = self.section("iothreadids")
        given = [] if listed is None else [int(thread.attributes["id"]) for thread in listed.named("iothread")]
        count = max(int(self.root.value("iothreads") or 0), len(given))
        free = (number for number in range(1, count + len(given) + 1) if number not in given)
        return given + [next(free) for _ in range(count - len(given))]

    @property
    def seclabels(self) -> list[Element]:
        """The security labels of the domain itself."""
        return [child for child in self.root.elements if child.name == "seclabel"]

    def metadata(self, uri: str) -> str:
        """The metadata element of namespace `uri`, without its prefix; VirtError NO_DOMAIN_METADATA."""
        found = self._metadata(uri)
        if found is None:
            detail = "Requested metadata element is not present"
            raise VirtError.of(ErrorCode.NO_DOMAIN_METADATA, detail, domain=ErrorDomain.DOMAIN)
        return stripped(found)

    def set_metadata(self, uri: str, key: str, text: str | None) -> None:
        """Put `text` in place of the metadata of namespace `uri`, with the prefix `key`; None: take it out."""
        element = None if text is None else joined(parse(text), key, uri)
        old = self._metadata(uri)
        holder = self.section("metadata", make=element is not None)
        if holder is None:
            return
        if old is not None:
            holder.children.remove(old)
        if element is not None:
            holder.children.append(element)
        elif not holder.elements:
            self.root.remove("metadata")

    def _metadata(self, uri: str) -> Element | None:
        holder = self.section("metadata")
        if holder is None:
            return None
        return next((child for child in holder.elements if uri_of(child, (self.root, holder)) == uri), None)


def _inner_rule(rule: Rule | None, name: str) -> Rule | None:
    child = None if rule is None else rule.children.get(name)
    return None if child is None else child.rule({}, {})


def place_child(parent: Element, new: Element, path: str) -> None:
    """Put a child where libvirt's order has it, behind those of its own name; `path` ends at it, from the domain."""
    rule: Rule | None = root_rule()
    *above, name = path.split("/")
    for step in above:
        rule = _inner_rule(rule, step)
    known = {} if rule is None else rule.children
    own = known[name].place if name in known else len(known)
    at = 0
    for index, before in enumerate(parent.children, 1):
        if isinstance(before, Element) and before.name in known and known[before.name].place <= own:
            at = index
    parent.children.insert(at, new)
