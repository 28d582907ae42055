# SPDX-License-Identifier: LGPL-2.1-or-later
"""Character devices, smart cards and TPMs: what they mean beyond their tables.

Hooks of the tables' lines, as in `machine`. Which console is the first serial port's is in `implied`.
"""

from __future__ import annotations

from ipaddress import ip_address

from virtproxy.documents.domain.shape import Hook, Shaper, put
from virtproxy.documents.domain.values import internal, number, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

_AFTER_SOURCE = frozenset({"protocol", "log", "target", "boot", "alias", "acpi", "address"})


def character(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A back end's source says what its type needs."""
    type_ = element.attributes["type"]
    address = element.find("address")
    if element.name == "redirdev" and address is not None and address.attributes["type"] != "usb":
        raise xml_error("Invalid address for a USB device")
    sources = [child for child in element.elements if child.name == "source"]
    checks = {"file": _path, "pipe": _path, "dev": _path, "unix": _unix, "tcp": _tcp, "spiceport": _port}
    if type_ == "udp":
        _udp(element, sources)
    elif type_ in checks:
        checks[type_](element, sources[0].attributes if sources else {})
    if type_ in ("pty", "null", "vc", "stdio", "spicevmc", "dbus", "nmdm", "qemu-vdagent") and sources:
        _leave_source(element, sources[0], type_)
    if type_ == "spicevmc" and element.name in ("serial", "parallel", "console"):
        raise unsupported("spicevmc device type only supports virtio")
    if type_ == "tcp" and element.find("protocol") is None:
        put(element, Element("protocol", {"type": "raw"}), _AFTER_SOURCE - {"protocol"})


def _leave_source(element: Element, source: Element, type_: str) -> None:
    if type_ == "pty":
        source.attributes.pop("path", None)
    if not source.attributes and not source.children:
        element.children.remove(source)


def _path(_element: Element, source: dict[str, str]) -> None:
    if not source.get("path"):
        raise internal("Missing source path attribute for char device")


def _unix(element: Element, source: dict[str, str]) -> None:
    found = element.find("source")
    if found is None:
        if element.name != "channel":
            raise internal("Missing source path attribute for char device")
        return
    if "path" not in source:
        if element.name != "channel":
            raise internal("Missing source path attribute for char device")
        element.children.remove(found)
        return
    found.attributes = {"mode": source.get("mode", "connect"), **source}
    _reconnect(found)


def _reconnect(source: Element) -> None:
    reconnect = source.find("reconnect")
    if reconnect is not None and reconnect.attributes.get("enabled") == "yes":
        if source.attributes["mode"] != "connect":
            raise internal("chardev reconnect is possible only for connect mode")
        if "timeout" not in reconnect.attributes:
            raise internal("missing timeout for chardev with reconnect enabled")


def _tcp(element: Element, source: dict[str, str]) -> None:
    if "host" not in source:
        raise internal("Missing source host attribute for char device")
    if "service" not in source:
        raise internal("Missing source service attribute for char device")
    found = element.find("source")
    assert found is not None
    found.attributes = {"mode": source.get("mode", "connect"), **source}
    _reconnect(found)


def _port(_element: Element, source: dict[str, str]) -> None:
    if "channel" not in source:
        raise unsupported("Missing source channel attribute for char device")


def _udp(element: Element, sources: list[Element]) -> None:
    """A datagram socket's two ends: where it listens comes first."""
    ends: dict[str, Element] = {}
    for source in sources:
        ends.setdefault(source.attributes.get("mode", "connect"), source)
    if "service" not in (ends["connect"].attributes if "connect" in ends else {}):
        raise internal("Missing source service attribute for char device")
    at = element.children.index(sources[0])
    element.children = [child for child in element.children if not (isinstance(child, Element) and child in sources)]
    for mode in ("connect", "bind"):
        if mode in ends:
            given = ends[mode].attributes
            order = [name for name in ("host", "service") if name in given]
            ends[mode].attributes = {"mode": mode, **{name: given[name] for name in order}}
            element.children.insert(at, ends[mode])


_SERIALS = frozenset({
    "isa-serial", "usb-serial", "pci-serial", "spapr-vio-serial", "system-serial", "sclp-serial", "isa-debug", "serial",
})  # fmt: skip
_CONSOLES = frozenset({"serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"})


def serial(shaper: Shaper, element: Element, parent: Element | None) -> None:
    """Which serial port it is, on which kind of card."""
    _known(element, _SERIALS)
    port(shaper, element, parent)


def consoleport(shaper: Shaper, element: Element, parent: Element | None) -> None:
    """Which console it is, of which kind."""
    _known(element, _CONSOLES)
    port(shaper, element, parent)


def _known(element: Element, known: frozenset[str]) -> None:
    type_ = element.attributes.get("type")
    if type_ is not None and type_ not in known:
        raise unsupported(f"unknown target type '{type_}' specified for character device")


def port(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A port's number."""
    text = element.attributes.get("port")
    if text is not None and (number(text) is None or int(text) < 0):
        raise xml_error(f"Invalid port number: {text}")


def guestfwd(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Where a guest's connection goes that ends at the host."""
    if "address" not in element.attributes:
        raise xml_error("guestfwd channel does not define a target address")
    try:
        ip_address(element.attributes["address"])
    except ValueError:
        detail = f"Cannot parse socket address '{element.attributes['address']}': Name or service not known"
        raise VirtError.of(ErrorCode.SYSTEM_ERROR, detail) from None
    if "port" not in element.attributes:
        raise xml_error("guestfwd channel does not define a target port")
    port(_shaper, element, _parent)


def channel(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A channel says what it is to the guest."""
    if element.find("target") is None:
        raise xml_error("target type must be specified for channel device")
    character(_shaper, element, _parent)
    target = element.find("target")
    assert target is not None
    if element.attributes["type"] == "spicevmc" and target.attributes["type"] != "virtio":
        raise unsupported("spicevmc device type only supports virtio")


def smartcard(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A smart card is the host's, files, or passed through from elsewhere."""
    mode = element.attributes["mode"]
    if mode == "host-certificates":
        certificates = [child for child in element.elements if child.name == "certificate"]
        if len(certificates) != 3:
            raise xml_error("host-certificates mode needs exactly three certificates")
    if mode == "passthrough":
        if "type" not in element.attributes:
            raise xml_error("passthrough mode requires a character device type attribute")
        character(_shaper, element, _parent)
        return
    element.attributes.pop("type", None)
    keep = ("alias", "acpi", "address", *(("certificate", "database") if mode == "host-certificates" else ()))
    element.children = [child for child in element.elements if child.name in keep]


def rng(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A source of random numbers has one back end."""
    backends = [child for child in element.elements if child.name == "backend"]
    if len(backends) != 1:
        raise xml_error("only one RNG backend is supported")
    model = backends[0].attributes["model"]
    if model == "random" and not backends[0].text.strip():
        backends[0].set_text("/dev/random")
    if model == "egd":
        character(_shaper, backends[0], element)


def tpm(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A TPM is the host's, or a program's."""
    backend = element.find("backend")
    if backend is None:
        raise xml_error("missing TPM device backend")
    if backend.attributes["type"] == "passthrough" and backend.find("device") is None:
        backend.children.append(Element("device", {"path": "/dev/tpm0"}))
    if backend.attributes["type"] == "external" and backend.find("source") is None:
        raise xml_error("missing external TPM backend source type")
    if backend.attributes.get("version") != "2.0":
        for name in ("active_pcr_banks", "profile"):
            if backend.find(name) is not None:
                raise xml_error(f"<{name}/> requires TPM version '2.0'")


MEANINGS: dict[str, Hook] = {
    "character": character, "serial": serial, "consoleport": consoleport, "port": port,
    "guestfwd": guestfwd, "channel": channel, "smartcard": smartcard, "rng": rng, "tpm": tpm,
}  # fmt: skip
