# SPDX-License-Identifier: LGPL-2.1-or-later
"""The caller and the thing that `virtproxy policy explain` is asked about, made of what stands on the command line."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from virtproxy.access.decision import Thing
from virtproxy.access.policy.permissions import KINDS
from virtproxy.access.policy.who import Groups, owner_key
from virtproxy.cli.output import CommandError
from virtproxy.identity import Identity

# As the names of drivers are in libvirt's access rules; the others' are their schemes.
_DRIVERS = {"qemu": "QEMU", "lxc": "LXC", "xen": "xenlight", "vbox": "VBOX", "test": "Test", "ch": "CH"}
# Whose daemon has things of a kind; guests and the connection are the hypervisor's.
_SECONDARY = {
    "network": "network", "network_port": "network", "storage_pool": "storage", "storage_vol": "storage",
    "secret": "secret", "nwfilter": "nwfilter", "nwfilter_binding": "nwfilter", "node_device": "nodedev",
    "interface": "interface",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity, and the groups it is to be in besides those of its user."""

    identity: Identity
    groups: frozenset[str]

    def groups_of(self, identity: Identity) -> frozenset[str]:
        """The groups of the identity's user on this host, and the ones that were given."""
        return self.groups | Groups()(identity)


def _user(value: str) -> dict[str, Any]:
    try:
        return {"user_name": value, "uid": pwd.getpwnam(value).pw_uid}
    except KeyError:
        return {"user_name": value}


def _uid(value: str) -> dict[str, Any]:
    if not value.isdecimal() or len(value) > 10:
        raise CommandError(f'"uid:{value}" is no number of a user')
    try:
        return {"uid": int(value), "user_name": pwd.getpwuid(int(value)).pw_name}
    except (KeyError, OverflowError):
        return {"uid": int(value)}


_FACTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "unix": _user,
    "user": _user,
    "uid": _uid,
    "sasl": lambda value: {"sasl_user": value, "transport": "tcp"},
    "x509": lambda value: {"x509_dname": value, "transport": "tls"},
    "san": lambda value: {"x509_sans": (value,), "transport": "tls"},
}
KINDS_OF_SUBJECTS = (*_FACTS, "group", "realm", "anonymous")


def caller(subjects: Sequence[str], **given: Any) -> Caller:
    """The caller of one or more `--as KIND:VALUE`, and of further facts that are not None. CommandError if wrong."""
    facts: dict[str, Any] = {}
    groups = set()
    for text in subjects:
        kind, _, value = text.partition(":")
        if kind == "group" and value:
            groups.add(value)
        elif kind == "realm" and value:
            facts |= {"sasl_user": f"somebody@{value}", "sasl_mechanism": "GSSAPI", "transport": "tcp"}
        elif kind in _FACTS and value:
            facts |= _FACTS[kind](value)
        elif text != "anonymous":
            raise CommandError(f'"{text}" names nobody: write KIND:VALUE with one of {", ".join(KINDS_OF_SUBJECTS)}')
    facts |= {key: value for key, value in given.items() if value is not None}
    return Caller(Identity(**facts), frozenset(groups))


def thing(kind: str, name: str | None, uri: str, uuid: str | None, owner: str | None) -> Thing:
    """The thing of a kind; a volume's name is written "POOL/NAME"."""
    parts = urlsplit(uri)
    scheme = _SECONDARY.get(kind, parts.scheme.partition("+")[0])
    place = f"{scheme}://{parts.path if len(parts.path) > 1 else '/system'}"
    details = []
    if kind == "storage_vol" and name is not None and "/" in name:
        pool, _, name = name.partition("/")
        details.append(("pool_name", pool))
    made = Thing(kind, _DRIVERS.get(scheme, scheme), place, details=tuple(details))
    return made if kind == "connect" else replace(made, name=name, uuid=uuid, owner=owner)


def kind_and_name(text: str) -> tuple[str | None, str]:
    """The kind and the name of "domain:web1"; no kind where none of ours stands in front."""
    kind, colon, name = text.partition(":")
    return (kind, name) if colon and kind in KINDS else (None, text)


def owner_of(identity: Identity, text: str | None) -> str | None:
    """The owner that `--owner` names; "self" is the caller."""
    return owner_key(identity) if text == "self" else text
