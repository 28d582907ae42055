# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of values in a domain document: each checks a text and gives it back as libvirt writes it.

A kind is a function of the text and where it stands (element, attribute; the attribute is "" for an element's own
text). It returns None where libvirt leaves the value out. The tables name kinds; `grammar` looks them up here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from uuid import UUID

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

Kind = Callable[[str, str, str], str | None]

_KIB = 1024
UNITS = {
    "b": 1, "bytes": 1, "kb": 1000, "k": _KIB, "kib": _KIB, "mb": 10**6, "m": _KIB**2, "mib": _KIB**2,
    "gb": 10**9, "g": _KIB**3, "gib": _KIB**3, "tb": 10**12, "t": _KIB**4, "tib": _KIB**4,
    "pb": 10**15, "p": _KIB**5, "pib": _KIB**5, "eb": 10**18, "e": _KIB**6, "eib": _KIB**6,
}  # fmt: skip
_CPUS_MAX = 16384
_INT_MAX, _UINT_MAX, _LONG_MAX = (1 << 31) - 1, (1 << 32) - 1, (1 << 64) - 1


def xml_error(detail: str, domain: ErrorDomain = ErrorDomain.DOMAIN) -> VirtError:
    """The document says what cannot be."""
    return VirtError.of(ErrorCode.XML_ERROR, detail, domain=domain)


def unsupported(detail: str) -> VirtError:
    """The document asks for what no driver has."""
    return VirtError.of(ErrorCode.CONFIG_UNSUPPORTED, detail, domain=ErrorDomain.DOMAIN)


def internal(detail: str) -> VirtError:
    """A fault for which libvirt has no better code."""
    return VirtError.of(ErrorCode.INTERNAL_ERROR, detail, domain=ErrorDomain.DOMAIN)


def missing(element: str, attribute: str) -> VirtError:
    """An attribute that must be there is not."""
    return xml_error(f"Missing required attribute '{attribute}' in element '{element}'", ErrorDomain.XML)


def refused(text: str, element: str, attribute: str, why: str = ".") -> VirtError:
    """A value that is none."""
    if not attribute:
        return xml_error(f"Invalid value '{text}' for element or attribute './{element}[1]'", ErrorDomain.XML)
    shown = "" if why.startswith("Zero") else f"'{text}'"
    return xml_error(f"Invalid value for attribute '{attribute}' in element '{element}': {shown}{why}", ErrorDomain.XML)


# Where libvirt words the refusal of a word otherwise: by element and attribute, or by attribute of any element.
_WORDED = {
    ("input", "type"): "unknown input device type '{}'",
    ("encryption", "format"): "unknown volume encryption format type {}",
    ("link", "state"): "unknown interface link state '{}'",
    ("cpu", "mode"): "Invalid mode attribute '{}'",
    ("feature", "policy"): "Invalid CPU feature policy",
    ("memory", "mode"): "Unsupported NUMA memory tuning mode '{}'",
    ("clock", "offset"): "unknown clock offset '{}'",
    ("access", "mode"): "unknown memoryBacking/access/mode '{}'",
    ("on_poweroff", ""): "unknown on_poweroff action: {}",
    ("on_reboot", ""): "unknown on_reboot action: {}",
    ("on_crash", ""): "unknown on_crash action: {}",
    **{
        (name, "type"): "unknown type presented to host for character device: {}"
        for name in ("serial", "parallel", "console", "channel", "smartcard", "redirdev")
    },
}


def _unknown(text: str, element: str, attribute: str) -> VirtError:
    worded = _WORDED.get((element, attribute))
    return refused(text, element, attribute) if worded is None else unsupported(worded.format(text))


def number(text: str, base: int = 10) -> int | None:
    """The integer that a text is, as strtol reads one; None if it is none. Base 0 takes 0x and octal."""
    text = text.strip()
    if not text.isascii() or "_" in text or len(text) > 40:
        return None
    if base == 0 and re.fullmatch(r"[-+]?0[0-7]+", text):
        base = 8
    try:
        return int(text, base)
    except ValueError:
        return None


def _integer(low: int, high: int, why: str, base: int = 10, form: str = "d") -> Kind:
    # What it takes is short, and comes again and again.
    @lru_cache(maxsize=512)
    def kind(text: str, element: str, attribute: str) -> str:
        value = number(text, base)
        if value is None or not low <= value <= high:
            raise refused(text, element, attribute, why)
        return format(value, form)

    return kind


_unsigned = _integer(0, _LONG_MAX, ". Expected non-negative integer value")


