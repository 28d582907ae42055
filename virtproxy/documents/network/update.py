# SPDX-License-Identifier: LGPL-2.1-or-later
"""A change to one part of a network: an entry added, changed or taken out without writing the whole anew.

The order of the checks, and their errors, are those that clients know from libvirt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address

from virtproxy.documents.form import Form, arrange, xml_error
from virtproxy.documents.markup import Element
from virtproxy.documents.markup import parse as parse_markup
from virtproxy.documents.network import form
from virtproxy.documents.network.addressing import check_host as check_dhcp_host
from virtproxy.documents.network.addressing import check_range
from virtproxy.documents.network.model import NetworkDocument, complete
from virtproxy.documents.network.names import check_host, check_srv, check_txt
from virtproxy.documents.network.rules import DOMAIN, check_portgroup
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode


class Command(IntEnum):
    """What is to be done; the numbers are the public ones."""

    MODIFY = 1
    DELETE = 2
    ADD_LAST = 3
    ADD_FIRST = 4


# The sections by their public number: those that cannot be changed, by the word for them.
_FIXED = {1: "bridge", 2: "domain", 3: "ip", 6: "forward", 8: "forward pf"}


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of entry.

    `same(old, new)`: both cannot be there together; `meant(old, new)`: `new` is enough to take `old` out by. `fixed` is
    what an error says of entries that cannot be changed.
    """

    form: Form
    where: str
    check: Callable[[Element, Element, str, bool], None]
    same: Callable[[Element, Element], bool]
    meant: Callable[[Element, Element], bool]
    present: Callable[[Element, str], str]
    absent: Callable[[Element, str], str]
    fixed: str = ""


def apply(document: NetworkDocument, command: int, section: int, parent: int, text: str) -> NetworkDocument:
    """The document with one entry changed. `parent`: which `ip` element, -1 for whichever fits. VirtError."""
    kind = _SECTIONS.get(section)
    if kind is None:
        what = f"'{_FIXED[section]}' section of network '{document.name}'" if section in _FIXED else ""
        raise _no(f"can't update {what or 'unrecognized section of network'}")
    entry = _entry(text, kind, document.name)
    changed = document.copy()
    if command not in list(Command):
        raise _no(f"unrecognized network update command code {command}")
    holder = _holder(changed.root, kind, parent, entry, command, document.name)
    kind.check(entry, holder, document.name, command == Command.DELETE)
    _change(holder, Command(command), kind, arrange(entry, kind.form), document.name)
    if kind.form is form.PORTGROUP:
        _check_default(holder, entry, document.name)
    if kind.form is form.INTERFACE and not _named(holder, "interface"):
        holder.attributes.pop("dev", None)
    return complete(changed)


def _entry(text: str, kind: Section, name: str) -> Element:
    try:
        entry = parse_markup(text)
    except VirtError as error:
        error.domain = DOMAIN
        raise
    if entry.name != kind.form.name:
        detail = f"unexpected element <{entry.name}>, expecting <{kind.form.name}>, while updating network '{name}'"
        raise xml_error(detail, DOMAIN)
    return entry


def _holder(root: Element, kind: Section, parent: int, entry: Element, command: int, name: str) -> Element:
    if kind.where == "":
        return root
    if kind.where == "forward":
        # An isolated network forwards nothing, whatever it is told.
        return root.find("forward") or Element("forward")
    if kind.where != "dhcp":
        return root.child(kind.where)
    return _address(root, parent, entry, command, name).child("dhcp")


def _address(root: Element, parent: int, entry: Element, command: int, name: str) -> Element:
    """The `ip` element that the entry belongs to."""
    addresses = _named(root, "ip")
    if parent >= len(addresses):
        detail = f"couldn't update dhcp host entry - no <ip> element found at index {parent} in network '{name}'"
        raise _invalid(detail)
    if parent >= 0:
        return addresses[parent]
    family = _family(entry)
    of_family = [ip for ip in addresses if ip.attributes.get("family", "ipv4") == family]
    with_dhcp = [ip for ip in of_family if ip.find("dhcp") is not None]
    found = with_dhcp or (of_family if command in (Command.ADD_FIRST, Command.ADD_LAST) else [])
    if not found:
        detail = f"couldn't update dhcp host entry - no <ip> element found in network '{name}'"
        raise _invalid(detail)
    return found[0]


def _family(entry: Element) -> str:
    try:
        address = ip_address(entry.attributes.get("ip") or entry.attributes.get("start") or "0.0.0.0")
    except ValueError:
        return "ipv4"
    return f"ipv{address.version}"


def _named(element: Element, name: str) -> list[Element]:
    return [child for child in element.elements if child.name == name]


def _change(holder: Element, command: Command, kind: Section, entry: Element, name: str) -> None:
    matches = kind.meant if command is Command.DELETE else kind.same
    matching = [old for old in _named(holder, kind.form.name) if matches(old, entry)]
    if command is Command.MODIFY and kind.fixed:
        raise _no(f"{kind.fixed} cannot be modified, only added or deleted")
    if command in (Command.MODIFY, Command.DELETE):
        if not matching:
            raise _invalid(kind.absent(entry, name))
        place = holder.children.index(matching[0])
        holder.children[place : place + 1] = [entry] if command is Command.MODIFY else []
    elif matching:
        raise _invalid(kind.present(entry, name))
    elif command is Command.ADD_FIRST:
        holder.children.insert(0, entry)
    else:
        holder.children.append(entry)


