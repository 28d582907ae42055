# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain documents written from libvirt's own RelaxNG schema: for each element in each place, one or more.

A document holds what the schema asks for, the way to its element, and that element with all its attributes. Where an
attribute has a choice of values, there is a document for each. Used by the tests that stand beside C libvirtd.
"""

from __future__ import annotations

import re
import re._parser as re_parser  # type: ignore[import-not-found]
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from virtproxy.documents.markup import Element, format_document, parse

_NS = "{http://relaxng.org/ns/structure/1.0}"
_TRANSPARENT = frozenset(
    {"optional", "zeroOrMore", "oneOrMore", "group", "interleave", "choice", "define", "list", "start"}
)
# What a value of a data type may be, by the define or type that says it; anything else is made from its pattern.
_WORDS = {
    "UUID": "3b0d2f0c-6a2e-4f1e-9d43-4a5f0c2f1b11", "absFilePath": "/path/to/file", "absDirPath": "/path/to",
    "filePath": "file", "uniMacAddr": "52:54:00:11:22:33", "macAddr": "52:54:00:11:22:33", "ipv4Addr": "192.0.2.1",
    "ipv6Addr": "2001:db8::1", "ipAddr": "192.0.2.1", "dnsName": "host.example", "cpuset": "0-1",
    "wwn": "5000c50015ea71ad", "timeZone": "+02:00", "octalMode": "644", "ipPrefix": "24", "ipv4Prefix": "24",
    "ipv6Prefix": "64", "hexuint": "0x1f", "pciDomain": "0x0000", "pciBus": "0x00", "pciSlot": "0x03",
    "pciFunc": "0x0", "deviceName": "dev0", "duration": "100",
}  # fmt: skip

# What an attribute must be where the schema would take more than the meaning of the document does.
_VALUES = {
    ("audio", "id"): "1", ("target", "dev"): "vda", ("iothread", "id"): "1", ("target", "bus"): "virtio",
    ("cell", "id"): "0", ("vcpupin", "vcpu"): "0", ("vcpu", "id"): "0", ("vcpusched", "vcpus"): "0",
    ("cache", "level"): "3", ("graphics", "passwdValidTo"): "2030-01-02T03:04:05", ("iothreadpin", "iothread"): "1",
    ("iothreadsched", "iothreads"): "1", ("cachetune", "vcpus"): "0-1", ("memorytune", "vcpus"): "0-1",
    ("monitor", "vcpus"): "0-1", ("monitor", "level"): "3", ("input", "voices"): "1", ("output", "voices"): "1",
    ("audio", "timerPeriod"): "1", ("resource", "vendor"): "org", ("alias", "name"): "ua-x",
    ("disk", "sgio"): "filtered", ("listen", "address"): "192.0.2.7", ("source", "port"): "7000",
}  # fmt: skip
# What an element must have besides, for its meaning: a child that is added if there is none.
_COMPANIONS = {
    "disk": "<source file='/disk' dev='/disk'/>", "interface": "<source bridge='br0' network='default'/>",
    "redirdev": "<source path='/dev/x' mode='connect' host='h' service='1' channel='c'/>",
}  # fmt: skip
_SOURCES = {
    "file": {"file": "/disk"}, "block": {"dev": "/disk"}, "dir": {"dir": "/disk"},
    "volume": {"pool": "p", "volume": "v"}, "network": {"protocol": "nbd", "name": "n"},
}  # fmt: skip
_DRIVERS = ("qemu", "lxc", "bhyve", "xen", "vmware")
_PREFIXES = {f"http://libvirt.org/schemas/domain/{name}/1.0": f"{name}:" for name in _DRIVERS}
_CHARS = frozenset({"serial", "parallel", "console", "channel", "redirdev", "rng", "smartcard", "vsock"})

# Texts that are tried for a pattern, before one is made from it.
_TEXTS = (
    "text",
    "7",
    "0x1f",
    "a",
    "/path",
    "1.2",
    "00:11",
    "0:0:0:0",
    "a.b",
    "0x0000000000000001",
    "eth0",
    "0.1",
    "+1:0",
)


class Sample(NamedTuple):
    """One document, the path of elements that it is for, and the number of its variant."""

    path: tuple[str, ...]
    variant: int
    text: str


class Schema:
    """The defines of a grammar with everything it includes."""

    def __init__(self, file: Path) -> None:
        self.defines: dict[str, list[ElementTree.Element]] = {}
        self.weights: dict[int, float] = {}
        self.namespaces: dict[int, str] = {}
        self._read(file)

    def _read(self, file: Path) -> None:
        for node in ElementTree.parse(file).getroot():
            if node.tag == f"{_NS}include":
                self._read(file.with_name(node.attrib["href"]))
            elif node.tag == f"{_NS}define":
                self.defines.setdefault(node.attrib["name"], []).append(node)
                self._inherit(node, "")

    def _inherit(self, node: ElementTree.Element, namespace: str) -> None:
        namespace = node.attrib.get("ns", namespace)
        self.namespaces[id(node)] = namespace
        for child in node:
            self._inherit(child, namespace)

    def named(self, node: ElementTree.Element) -> str:
        """An element's name, with the prefix of the driver whose namespace it is in."""
        prefix = _PREFIXES.get(self.namespaces.get(id(node), ""), "")
        return prefix + node.attrib["name"]

    def parts(self, node: ElementTree.Element) -> list[ElementTree.Element]:
        """What a node is made of, references followed."""
        if node.tag == f"{_NS}ref":
            return self.defines[node.attrib["name"]]
        return list(node)

    def weight(self, node: ElementTree.Element) -> float:
        """How many elements and attributes a node asks for; endless if it asks for itself."""
        if id(node) not in self.weights:
            self.weights[id(node)] = float("inf")
            self.weights[id(node)] = self._weight(node)
        return self.weights[id(node)]

    def _weight(self, node: ElementTree.Element) -> float:
        kind = node.tag.removeprefix(_NS)
        if kind in ("optional", "zeroOrMore", "empty", "value", "data", "text", "notAllowed"):
            return 0 if kind != "notAllowed" else float("inf")
        inside = [self.weight(part) for part in self.parts(node)]
        if kind == "choice":
            return min(inside)
        return sum(inside) + (kind in ("element", "attribute"))

    def places(self) -> Iterator[tuple[list[ElementTree.Element], ElementTree.Element]]:
        """Each element below each element, with the nodes on the way from the root to it."""
        (root,) = [node for node in self.defines["domain"][0] if node.tag == f"{_NS}element"]
        queue: deque[list[ElementTree.Element]] = deque([[root]])
        seen: set[tuple[int, int]] = set()
        while queue:
            way = queue.popleft()
            yield way, way[-1]
            for inner in self._elements_of(way[-1]):
                key = (id(way[-1]), id(inner[-1]))
                if key not in seen:
                    seen.add(key)
                    queue.append(way + inner)

    def _elements_of(self, element: ElementTree.Element) -> Iterator[list[ElementTree.Element]]:
        stack: list[list[ElementTree.Element]] = [[part] for part in reversed(list(element))]
        while stack:
            way = stack.pop()
            kind = way[-1].tag.removeprefix(_NS)
            if kind == "element":
                if "name" in way[-1].attrib:
                    yield way
            elif (kind == "ref" or kind in _TRANSPARENT) and not any(node is way[-1] for node in way[:-1]):
                stack.extend([*way, part] for part in reversed(self.parts(way[-1])))


