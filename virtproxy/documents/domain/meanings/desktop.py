# SPDX-License-Identifier: LGPL-2.1-or-later
"""Input, graphics and video: what they mean beyond their tables.

Hooks of the tables' lines, as in `machine`.
"""

from __future__ import annotations

import re

from virtproxy.documents.domain.shape import Hook, Shaper
from virtproxy.documents.domain.values import internal, unsupported, xml_error
from virtproxy.documents.markup import Element

_INPUT_BUSES = frozenset({"ps2", "usb", "xen", "virtio", "parallels", "none"})
_MEMORY = {"vga": 16384, "cirrus": 16384, "vmvga": 16384, "xen": 4096, "vbox": 8192, "bochs": 16384}
_HEADLESS = frozenset({"ramfb", "none"})


def input_device(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A pointer or keyboard is on its type's usual bus unless it says another."""
    attributes = element.attributes
    type_, bus = attributes["type"], attributes.get("bus")
    if bus is not None and bus not in _INPUT_BUSES:
        raise unsupported(f"unknown input bus type '{bus}'")
    address = element.find("address")
    if bus == "usb" and address is not None and address.attributes["type"] != "usb":
        raise xml_error("Invalid address for a USB device")
    if bus is None:
        bus = {"mouse": "ps2", "keyboard": "ps2", "tablet": "usb", "passthrough": "virtio"}.get(type_)
    if bus == "ps2" and type_ not in ("mouse", "keyboard"):
        raise internal(f"ps2 bus does not support {type_} input device")
    if bus == "none":
        bus = None
    rest = {name: value for name, value in attributes.items() if name not in ("type", "bus")}
    element.attributes = {"type": type_, **({"bus": bus} if bus and type_ != "evdev" else {}), **rest}
    model = attributes.get("model")
    if model is not None and bus != "virtio":
        raise unsupported(f"only bus 'virtio' is supported for input model '{model}'")


def graphics(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Where a display listens, in the old attributes and in the new elements alike."""
    attributes = element.attributes
    type_ = attributes["type"]
    _check_password(attributes)
    listens = _listens(element, type_)
    first = listens[0].attributes["type"] if listens else ""
    shaped = {"type": type_}
    if first == "socket" and type_ == "vnc" and "socket" in listens[0].attributes:
        shaped["socket"] = listens[0].attributes["socket"]
    if first in ("address", "network"):
        shaped |= _ports(attributes, type_)
    if first == "address" and listens[0].attributes.get("address"):
        attributes["listen"] = listens[0].attributes["address"]
    else:
        attributes.pop("listen", None)
    gone = {"socket", "port", "tlsPort", "autoport", *shaped}
    order = ("replaceUser", "multiUser", "websocket", "listen")
    head = {name: attributes[name] for name in order if name in attributes}
    tail = {name: value for name, value in attributes.items() if name not in gone and name not in head}
    element.attributes = shaped | head | tail


def _check_password(attributes: dict[str, str]) -> None:
    until = attributes.get("passwdValidTo")
    if until is not None and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", until):
        raise internal(f"cannot parse password validity time '{until}', expect YYYY-MM-DDTHH:MM:SS")
    if "passwd" not in attributes:
        attributes.pop("passwdValidTo", None)
        attributes.pop("connected", None)


def _listens(element: Element, type_: str) -> list[Element]:
    listens = [child for child in element.elements if child.name == "listen"]
    attributes = element.attributes
    if not listens:
        listens = [_own_listen(attributes, type_)]
        place = 0
        element.children.insert(place, listens[0])
    for listen in listens:
        _shape_listen(listen, type_)
    if "listen" in attributes and listens[0].attributes["type"] == "address":
        found = listens[0].attributes.setdefault("address", attributes["listen"])
        if found != attributes["listen"]:
            raise unsupported(
                f"graphics 'listen' attribute '{attributes['listen']}' must match 'address' attribute of first "
                f"listen element (found '{found}')"
            )
    return listens


def _own_listen(attributes: dict[str, str], type_: str) -> Element:
    if "socket" in attributes and type_ == "vnc":
        return Element("listen", {"type": "socket", "socket": attributes["socket"]})
    ports = [attributes.get("port", "0"), attributes.get("tlsPort", "0")]
    if type_ == "spice" and attributes.get("autoport") != "yes" and ports == ["0", "0"]:
        return Element("listen", {"type": "none"})
    listen = Element("listen", {"type": "address"})
    if attributes.get("listen"):
        listen.attributes["address"] = attributes["listen"]
    return listen


def _shape_listen(listen: Element, type_: str) -> None:
    attributes = listen.attributes
    kind = attributes["type"]
    if kind == "none" and type_ not in ("spice", "vnc"):
        raise unsupported(f"listen type 'none' is not available for graphics type '{type_}'")
    if kind == "socket" and type_ not in ("spice", "vnc"):
        raise unsupported(f"listen type 'socket' is not available for graphics type '{type_}'")
    if kind == "network" and "network" not in attributes:
        raise xml_error("'network' attribute must be specified for listen type 'network'")
    keep = {"address": ("address",), "network": ("network",), "socket": ("socket",), "none": ()}[kind]
    listen.attributes = {"type": kind} | {name: attributes[name] for name in keep if name in attributes}


def _ports(attributes: dict[str, str], type_: str) -> dict[str, str]:
    port, tls = int(attributes.get("port", "0")), int(attributes.get("tlsPort", "0"))
    auto = attributes.get("autoport") == "yes"
    shaped: dict[str, str] = {}
    if type_ == "spice":
        if port == -1 and tls == -1:
            auto = True
        if not auto and port:
            shaped["port"] = str(port)
        if not auto and tls:
            shaped["tlsPort"] = str(tls)
        return shaped | {"autoport": "yes" if auto else "no"}
    auto = auto or port in (0, -1)
    return {"port": ("-1" if type_ == "vnc" else "0") if auto else str(port), "autoport": "yes" if auto else "no"}


def video(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A video card has a model, with that model's memory."""
    model = element.find("model")
    if model is None:
        model = Element("model", {"type": "default"})
        element.children.insert(0, model)
    attributes = model.attributes
    type_ = attributes["type"]
    if type_ == "default":
        type_ = attributes["type"] = "cirrus"
    if type_ != "qxl":
        for name in ("ram", "vram64", "vgamem"):
            if name in attributes:
                what = {"ram": "ram", "vram64": "vram64", "vgamem": "vgamem"}[name]
                raise unsupported(f"{what} attribute only supported for video type qxl")
    if "blob" in attributes and type_ != "virtio":
        raise unsupported(f"video type '{type_}' does not support blob resources")
    driver, rendernode = element.find("driver"), model.find("acceleration")
    vhostuser = driver is not None and driver.attributes.get("name") == "vhostuser"
    for name in ("iommu", "ats", "packed", "page_per_vq"):
        if driver is not None and name in driver.attributes and type_ != "virtio":
            raise unsupported(f"{name} driver option is only supported for virtio devices")
    if vhostuser and type_ != "virtio":
        raise unsupported("'vhostuser' driver is only supported with 'virtio' device")
    if rendernode is not None and "rendernode" in rendernode.attributes and not vhostuser:
        raise unsupported("unsupported rendernode accel attribute without 'vhostuser'")
    _video_memory(attributes, type_)


def _video_memory(attributes: dict[str, str], type_: str) -> None:
    if type_ == "qxl":
        attributes.setdefault("ram", "65536")
        attributes.setdefault("vram", "65536")
    elif type_ in _MEMORY:
        attributes.setdefault("vram", str(_MEMORY[type_]))
    if type_ not in _HEADLESS:
        attributes.setdefault("heads", "1")
    order = ("type", "ram", "vram", "vram64", "vgamem", "heads", "primary", "blob", "edid")
    ordered = {name: attributes[name] for name in order if name in attributes}
    attributes.clear()
    attributes.update(ordered)


def sound(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Each model has options of its own."""
    model = element.attributes["model"]
    if model != "usb":
        element.attributes.pop("multichannel", None)
    if model != "virtio":
        element.attributes.pop("streams", None)
        element.remove("driver")
    if model not in ("ich6", "ich9"):
        element.remove("codec")


def spicechannel(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A channel in the usual mode is not said."""
    return element.attributes["mode"] != "any"


def stream(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Fixed settings are said, and need the mixing engine."""
    attributes = element.attributes
    fixed = attributes.get("fixedSettings") == "yes"
    if fixed and attributes.get("mixingEngine") == "no":
        raise unsupported("fixed audio settings requires mixing engine")
    if not fixed and element.find("settings") is not None:
        raise unsupported("audio settings specified without fixed settings flag")
    if fixed and element.find("settings") is None:
        element.children.append(Element("settings"))


MEANINGS: dict[str, Hook] = {
    "input": input_device, "graphics": graphics, "video": video, "sound": sound, "stream": stream,
    "spicechannel": spicechannel,
}  # fmt: skip