def _check_default(root: Element, entry: Element, name: str) -> None:
    defaults = [group for group in _named(root, "portgroup") if group.attributes.get("default") == "yes"]
    if len(defaults) > 1 and entry.attributes.get("default") == "yes":
        detail = f"a different portgroup entry in network '{name}' is already set as the default."
        raise _invalid(f"{detail} Only one default is allowed.")


def _alike(*names: str) -> Callable[[Element, Element], bool]:
    """Entries with the same values of all these attributes."""
    return lambda old, new: all(old.attributes.get(name) == new.attributes.get(name) for name in names)


def _given_alike(*names: str) -> Callable[[Element, Element], bool]:
    """Entries that agree in what the new one says."""
    return lambda old, new: all(
        old.attributes.get(name) == new.attributes[name] for name in names if name in new.attributes
    )


def _same_host(old: Element, new: Element) -> bool:
    """A host has one hardware address, one name and one address: sharing one of them is being the same."""
    mac, other = new.attributes.get("mac"), old.attributes.get("mac")
    if mac is not None and other is not None and mac.lower() == other.lower():
        return True
    return any(name in new.attributes and old.attributes.get(name) == new.attributes[name] for name in ("name", "ip"))


def _same_dns_host(old: Element, new: Element) -> bool:
    if "ip" in new.attributes:
        return old.attributes.get("ip") == new.attributes["ip"]
    return bool({one.text for one in _named(old, "hostname")} & {one.text for one in _named(new, "hostname")})


def _existing(what: str, *names: str, end: str = "/>") -> Callable[[Element, str], str]:
    def text(entry: Element, name: str) -> str:
        shown = " ".join(f"{key}='{entry.attributes.get(key, '(null)')}'" for key in names)
        return f"there is an existing {what} entry in network '{name}' that matches \"<{entry.name} {shown}{end}\""

    return text


def _missing(what: str, *names: str) -> Callable[[Element, str], str]:
    def text(entry: Element, name: str) -> str:
        shown = " ".join(f"{key}='{entry.attributes.get(key)}'" for key in names)
        return f"couldn't find {what} entry in network '{name}' matching <{entry.name} {shown}>"

    return text


def _no(detail: str) -> VirtError:
    return VirtError.of(ErrorCode.OPERATION_UNSUPPORTED, detail, domain=DOMAIN)


def _invalid(detail: str) -> VirtError:
    return VirtError.of(ErrorCode.OPERATION_INVALID, detail, domain=DOMAIN)


def _check_dhcp_host(entry: Element, dhcp: Element, name: str, partial: bool) -> None:
    family = _family(entry)
    check_dhcp_host(entry, Element("ip", {"family": family}), name, partial=partial)


def _lost(what: str, quoted: bool = True) -> Callable[[Element, str], str]:
    return lambda _, name: f"couldn't locate a matching {what} in network " + (f"'{name}'" if quoted else name)


def _check_dhcp_range(entry: Element, _: Element, name: str, __: bool) -> None:
    # Whether it is within the network is not looked at here.
    check_range(entry, Element("ip", {"address": "0.0.0.0"}), name)


def _there(what: str) -> Callable[[Element, str], str]:
    return lambda _, name: f"there is already at least one {what} in network {name}"


def _txt_there(txt: Element, name: str) -> str:
    return f"there is already a DNS TXT record with name '{txt.attributes['name']}' in network {name}"


_ENDS, _DEV, _NAME = _alike("start", "end"), _alike("dev"), _alike("name")
_SRV = _given_alike(*form.SRV.attributes)
_SECTIONS = {
    4: Section(
        form.DHCP_HOST, "dhcp", _check_dhcp_host, _same_host, _given_alike("mac", "name", "ip"),
        _existing("dhcp host", "mac", "name", "ip"), _lost("dhcp host entry"),
    ),
    5: Section(
        form.RANGE, "dhcp", _check_dhcp_range, _ENDS, _ENDS,
        _existing("dhcp range", "start", "end"), _lost("dhcp range entry"), "dhcp ranges",
    ),
    7: Section(
        form.INTERFACE, "forward", lambda *_: None, _DEV, _DEV,
        _existing("interface", "dev", end=">"), _missing("an interface", "dev"), "forward interface entries",
    ),
    9: Section(
        form.PORTGROUP, "", lambda entry, *_: check_portgroup(entry), _NAME, _NAME,
        _existing("portgroup", "name", end=">"), _missing("a portgroup", "name"),
    ),
    10: Section(
        form.DNS_HOST, "dns", lambda entry, _, name, partial: check_host(entry, name, partial=partial),
        _same_dns_host, _same_dns_host,
        _there("DNS HOST record with a matching field"), _lost("DNS HOST record", quoted=False),
    ),
    11: Section(
        form.TXT, "dns", lambda entry, _, name, partial: check_txt(entry, name, partial=partial), _NAME, _NAME,
        _txt_there, _lost("DNS TXT record", quoted=False),
    ),
    12: Section(
        form.SRV, "dns", lambda entry, _, name, partial: check_srv(entry, name, partial=partial), _SRV, _SRV,
        _there("DNS SRV record matching all specified fields"), _lost("DNS SRV record", quoted=False),
        "DNS SRV records",
    ),
}  # fmt: skip