class _Writer:
    """Writes the elements along one way."""

    def __init__(self, schema: Schema, way: list[ElementTree.Element], variant: int) -> None:
        self.schema, self.way, self.variant = schema, deque(way), variant
        self.choices = 1

    def element(self, node: ElementTree.Element) -> Element:
        made = Element(self.schema.named(node))
        self._inside(list(node), made, self._step(node) and not self.way)
        return made

    def _step(self, node: ElementTree.Element) -> bool:
        """Whether the node is the next one on the way, which then goes on behind it."""
        if self.way and self.way[0] is node:
            self.way.popleft()
            return True
        return False

    def _inside(self, nodes: list[ElementTree.Element], into: Element, whole: bool) -> None:
        for node in nodes:
            self._node(node, into, whole)

    def _node(self, node: ElementTree.Element, into: Element, whole: bool) -> None:
        kind = node.tag.removeprefix(_NS)
        on_way = kind != "element" and self._step(node)
        if kind == "element":
            if "name" in node.attrib:
                into.children.append(self.element(node))
        elif kind == "attribute":
            if "name" in node.attrib:
                name = node.attrib["name"]
                value = self._value(list(node) or [node], whole)
                into.attributes[name] = _VALUES.get((into.name, name), value)
        elif kind in ("optional", "zeroOrMore"):
            if on_way or (whole and self._holds_attribute(node)):
                self._inside(list(node), into, whole)
        elif kind == "choice":
            self._choice(node, into, whole)
        elif kind == "ref":
            if node.attrib["name"] in _WORDS:
                into.children.append(_WORDS[node.attrib["name"]])
            elif node.attrib["name"] != "customElement":
                self._inside(self.schema.parts(node), into, whole)
        elif kind in ("group", "interleave", "oneOrMore", "list", "define"):
            self._inside(list(node), into, whole)
        elif kind in ("data", "value", "text"):
            into.children.append(self._value([node], whole))

    def _holds_attribute(self, node: ElementTree.Element) -> bool:
        return any(self._is_attribute(part) for part in self.schema.parts(node))

    def _is_attribute(self, node: ElementTree.Element) -> bool:
        kind = node.tag.removeprefix(_NS)
        return kind == "attribute" or (kind not in ("element", "data", "anyName") and self._holds_attribute(node))

    def _choice(self, node: ElementTree.Element, into: Element, whole: bool) -> None:
        chosen = next((part for part in node if self.way and part is self.way[0]), None)
        if chosen is None:
            chosen = self._pick(list(node), whole)
        self._node(chosen, into, whole)

    def _pick(self, parts: list[ElementTree.Element], whole: bool) -> ElementTree.Element:
        if not whole:
            return min(parts, key=self.schema.weight)
        self.choices = max(self.choices, len(parts))
        return parts[self.variant % len(parts)]

    def _value(self, nodes: list[ElementTree.Element], whole: bool) -> str:
        for node in nodes:
            kind = node.tag.removeprefix(_NS)
            if kind == "value":
                return node.text or ""
            if kind == "data":
                return _data(node)
            if kind == "choice":
                return self._value([self._pick(list(node), whole)], whole)
            if kind == "ref":
                name = node.attrib["name"]
                return _WORDS.get(name) or self._value(list(self.schema.parts(node)[0]), whole)
            if kind in ("group", "interleave", "optional", "list"):
                return self._value(list(node), whole)
            if kind == "empty":
                return ""
        return "text"


