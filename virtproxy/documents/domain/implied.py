# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain's devices make one another need: addresses on buses, the buses' controllers, names, ports.

`check` calls `complete` when every device has its own shape.
"""

from __future__ import annotations

from bisect import insort_right
from collections.abc import Iterable

from virtproxy.documents.domain.grammar import group_child
from virtproxy.documents.domain.layout import TEST_HOST, Host
from virtproxy.documents.domain.meanings.storage import described, disk_index
from virtproxy.documents.domain.shape import put
from virtproxy.documents.domain.values import unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# More controllers than any machine has; libvirt has no limit, and adds as many as a drive's address says.
CONTROLLERS_MAX = 4096
# Disks on one controller, by bus.
_UNITS = {"scsi": 7, "fdc": 2, "ide": 4, "sata": 6}

_ICH9 = "ich9-"


def complete(root: Element, host: Host = TEST_HOST) -> None:
    """Add what libvirt adds to the devices of a definition. VirtError if two devices cannot be together."""
    devices = root.child("devices")
    kinds: dict[str, list[Element]] = {}
    for device in devices.elements:
        kinds.setdefault(device.name, []).append(device)
    controllers = _Controllers(kinds.get("controller", ()))
    controllers.number()
    disks = kinds.get("disk", ())
    for disk in disks:
        _place_disk(disk)
    _tell_apart(disks)
    _first_console(kinds)
    _number_ports(kinds)
    _place_hostdevs(kinds)
    _place_smartcards(kinds)
    _add_controllers(kinds, controllers)
    _add_video(kinds)
    for index, interface in enumerate(kinds.get("interface", ())):
        if host.interfaces is not None:
            _name_interface(interface, f"{host.interfaces}{index}")
    _check_usb(kinds)
    _check_references(root, kinds)
    places = group_child("&devices")
    known = {"emulator": -1} | {name: child.place for name, child in places.items()}
    in_order = sorted((name for name in kinds if name in known), key=known.__getitem__)
    unknown = [each for name in kinds if name not in known for each in kinds[name]]
    devices.children = [*(each for name in in_order for each in kinds[name]), *unknown]


def sort_disks(devices: Element) -> None:
    """Put disks into libvirt's order: beside those of the bus that they name, by the number in their names."""
    disks = [device for device in devices.elements if device.name == "disk"]
    if len(disks) < 2:
        return
    rest = [device for device in devices.elements if device.name != "disk"]
    first: dict[str, int] = {}
    keyed: list[tuple[int, int, Element]] = []
    for disk in disks:
        target = disk.find("target")
        attributes = {} if target is None else target.attributes
        group = first.setdefault(attributes.get("bus", ""), len(first))
        keyed.append((group, disk_index(attributes.get("dev", "")), disk))
    keyed.sort(key=lambda entry: entry[:2])
    devices.children = [*(disk for _, _, disk in keyed), *rest]


class _Controllers:
    """Controllers in libvirt's order: by type as they came, those with a number behind lower ones of their type."""

    def __init__(self, given: Iterable[Element]) -> None:
        # By type: those in place, up to the last without a number, and the sorted ones behind it.
        self.types: dict[str, tuple[list[Element], list[Element]]] = {}
        self.taken: dict[str, set[int]] = {}
        for controller in given:
            self.add(controller)

    def add(self, new: Element) -> None:
        """Put one in its place."""
        placed, tail = self.types.setdefault(new.attributes["type"], ([], []))
        if "index" in new.attributes:
            self.taken.setdefault(new.attributes["type"], set()).add(_index(new))
            insort_right(tail, new, key=_index)
        else:
            placed += [*tail, new]
            tail.clear()

    def number(self) -> None:
        """Give each its number: the lowest that is free among those of its type, or that of the companion before it."""
        for type_, (placed, _) in self.types.items():
            taken, following = self.taken.setdefault(type_, set()), 0
            companions: set[tuple[int, str]] = set()
            before = ("", "", -1)
            for controller in placed:
                attributes, model = controller.attributes, controller.attributes.get("model", "")
                if "index" in attributes:
                    index = _index(controller)
                elif _joins(type_, model, before, companions):
                    index = before[2]
                else:
                    while following in taken:
                        following += 1
                    index = following
                taken.add(index)
                companions.add((index, model))
                before = type_, model, index
                rest = {name: value for name, value in attributes.items() if name not in ("type", "index")}
                controller.attributes = {"type": type_, "index": str(index), **rest}

    def need(self, type_: str, indexes: Iterable[int]) -> None:
        """Add those of a type that are not there."""
        taken = self.taken.setdefault(type_, set())
        for index in indexes:
            if index not in taken:
                self.add(Element("controller", {"type": type_, "index": str(index)}))

    def all(self) -> list[Element]:
        """All of them, in order."""
        return [each for placed, tail in self.types.values() for each in (*placed, *tail)]


