# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's configuration file of a test driver: a <node> with the machine and everything on it, or files of it.

`read_node` is called in a thread. What libvirt only has for this driver, runstate and the like, are elements of a name
space of their own within a domain.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.driver import ErrorCode, ErrorDomain, VirtError
from virtproxy.drivers.test.plan import (
    RUNNING,
    SHUTOFF,
    GuestPlan,
    HostPlan,
    InterfacePlan,
    NetworkPlan,
    NodeFacts,
    PoolPlan,
)

# For what libvirt's form has no place for; see state.
OWN_NAMESPACE = "urn:virtproxy:test"
NAMESPACE = "http://libvirt.org/schemas/domain/test/1.0"
# One past the last state of the public API.
STATES = 8
# The machine's model is a field of 32 bytes with its final zero.
MODEL_MAX = 31
Read = Callable[[str], str]


def read_node(path: str, read: Read) -> HostPlan:
    """What the file at `path` describes; `read` gives a file's text. VirtError in libvirt's words if it is wrong."""
    return Node(path, read).plan()


class Node:
    """One configuration file and those it names."""

    def __init__(self, path: str, read: Read) -> None:
        self.path = path
        self._read = read
        self.root = self._tree(path)
        if self.root.name != "node":
            raise _wrong(f"expecting root element of 'node', not '{self.root.name}'", ErrorDomain.XML)

    def plan(self) -> HostPlan:
        """What it describes."""
        if self.root.find("auth") is not None:
            detail = "the file asks for a user name and a password, which cannot be given to a daemon"
            raise VirtError.of(ErrorCode.AUTH_FAILED, detail, domain=ErrorDomain.TEST)
        return HostPlan(
            self._facts(),
            [self._guest(element) for element in self._each("domain")],
            [self._network(element) for element in self._each("network")],
            [self._interface(element) for element in self._each("interface")],
            [self._pool(element) for element in self._each("pool")],
            [format_document(element) for element in self._each("device")],
        )

    def _tree(self, path: str) -> Element:
        try:
            return parse(self._read(path))
        except VirtError as error:
            if error.code != ErrorCode.XML_DETAIL or not error.str2:
                raise
            located = error.str2.replace("at line ", f"{path}:", 1)
            raise VirtError.of(ErrorCode.XML_DETAIL, located, domain=ErrorDomain.TEST) from None

    def _each(self, name: str, within: Element | None = None) -> Iterator[Element]:
        """The elements of that name, those in files of their own too, whose paths are relative to this file."""
        for element in (within or self.root).elements:
            if element.name == name:
                file = element.attributes.get("file")
                yield element if file is None else self._tree(os.path.join(os.path.dirname(self.path), file))

    def _facts(self) -> NodeFacts:
        usual = NodeFacts()
        model = self.root.value("cpu/model") or usual.model
        if len(model.encode()) > MODEL_MAX:
            raise _internal(f"Model {model} too big for destination")
        nodes = self._number("cpu/nodes", usual.nodes)
        sockets = self._number("cpu/sockets", usual.sockets)
        cores = self._number("cpu/cores", usual.cores)
        threads = self._number("cpu/threads", usual.threads)
        all_cpus = nodes * sockets * cores * threads
        cpus = min(self._number("cpu/active", all_cpus), all_cpus)
        mhz = self._number("cpu/mhz", usual.mhz)
        memory = self._number("memory", usual.memory, 64)
        return NodeFacts(model, memory, cpus, mhz, nodes, sockets, cores, threads)

    def _number(self, path: str, usual: int, bits: int = 31) -> int:
        text = self.root.value(path)
        if text is None:
            return usual
        if not (text.isascii() and text.isdigit() and int(text) < 1 << bits):
            raise _wrong(f"invalid node {path.replace('/', ' ')} value")
        return int(text)

    def _guest(self, element: Element) -> GuestPlan:
        autostart = _own(element)[1]
        own, element = self._extensions(element)
        state, transient = _state(own.get("runstate")), "transient" in own
        if transient and state == SHUTOFF:
            raise _wrong("transient domain cannot have runstate 'shutoff'")
        managed = "hasmanagedsave" in own
        if managed and state != SHUTOFF:
            raise _wrong("domain with managedsave data can only have runstate 'shutoff'")
        snapshots = [_snapshot(one) for one in own.get("domainsnapshot", ())]
        if sum(current for _, current in snapshots) > 1:
            raise _internal("more than one snapshot claims to be active")
        return GuestPlan(format_document(element), state, transient, managed, autostart, tuple(snapshots))

    def _extensions(self, element: Element) -> tuple[dict[str, list[Element]], Element]:
        """The elements of the test driver's own name space by their local names, and the domain without them."""
        spaces = {**self.root.attributes, **element.attributes}
        prefixes = {key.removeprefix("xmlns:") for key, value in spaces.items() if value == NAMESPACE}
        own: dict[str, list[Element]] = {}
        rest = Element(element.name, element.attributes)
        for child in element.children:
            if isinstance(child, Element) and child.name.partition(":")[0] in prefixes:
                own.setdefault(child.name.partition(":")[2], []).append(child)
            else:
                rest.children.append(child)
        return own, rest

    def _network(self, element: Element) -> NetworkPlan:
        marks = _own(element)
        return NetworkPlan(format_document(element), *marks)

    def _interface(self, element: Element) -> InterfacePlan:
        active, _ = _own(element)
        return InterfacePlan(format_document(element), active)

    def _pool(self, element: Element) -> PoolPlan:
        volumes = tuple(format_document(volume) for volume in self._each("volume", element))
        marks = _own(element)
        bare = element.copy()
        bare.remove("volume")
        return PoolPlan(format_document(bare), volumes, *marks)


def _own(element: Element) -> tuple[bool, bool]:
    """Whether an object is to be started, and to start by itself: marks of our own, which are taken away."""
    active = element.attributes.pop("vp:active", "yes") == "yes"
    return active, element.attributes.pop("vp:autostart", "no") == "yes"


def _state(given: list[Element] | None) -> int:
    if given is None:
        return RUNNING
    text = given[0].text.strip()
    if not (text.isascii() and text.isdigit()):
        raise _wrong("invalid runstate")
    if int(text) >= STATES:
        raise _wrong(f"runstate '{int(text)}' out of range'")
    return int(text)


def _snapshot(element: Element) -> tuple[str, bool]:
    if element.value("name") is None:
        raise _wrong("a redefined snapshot must have a name", ErrorDomain.DOMAIN_SNAPSHOT)
    current = element.value("active")
    if current is None:
        raise _internal("Could not find 'active' element", ErrorDomain.DOMAIN_SNAPSHOT)
    bare = element.copy()
    bare.name = "domainsnapshot"
    bare.remove("active")
    return format_document(bare), current not in ("0", "")


def _wrong(detail: str, domain: ErrorDomain = ErrorDomain.TEST) -> VirtError:
    return VirtError.of(ErrorCode.XML_ERROR, detail, domain=domain)


def _internal(detail: str, domain: ErrorDomain = ErrorDomain.TEST) -> VirtError:
    return VirtError.of(ErrorCode.INTERNAL_ERROR, detail, domain=domain)