def _data(node: ElementTree.Element) -> str:
    params = {param.attrib["name"]: param.text or "" for param in node.iter(f"{_NS}param")}
    if "minInclusive" in params:
        return params["minInclusive"]
    if "pattern" in params and "nteger" not in node.attrib["type"] and "nsigned" not in node.attrib["type"]:
        return _matching(params["pattern"])
    return "text" if node.attrib["type"] == "string" else "7"


def _matching(pattern: str) -> str:
    for word in (
        "text",
        "7",
        "0x1f",
        "a",
        "/path",
        "1.2",
        "00:11",
        "0:0:0:0",
        "a.b",
        "0x0000000000000001",
        "eth0",
        "0.1",
        "+1:0",
        "org.example",
    ):
        if re.fullmatch(pattern, word):
            return word
    return _made(re.sub(r"^\^|\$$", "", pattern))


def _made(pattern: str) -> str:
    """A short text that the pattern matches: the first way at each turn."""
    return _written(re_parser.parse(re.sub(r"^\^|\$$", "", pattern)))


def _written(items: Any) -> str:
    return "".join(_one(str(operation), value) for operation, value in items)


def _one(operation: str, value: Any) -> str:
    if operation == "LITERAL":
        return chr(value)
    if operation == "IN":
        what, first = value[0]
        if str(what) in ("NEGATE", "CATEGORY"):
            return "a" if str(what) == "NEGATE" else "1"
        return chr(first if str(what) == "LITERAL" else first[0])
    if operation == "MAX_REPEAT":
        return _written(value[2]) * int(value[0])
    if operation == "SUBPATTERN":
        return _written(value[-1])
    return _written(value[1][0]) if operation == "BRANCH" else "a"


def samples(file: Path) -> Iterator[Sample]:
    """Every document that the schema in `file` gives rise to, the same ones at each call."""
    schema = Schema(file)
    for way, _ in schema.places():
        path = tuple(part.attrib["name"] for part in way if part.tag == f"{_NS}element")
        variant, choices = 0, 1
        while variant < choices:
            writer = _Writer(schema, way, variant)
            root = writer.element(way[0])
            choices = min(writer.choices, 40)
            yield Sample(path, variant, _document(root))
            variant += 1


def _document(root: Element) -> str:
    """The document as the test driver takes it: of its own type, with memory and something to boot."""
    root.attributes["type"] = "test"
    root.attributes.pop("id", None)
    for name in _DRIVERS:
        if any(child.name.startswith(f"{name}:") for child in root.elements):
            root.attributes[f"xmlns:{name}"] = f"http://libvirt.org/schemas/domain/{name}/1.0"
    root.child("name").set_text("sample")
    root.child("uuid").set_text(_WORDS["UUID"])
    if not root.child("memory").text:
        root.child("memory").set_text("65536")
    if not root.value("vcpu"):
        root.child("vcpu").set_text("4")
    _complete_os(root.child("os"))
    for device in root.elements:
        if device.name == "devices":
            for each in device.elements:
                _complete_device(each)
    return format_document(root)


def _complete_os(os: Element) -> None:
    if not os.value("type"):
        os.child("type").set_text("hvm")
    if os.value("type") == "exe":
        os.child("init").set_text("/init")
    loader = os.find("loader")
    if loader is None and os.find("nvram") is not None:
        loader = os.child("loader")
    if loader is not None and not loader.text:
        loader.set_text("/loader")


def _complete_device(device: Element) -> None:
    companion = _COMPANIONS.get(device.name)
    if companion and device.find("source") is None:
        device.children.append(parse(companion))
    if device.name == "disk":
        source = device.child("source")
        for name, value in _SOURCES.get(device.attributes.get("type", "file"), {}).items():
            source.attributes.setdefault(name, value)
    for setting in (device.find("input/settings"), device.find("output/settings")):
        if setting is not None:
            for name in ("input", "output"):
                device.child(name).attributes.update(fixedSettings="yes", mixingEngine="yes")
    if device.name in _CHARS and device.attributes.get("type") not in (None, "pty", "null", "vc", "stdio"):
        given = device.child("source").attributes
        for name, value in (("path", "/dev/x"), ("mode", "connect"), ("host", "h"), ("service", "1"), ("channel", "c")):
            given.setdefault(name, value)