def _index(controller: Element) -> int:
    return int(controller.attributes["index"])


def alone(device: Element) -> None:
    """Complete a device outside of a domain as far as it does not depend on others."""
    if device.name == "disk":
        _place_disk(device)


def _joins(type_: str, model: str, before: tuple[str, str, int], companions: set[tuple[int, str]]) -> bool:
    """Whether a controller has the number of the one before it: each model of USB's ich9 family once a number."""
    family = type_ == before[0] == "usb" and model.startswith(_ICH9) and before[1].startswith(_ICH9)
    return family and (before[2], model) not in companions


def _drive(controller: int, bus: int, unit: int) -> Element:
    places = {"controller": str(controller), "bus": str(bus), "target": "0", "unit": str(unit)}
    return Element("address", {"type": "drive", **places})


def _place_disk(disk: Element) -> None:
    """A disk's name says its place on the bus, where it has places."""
    target = disk.child("target").attributes
    units = _UNITS.get(target["bus"])
    index = disk_index(target["dev"])
    if units is None or index < 0 or disk.find("address") is not None:
        return
    controller, unit = divmod(index, units)
    bus, unit = divmod(unit, 2) if target["bus"] == "ide" else (0, unit)
    disk.children.append(_drive(controller, bus, unit))


def _tell_apart(disks: Iterable[Element]) -> None:
    seen: dict[str, Element] = {}
    for disk in disks:
        name = disk.child("target").attributes["dev"]
        if name in seen:
            sources = f"'{described(seen[name])}' and '{described(disk)}'"
            raise xml_error(f"target '{name}' duplicated for disk sources {sources}")
        seen[name] = disk


def _first_console(kinds: dict[str, list[Element]]) -> None:
    """The first serial port and the first console are one."""
    consoles, serials = kinds.get("console", []), kinds.get("serial", [])
    for console in consoles:
        target = console.find("target")
        if target is None:
            put(console, Element("target", {"type": "serial"}), frozenset({"alias", "acpi", "address"}))
        else:
            target.attributes = {"type": "serial", **target.attributes}
    for console in consoles[1:]:
        if console.child("target").attributes["type"] == "serial":
            raise unsupported("Only the first console can be a serial port")
    if consoles and consoles[0].child("target").attributes["type"] == "serial":
        if not serials:
            serials = kinds["serial"] = [_other(consoles[0], "serial")]
        else:
            consoles[0] = _other(serials[0], "console")
    elif serials and not consoles:
        kinds["console"] = [_other(serials[0], "console")]


def _other(device: Element, name: str) -> Element:
    """The same port, seen as a console or as a serial one."""
    twin = device.copy()
    twin.name = name
    target = twin.find("target")
    if target is None:
        target = Element("target")
        put(twin, target, frozenset({"alias", "acpi", "address"}))
    target.children = []
    port = {"port": target.attributes["port"]} if "port" in target.attributes else {}
    target.attributes = {"type": "serial", **port} if name == "console" else port
    return twin


def _number_ports(kinds: dict[str, list[Element]]) -> None:
    for name in ("serial", "parallel", "console"):
        devices = kinds.get(name, [])
        highest: dict[str, int] = {}
        for device in devices:
            attributes = _target(device).attributes
            if "port" in attributes:
                type_ = attributes.get("type", "")
                highest[type_] = max(highest.get(type_, -1), int(attributes["port"]))
        for at, device in enumerate(devices):
            attributes = _target(device).attributes
            if "port" not in attributes:
                type_ = attributes.get("type", "")
                highest[type_] = highest.get(type_, -1) + 1
                attributes["port"] = str(at if name == "console" else highest[type_])
    serials, consoles = kinds.get("serial"), kinds.get("console")
    if serials and consoles and _target(consoles[0]).attributes["type"] == "serial":
        _target(consoles[0]).attributes["port"] = _target(serials[0]).attributes["port"]


def _target(device: Element) -> Element:
    target = device.find("target")
    if target is None:
        target = Element("target")
        put(device, target, frozenset({"alias", "acpi", "address"}))
    return target


def _place_hostdevs(kinds: dict[str, list[Element]]) -> None:
    unit = 0
    for hostdev in kinds.get("hostdev", ()):
        if hostdev.attributes["type"] == "scsi" and hostdev.find("address") is None:
            hostdev.children.append(_drive(0, 0, unit))
            unit += 1


def _place_smartcards(kinds: dict[str, list[Element]]) -> None:
    for slot, card in enumerate(kinds.get("smartcard", ())):
        address = card.find("address")
        if address is None:
            card.children.append(Element("address", {"type": "ccid", "controller": "0", "slot": str(slot)}))
        elif address.attributes["type"] != "ccid":
            raise unsupported("Controllers must use the 'ccid' address type")


