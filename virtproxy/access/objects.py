# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a call is about: the things that its arguments name, worked out from the declared types.

The access stage asks it for each procedure. A `Ref` is what a client says; which thing that is only its daemon knows
(`routing.directory`). A daemon looks a thing up by `Ref.value` alone: a UUID where the kind has one, whatever name
stands beside it; a volume by the names of its pool and its own, whatever key. Nothing here asks anybody.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from virtproxy.access.rules import rules_of
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.wire.codec import Struct

FAMILY_OF: Mapping[str, Family] = {
    "domain": Family.HYPERVISOR,
    "network": Family.NETWORK,
    "network_port": Family.NETWORK,
    "node_device": Family.NODEDEV,
    "nwfilter": Family.NWFILTER,
    "nwfilter_binding": Family.NWFILTER,
    "secret": Family.SECRET,
    "storage_pool": Family.STORAGE,
    "storage_vol": Family.STORAGE,
    "interface": Family.INTERFACE,
}


@dataclass(frozen=True, slots=True)
class Ref:
    """A thing as a client names it: `by` says what `value` is ("uuid": 16 bytes, "name", "id", "path", ...).

    `within` is the pool of a volume, the network of a port. `called` is the name that stands in the reference beside
    the UUID, which decides nothing and is only repeated in errors.
    """

    kind: str
    by: str
    value: Any
    within: Ref | None = None
    called: str | None = None


_WIRE: Mapping[type, tuple[str, Callable[[Any], Ref]]] = {
    remote.NonnullDomain: ("domain", lambda ref: Ref("domain", "uuid", ref.uuid, called=ref.name)),
    remote.NonnullDomainSnapshot: ("domain", lambda ref: ref_of(ref.dom)),
    remote.NonnullDomainCheckpoint: ("domain", lambda ref: ref_of(ref.dom)),
    remote.NonnullNetwork: ("network", lambda ref: Ref("network", "uuid", ref.uuid, called=ref.name)),
    remote.NonnullNetworkPort: (
        "network_port",
        lambda ref: Ref("network_port", "uuid", ref.uuid, within=ref_of(ref.net)),
    ),
    remote.NonnullNodeDevice: ("node_device", lambda ref: Ref("node_device", "name", ref.name)),
    remote.NonnullNwfilter: ("nwfilter", lambda ref: Ref("nwfilter", "uuid", ref.uuid)),
    remote.NonnullNwfilterBinding: ("nwfilter_binding", lambda ref: Ref("nwfilter_binding", "name", ref.portdev)),
    remote.NonnullSecret: ("secret", lambda ref: Ref("secret", "uuid", ref.uuid)),
    remote.NonnullStoragePool: ("storage_pool", lambda ref: Ref("storage_pool", "uuid", ref.uuid, called=ref.name)),
    remote.NonnullStorageVol: (
        "storage_vol",
        lambda ref: Ref("storage_vol", "name", ref.name, within=Ref("storage_pool", "name", ref.pool)),
    ),
    remote.NonnullInterface: ("interface", lambda ref: Ref("interface", "name", ref.name)),
}


def ref_of(reference: Any) -> Ref:
    """The `Ref` of a reference of the protocol; of a snapshot's or checkpoint's, its guest's. KeyError for others."""
    return _WIRE[type(reference)][1](reference)