def _positive(text: str, element: str, attribute: str) -> str:
    value = _unsigned(text, element, attribute)
    if value == "0":
        raise refused(text, element, attribute, "Zero is not permitted")
    return str(value)


def _not_zero(text: str, element: str, attribute: str) -> str | None:
    value = _unsigned(text, element, attribute)
    return None if value == "0" else value


def _weight(text: str, _element: str, _attribute: str) -> str | None:
    value = number(text)
    return str(value) if value else None


def _hexadecimal(digits: int) -> Kind:
    high = _LONG_MAX if not digits else (1 << 4 * max(digits, 1)) - 1
    return _integer(0, high, ". Expected non-negative integer value", 0, f"#0{digits + 2}x")


def _uuid(text: str, element: str, attribute: str) -> str:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise refused(text, element, attribute) from None


def cpu_bits(text: str) -> int | None:
    """The CPUs that a list such as "0-3,^2" names, a bit each; None if it is no list."""
    chosen = 0
    for part in text.replace(" ", "").replace("\n", "").split(","):
        found = re.fullmatch(r"(\^?)(\d{1,5})(?:-(\d{1,5}))?", part)
        if found is None:
            return None
        first, last = int(found[2]), int(found[3] or found[2])
        if last < first or last >= _CPUS_MAX or (found[1] and found[3]):
            return None
        bits = (1 << (last + 1)) - (1 << first)
        chosen = chosen & ~bits if found[1] else chosen | bits
    return chosen


def _runs(bits: int) -> Iterator[tuple[int, int]]:
    """The first and the last of each run of set bits."""
    first = 0
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        bits >>= zeros
        ones = (~bits & (bits + 1)).bit_length() - 1
        bits >>= ones
        yield first + zeros, first + zeros + ones - 1
        first += zeros + ones


def cpu_numbers(text: str) -> frozenset[int] | None:
    """The CPUs that a list such as "0-3,^2" names; None if it is no list."""
    bits = cpu_bits(text)
    return None if bits is None else frozenset(each for a, b in _runs(bits) for each in range(a, b + 1))


def cpu_text(numbers: Iterable[int]) -> str:
    """A list of CPUs as libvirt writes it."""
    bits = 0
    for each in numbers:
        bits |= 1 << each
    return _bits_text(bits)


def _bits_text(bits: int) -> str:
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in _runs(bits))


@lru_cache(maxsize=256)
def _cpuset(text: str, _element: str, attribute: str) -> str | None:
    chosen = cpu_bits(text)
    if chosen is None:
        detail = f"Failed to parse bitmap '{text}'"
        raise VirtError.of(ErrorCode.INVALID_ARG, detail, domain=ErrorDomain.NONE)
    if not chosen:
        raise unsupported(f"Invalid value of '{attribute}': {text}")
    return _bits_text(chosen)


def mac(text: str) -> str | None:
    """A MAC address as libvirt writes it, or None if it is none."""
    parts = text.split(":")
    if len(parts) != 6 or not all(re.fullmatch("[0-9a-fA-F]{1,2}", part) for part in parts):
        return None
    return ":".join(f"{int(part, 16):02x}" for part in parts)


def _mac(text: str, _element: str, _attribute: str) -> str:
    found = mac(text)
    if found is None:
        raise xml_error(f"unable to parse mac address '{text}'")
    if int(found[:2], 16) & 1:
        raise xml_error(f"expected unicast mac address, found multicast '{text}'")
    return found


def _port(text: str, _element: str, _attribute: str) -> str:
    value = number(text)
    if value is None:
        raise internal(f"cannot parse vnc port {text}")
    return str(value)


def _bounded(low: int, high: int, what: str, signed: bool = False) -> Kind:
    def kind(text: str, element: str, attribute: str) -> str | None:
        value = number(text)
        if value is None:
            raise refused(text, element, attribute)
        if value == 0 and element != "shares":
            return None
        if not low <= value <= high and not (signed and value < 0):
            raise unsupported(f"Value of cputune '{what or element}' must be in range [{low}, {high}]")
        return str(value)

    return kind


def _printable(most: int, what: str) -> Kind:
    def kind(text: str, _element: str, _attribute: str) -> str:
        if len(text) > most:
            raise unsupported(f"disk {what} is more than {most} characters")
        if not all(32 <= ord(letter) < 127 for letter in text):
            raise unsupported(f"disk {what} is not printable string")
        return text

    return kind


def _wwn(text: str, _element: str, _attribute: str) -> str:
    if not re.fullmatch(r"(?:0x)?[0-9a-fA-F]{16}", text):
        raise VirtError.of(ErrorCode.INTERNAL_ERROR, f"Malformed wwn: {text}")
    return text