def _add_controllers(kinds: dict[str, list[Element]], controllers: _Controllers) -> None:
    for type_ in _UNITS:
        disks = [disk for disk in kinds.get("disk", ()) if disk.child("target").attributes["bus"] == type_]
        controllers.need(type_, _up_to(disks))
    for device in (*kinds.get("channel", ()), *kinds.get("console", ())):
        target = device.find("target")
        if target is not None and target.attributes.get("type") == "virtio":
            controllers.need("virtio-serial", [_controller(device, "virtio-serial")])
    for card in kinds.get("smartcard", ()):
        controllers.need("ccid", [_controller(card, "ccid")])
    controllers.need("scsi", _up_to([each for each in kinds.get("hostdev", ()) if each.attributes["type"] == "scsi"]))
    found = controllers.all()
    if found:
        kinds["controller"] = found


def _up_to(devices: list[Element]) -> range:
    """The numbers of the controllers up to the highest that the devices are on."""
    highest = max(map(_drive_controller, devices), default=-1)
    if highest >= CONTROLLERS_MAX:
        raise xml_error(f"a drive is on controller {highest}, and there are at most {CONTROLLERS_MAX}")
    return range(highest + 1)


def _drive_controller(device: Element) -> int:
    address = device.find("address")
    if address is None or address.attributes["type"] != "drive":
        return -1
    return int(address.attributes["controller"])


def _controller(device: Element, type_: str) -> int:
    address = device.find("address")
    return 0 if address is None or address.attributes["type"] != type_ else int(address.attributes["controller"])


def _add_video(kinds: dict[str, list[Element]]) -> None:
    """What shows something needs a card; the first card is the primary one."""
    if kinds.get("graphics") and not kinds.get("video"):
        model = Element("model", {"type": "cirrus", "vram": "16384", "heads": "1"})
        card = Element("video")
        card.children.append(model)
        kinds["video"] = [card]
    cards = kinds.get("video", [])
    if not cards:
        return
    primary = [card for card in cards if card.child("model").attributes.get("primary") == "yes"]
    if len(primary) > 1:
        raise xml_error("Only one primary video device is supported")
    chosen = primary[0] if primary else cards[0]
    attributes = chosen.child("model").attributes
    if "primary" not in attributes and attributes["type"] != "none":
        rest: dict[str, str] = {name: attributes.pop(name) for name in ("blob", "edid") if name in attributes}
        attributes["primary"] = "yes"
        attributes.update(rest)
    cards.remove(chosen)
    cards.insert(0, chosen)
    if len(cards) > 1 and any(card.child("model").attributes["type"] == "none" for card in cards):
        raise unsupported("a 'none' video type must be the only video device defined for the domain")


def _check_usb(kinds: dict[str, list[Element]]) -> None:
    hosts = [each for each in kinds.get("controller", ()) if each.attributes["type"] == "usb"]
    usable = any(each.attributes.get("model") != "none" for each in hosts)
    if kinds.get("redirdev") and not usable:
        raise unsupported("cannot add redirected USB device: USB is disabled for this domain")
    if hosts and not usable and any(each.attributes.get("bus") == "usb" for each in kinds.get("input", ())):
        raise unsupported("Can't add USB input device. USB bus is disabled")


def _check_references(root: Element, kinds: dict[str, list[Element]]) -> None:
    """What a device names, another must be."""
    if len(kinds.get("vsock", ())) > 1:
        raise xml_error("only a single vsock device is supported")
    audio = {each.attributes["id"] for each in kinds.get("audio", ())}
    for device in (
        *kinds.get("sound", ()),
        *(each for each in kinds.get("graphics", ()) if each.attributes["type"] == "vnc"),
    ):
        wanted = device.find("audio")
        if wanted is not None and wanted.attributes["id"] not in audio:
            raise xml_error(f"no audio device with ID {wanted.attributes['id']}")
    groups = root.find("throttlegroups")
    known = {group.value("group_name") for group in ([] if groups is None else groups.named("throttlegroup"))}
    for disk in kinds.get("disk", ()):
        for filter_ in (disk.find("throttlefilters") or Element("")).named("throttlefilter"):
            if filter_.attributes["group"] not in known:
                raise xml_error(f"throttle group '{filter_.attributes['group']}' not found")
    for memory in kinds.get("memory", ()):
        if memory.find("target/node") is not None and root.find("cpu/numa") is None:
            detail = "can't add memory backend as guest has no NUMA nodes configured"
            raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)


def _name_interface(interface: Element, name: str) -> None:
    """The test driver's own name for an interface on the host, where none is given."""
    target = interface.find("target")
    if target is None:
        target = Element("target")
        put(interface, target, _AFTER_TARGET)
    if "dev" not in target.attributes:
        target.attributes = {"dev": name, **target.attributes}


_AFTER_TARGET = frozenset({
    "guest", "model", "driver", "backend", "filterref", "tune", "teaming", "link", "mtu", "coalesce",
    "boot", "alias", "rom", "acpi", "address",
})  # fmt: skip