def reference_in(value: Any) -> Any:
    """The first reference to a thing in a message or result, however deep it is nested; None if there is none."""
    if type(value) in _WIRE:
        return value
    if not isinstance(value, Struct):
        return None
    fields = (getattr(value, name) for name in type(value).__match_args__)
    return next((found for field in fields if (found := reference_in(field)) is not None), None)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of arguments or of a result that carries references of `kind`: one, or a list."""

    name: str
    kind: str
    many: bool = False
    optional: bool = False


def fields_of(struct: type | None) -> tuple[Field, ...]:
    """The fields of a payload type that carry references."""
    return () if struct is None else _fields_of(struct)


@cache
def _fields_of(struct: Any) -> tuple[Field, ...]:
    hints = get_type_hints(struct, include_extras=True)
    found = (_field(name, hint) for name, hint in hints.items())
    return tuple(field for field in found if field is not None)


def _field(name: str, hint: Any) -> Field | None:
    many = optional = False
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is list:
        many, hint = True, get_args(hint)[0]
    if isinstance(hint, types.UnionType) or type(None) in get_args(hint):
        optional, hint = True, next(part for part in get_args(hint) if part is not type(None))
    known = _WIRE.get(hint) if isinstance(hint, type) else None
    return None if known is None else Field(name, known[0], many, optional)


# Node devices are named by a string. So is what a migration's last step is about.
_BY_NAME: Mapping[str, tuple[str, str]] = {
    "DOMAIN_MIGRATE_FINISH": ("domain", "dname"),
    "DOMAIN_MIGRATE_FINISH2": ("domain", "dname"),
    "DOMAIN_MIGRATE_FINISH3": ("domain", "dname"),
    "DOMAIN_MIGRATE_FINISH3_PARAMS": ("domain", "params"),
}
_DESTINATION_NAME = "destination_name"
# What a new thing's document is called among the arguments.
_DOCUMENTS = ("xml", "xml_desc", "dom_xml")
# Calls about a guest that is saved in a file of the host, and the argument that names the file.
_IN_FILES: Mapping[str, str] = {
    "DOMAIN_RESTORE": "from_",
    "DOMAIN_RESTORE_FLAGS": "from_",
    "DOMAIN_RESTORE_PARAMS": "params",
    "DOMAIN_SAVE_IMAGE_GET_XML_DESC": "file",
    "DOMAIN_SAVE_IMAGE_DEFINE_XML": "file",
}
_LOOKUPS: Mapping[str, tuple[str, str]] = {
    "DOMAIN_LOOKUP_BY_ID": ("id", "id"),
    "DOMAIN_LOOKUP_BY_NAME": ("name", "name"),
    "DOMAIN_LOOKUP_BY_UUID": ("uuid", "uuid"),
    "NETWORK_LOOKUP_BY_NAME": ("name", "name"),
    "NETWORK_LOOKUP_BY_UUID": ("uuid", "uuid"),
    "NETWORK_PORT_LOOKUP_BY_UUID": ("uuid", "uuid"),
    "NODE_DEVICE_LOOKUP_BY_NAME": ("name", "name"),
    "NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN": ("wwn", "wwpn"),
    "SECRET_LOOKUP_BY_UUID": ("uuid", "uuid"),
    "SECRET_LOOKUP_BY_USAGE": ("usage", "usage_id"),
    "STORAGE_POOL_LOOKUP_BY_NAME": ("name", "name"),
    "STORAGE_POOL_LOOKUP_BY_UUID": ("uuid", "uuid"),
    "STORAGE_POOL_LOOKUP_BY_TARGET_PATH": ("path", "path"),
    "STORAGE_POOL_LOOKUP_BY_VOLUME": ("name", "vol"),
    "STORAGE_VOL_LOOKUP_BY_NAME": ("name", "name"),
    "STORAGE_VOL_LOOKUP_BY_KEY": ("key", "key"),
    "STORAGE_VOL_LOOKUP_BY_PATH": ("path", "path"),
    "INTERFACE_LOOKUP_BY_NAME": ("name", "name"),
    "INTERFACE_LOOKUP_BY_MAC_STRING": ("mac", "mac"),
    "NWFILTER_LOOKUP_BY_NAME": ("name", "name"),
    "NWFILTER_LOOKUP_BY_UUID": ("uuid", "uuid"),
    "NWFILTER_BINDING_LOOKUP_BY_PORT_DEV": ("name", "name"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What the calls of one procedure are about.

    `fields`: arguments that refer to things. `name`: (kind, argument) of a thing that is named by a string. `lookup`:
    what the answer names is looked up (by what, and the argument that says it); `kind` is what is looked up or made.
    `made`: the argument with the document of a thing to be made, or None where `makes` but no document says what.
    `file`: the argument that names a saved guest.
    """

    fields: tuple[Field, ...] = ()
    name: tuple[str, str] | None = None
    lookup: tuple[str, str] | None = None
    kind: str | None = None
    makes: bool = False
    made: str | None = None
    file: str | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of things that must be there for a call to do anything."""
        named = {field.kind for field in self.fields if not field.optional}
        named |= {"storage_pool" for field in self.fields if field.kind == "storage_vol"}
        named |= {"network" for field in self.fields if field.kind == "network_port"}
        return frozenset(named | ({self.name[0]} if self.name else set()))

    def refs(self, args: Any) -> list[Ref]:
        """The things that must be there, as the client names them."""
        found: list[Ref] = []
        for field in self.fields:
            value = getattr(args, field.name)
            if not field.many and not field.optional:
                found.append(ref_of(value))
        if self.name is not None:
            kind, argument = self.name
            found.append(Ref(kind, "name", text_of(getattr(args, argument), _DESTINATION_NAME)))
        return found

    def looked_up(self, args: Any) -> Ref:
        """What a lookup asks for."""
        assert self.lookup is not None and self.kind is not None
        by, argument = self.lookup
        value = getattr(args, argument)
        if argument == "vol":
            return Ref("storage_pool", "name", value.pool)
        return Ref(self.kind, by, value, within=next(iter(self.refs(args)), None))


def text_of(value: Any, parameter: str) -> str:
    """An argument that is a string, or the string among typed parameters that has this name; "" if there is none."""
    if isinstance(value, list):
        value = next((str(item.value.value) for item in value if item.field == parameter), "")
    return value or ""


@cache
def about(procedure: Procedure[Any, Any]) -> About:
    """What calls of `procedure` are about."""
    lookup = _LOOKUPS.get(procedure.name)
    fields = () if lookup == ("name", "vol") else fields_of(procedure.args)
    rules = [rule for rule in rules_of(procedure.acl) if rule.kind != "connect"]
    kind = rules[0].kind if rules else None
    if lookup is not None:
        return About(fields, lookup=lookup, kind=kind)
    name = _BY_NAME.get(procedure.name)
    if name is None and kind == "node_device" and procedure.args is not None and hasattr(procedure.args, "name"):
        name = ("node_device", "name")
    if procedure.name in _IN_FILES:
        return About(fields, kind=kind, file=_IN_FILES[procedure.name])
    makes = kind is not None and name is None and kind not in {field.kind for field in fields}
    makes = makes or procedure is remote.STORAGE_VOL_CREATE_XML_FROM
    return About(fields, name, kind=kind, makes=makes, made=_document(procedure) if makes else None)


def _document(procedure: Procedure[Any, Any]) -> str | None:
    named = procedure.args.__annotations__ if procedure.args is not None else {}
    return next((name for name in _DOCUMENTS if name in named), "params" if "params" in named else None)