def _upper(text: str, _element: str, _attribute: str) -> str:
    found = text.upper()
    if not re.fullmatch(r"[A-Z0-9. ]{1,8}", found):
        raise xml_error(f"Invalid value '{text}' for loadparm")
    return found


def _mode(text: str, element: str, attribute: str) -> str:
    value = number(text, 8)
    if value is None or value > 0o777:
        raise xml_error(f"invalid {attribute}: '{text}'")
    return f"{value:04o}"


KINDS: dict[str, Kind] = {
    "u": _unsigned,
    "i": _integer(-_INT_MAX - 1, _INT_MAX, ". Expected integer value"),
    "U": _integer(0, _LONG_MAX, ". Expected non-negative integer value", 0),
    "positive": _positive,
    "nz": _not_zero,
    "count": _integer(0, _UINT_MAX, ""),
    "weight": _weight,
    "x": _hexadecimal(0),
    "x1": _hexadecimal(1),
    "x2": _hexadecimal(2),
    "x4": _hexadecimal(4),
    "x8": _hexadecimal(8),
    "hex4": _hexadecimal(4),
    "hex8": _integer(0, _LONG_MAX, "", 0, "#010x"),
    "uuid": _uuid,
    "cpuset": _cpuset,
    "mac": _mac,
    "currentmac": lambda *_: None,
    "index": lambda *_: None,
    # libvirt reads the unit of a cache and takes no notice of it.
    "kibibytes": lambda *_: "KiB",
    "bytes": lambda *_: "B",
    "period": _bounded(1000, 1000000, ""),
    "quota": _bounded(1000, 17592186044415, "", True),
    "vendor": _printable(8, "vendor"),
    "product": _printable(16, "product"),
    "wwn": _wwn,
    "upper": _upper,
    "mode": _mode,
    "port": _port,
}


def words(list_: str) -> Kind:
    """The kind whose values are the words of "a|b|~c"; a word after a tilde is taken, and left out."""
    known: dict[str, str | None] = {
        word.removeprefix("~"): None if word.startswith("~") else word for word in list_.split("|")
    }

    def kind(text: str, element: str, attribute: str) -> str | None:
        try:
            return known[text]
        except KeyError:
            raise _unknown(text, element, attribute) from None

    return kind


_NAMED = {
    "virtiomodel": "virtio|virtio-transitional|virtio-non-transitional", "startup": "optional|mandatory|requisite",
    "sourcetype": "file|block|dir|network|volume|nvme|vhostuser|vhostvdpa",
    "chartype": "null|vc|pty|dev|file|pipe|stdio|udp|tcp|unix|spicevmc|spiceport|nmdm|qemu-vdagent|dbus",
    "nettype": "network|bridge|ethernet|vhostuser|vdpa|server|client|mcast|udp|internal|direct|hostdev|user|null|vds",
    "protocol": "nbd|rbd|iscsi|gluster|sheepdog|http|https|ftp|ftps|tftp|vxhs|nfs|ssh",
    "controllertype": "ide|fdc|scsi|sata|virtio-serial|ccid|usb|pci|xenbus|isa|nvme",
    "fstype": "mount|block|file|template|ram|bind|volume",
    "videotype": "default|vga|cirrus|vmvga|xen|vbox|virtio|qxl|parallels|gop|none|bochs|ramfb",
    "timername": "platform|pit|rtc|hpet|tsc|kvmclock|hypervclock|armvtimer",
    "clocktrack": "boot|guest|wall|realtime", "numamode": "strict|preferred|interleave|restrictive",
    "consoletarget": "serial|xen|uml|virtio|lxc|openvz|sclp|sclplm|isa-serial|spapr-vio-serial|usb-serial",
    "yesno": "yes|no", "onoff": "on|off", "action": "destroy|restart|rename-restart|preserve",
    "crash": "destroy|restart|rename-restart|preserve|coredump-destroy|coredump-restart",
}  # fmt: skip


@cache
def kind_of(name: str) -> Kind:
    """The kind that the tables call `name`."""
    return KINDS.get(name) or words(_NAMED.get(name, name))


def scaled(text: str, unit: str, default: str) -> int | None:
    """A size in bytes; None if it is no number. VirtError if the unit is none."""
    factor = UNITS.get((unit or default).lower())
    if factor is None:
        raise VirtError.of(ErrorCode.INVALID_ARG, f"unknown suffix '{unit}'", domain=ErrorDomain.NONE)
    value = number(text)
    return None if value is None or value < 0 or value * factor > _LONG_MAX else value * factor
