# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of a call's arguments an audit line has: the objects it is about, numbers, and texts that are named here.

The stage asks for each recorded call; ``virtproxy.protocol``'s declarations say what the arguments are. Everything
that is not named as safe here is a secret and only its size is written: a procedure of tomorrow is masked until
somebody says otherwise. ``secrets`` of a description are what must not come back in an error's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from virtproxy.access.audit import documents
from virtproxy.access.audit.text import digits_of, members_of, short, without_password
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.plan import Array, Member, Node, Opaque, Optional, Record, Text, plan_of
from virtproxy.wire.xdr import Number

# Arguments that are XML documents, whatever procedure has them.
DOCUMENTS = frozenset(
    {
        "backup_xml", "checkpoint_xml", "destxml", "dom_xml", "domain_xml", "dxml", "src_spec", "xml", "xml_cpu",
        "xml_desc", "xmlin",
    }
)  # fmt: skip
# Texts that may be read by whoever reads the log: names, paths, kinds, URIs (without their passwords).
SAFE_TEXTS = frozenset(
    {
        "alias", "arch", "base", "cap", "cpumap", "dconnuri", "dev", "dev_name", "device", "disk", "dname",
        "driver_name", "emulator", "emulatorbin", "event", "file", "from_", "group", "mac", "machine", "mech",
        "mount_point", "name", "native_format", "new_name", "path", "to", "top", "type", "uri", "uri_in", "usage_id",
        "user", "virttype", "wwnn", "wwpn",
    }
)  # fmt: skip
# Numbers that spell something: what is typed into a guest may be a password.
SECRET_NUMBERS = frozenset({"keycodes"})
# Typed parameters that are text and may be read; of the others the size is.
SAFE_PARAMS = frozenset(
    {
        "destination_name", "migrate_uri", "graphics_uri", "listen_address", "migrate_disks", "disks_uri",
        "tls.destination", "compression", "bandwidth.unit", "user-name", "group-name", "sasl-user-name",
        "x509-distinguished-name", "selinux-context", "device_weight", "device_read_iops_sec", "numa_nodeset",
        "device_write_iops_sec", "device_read_bytes_sec", "device_write_bytes_sec", "group_name", "vcpus", "cpus",
    }
)  # fmt: skip
DOCUMENT_PARAMS = frozenset({"destination_xml", "persistent_xml"})
# Orders to a monitor or an agent: their name is recorded, nothing else of them.
COMMANDS = frozenset({"cmd"})
_ITEMS_MAX = 64

# What a reference in the arguments is about, in the words of libvirt's access rules where they have one.
KINDS = {
    "NonnullDomain": "domain",
    "NonnullDomainCheckpoint": "domain_checkpoint",
    "NonnullDomainSnapshot": "domain_snapshot",
    "NonnullInterface": "interface",
    "NonnullNetwork": "network",
    "NonnullNetworkPort": "network_port",
    "NonnullNodeDevice": "node_device",
    "NonnullNwfilter": "nwfilter",
    "NonnullNwfilterBinding": "nwfilter_binding",
    "NonnullSecret": "secret",
    "NonnullStoragePool": "storage_pool",
    "NonnullStorageVol": "storage_vol",
}
_ROOTS = {"pool": "storage_pool", "volume": "storage_vol", "device": "node_device", "filter": "nwfilter"}
_BY_NAME_OR_UUID = re.compile(r"(.+)_LOOKUP_BY_(NAME|UUID)")
_COMMAND = re.compile(r'\s*\{.{0,200}?"execute"\s*:\s*"([\w-]{1,64})"|\s*([A-Za-z_][\w-]{0,63})', re.DOTALL)
_TOKEN = re.compile(r"[^\s\"',:{}\[\]=]{3,}")


@dataclass(slots=True)
class Description:
    """The call in JSON: `objects` and `args` are members' texts, `secrets` what an error must not repeat."""

    objects: list[str] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    whole: bool = False

    def members(self) -> tuple[str, str]:
        """The members `objects` and `args`, each with a comma after it, or empty."""
        about = f'"objects":[{",".join(self.objects)}],' if self.objects else ""
        return about, f'"args":{{{",".join(self.args)}}},' if self.args else ""

    def text(self) -> str:
        """Both."""
        return "".join(self.members())


Describe = Callable[[Description, Any], None]


def described(procedure: Procedure[Any, Any], args: Any, *, whole: bool = False) -> Description:
    """Return what a line says about a call with these decoded arguments."""
    description = Description(whole=whole)
    for name, describe in _recipe(procedure):
        value = getattr(args, name)
        if value is not None:
            describe(description, value)
    return description


@cache
def has_secrets(procedure: Procedure[Any, Any]) -> bool:
    """Whether the arguments may hold secrets: nothing of such a call may be kept."""
    return any(getattr(describe, "secret", True) for _, describe in _recipe(procedure))


@cache
def _recipe(procedure: Procedure[Any, Any]) -> tuple[tuple[str, Describe], ...]:
    if procedure.args is None:
        return ()
    lookup = _BY_NAME_OR_UUID.fullmatch(procedure.name)
    kind = "" if lookup is None else lookup[1].lower()
    args: type[Any] = procedure.args
    plan = plan_of(args)  # type: ignore[arg-type]  # a class is hashable
    assert isinstance(plan, Record)
    return tuple((name, _describe(name, node, kind)) for name, node in plan.fields)


def _describe(name: str, node: Node, lookup: str) -> Describe:
    """How one argument is written."""
    if isinstance(node, Optional):
        return _describe(name, node.item, lookup)
    if isinstance(node, Record) and node.cls.__name__ in KINDS:
        return _plain(lambda description, value: description.objects.extend(references(value)))
    if isinstance(node, Number | Member):
        label = f'"{name}":'
        return _plain(lambda description, value: description.args.append(label + _number(value)))
    if isinstance(node, Text):
        return _text(name, lookup)
    if name == "uuid" and isinstance(node, Opaque):
        shown = '{{"kind":"{}","uuid":"{}"}}'
        return _plain(lambda description, value: description.objects.append(shown.format(lookup, digits_of(value))))
    if isinstance(node, Array):
        return _array(name, node)
    return _secret(name, "bytes")


def _plain(describe: Describe) -> Describe:
    """Mark what holds no secret."""
    describe.secret = False  # type: ignore[attr-defined]  # read by has_secrets
    return describe


def _number(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else repr(getattr(value, "value", value))


def _text(name: str, lookup: str) -> Describe:
    if name in DOCUMENTS:
        return lambda description, value: _document(description, name, value)
    if name in COMMANDS:
        return lambda description, value: _command(description, name, value)
    if name not in SAFE_TEXTS:
        return _secret(name, "characters")
    if lookup and name == "name":
        shown = f'{{"kind":"{lookup}","name":'
        return _plain(lambda description, value: description.objects.append(f"{shown}{short(value)}}}"))
    label = f'"{name.rstrip("_")}":'
    return _plain(lambda description, value: description.args.append(label + short(without_password(value))))


def _secret(name: str, unit: str) -> Describe:
    def describe(description: Description, value: Any) -> None:
        description.args.append(f'"{name}":{{"{unit}":{len(value)}}}')
        if isinstance(value, str):
            description.secrets.append(value)

    return describe


def _document(description: Description, name: str, text: str) -> None:
    shown, found = documents.described(text, whole=description.whole)
    description.args.append(f'"{name}":{shown}')
    if found is None:
        # What cannot be read cannot be masked: no error may quote it.
        description.secrets.extend(_TOKEN.findall(text[:65536]))
        return
    description.secrets.extend(found.secrets)
    if found.name is not None or found.uuid is not None:
        kind = _ROOTS.get(found.root, found.root)
        description.objects.append(f"{{{members_of((('kind', kind), ('name', found.name), ('uuid', found.uuid)))}}}")


def command_of(text: str) -> str | None:
    """The name of an order to a monitor or an agent, without its arguments; None if it has none."""
    found = _COMMAND.match(text)
    return (found[1] or found[2]) if found is not None else None


def _command(description: Description, name: str, text: str) -> None:
    command = command_of(text)
    description.args.append(f'"{name}":{{{members_of((("command", command), ("characters", len(text))))}}}')
    description.secrets.extend(token for token in _TOKEN.findall(text) if token not in f"{command} execute")


def _array(name: str, node: Array) -> Describe:
    if isinstance(node.item, Record) and node.item.cls.__name__ in KINDS:
        return _plain(lambda description, value: _objects(description, value))
    if isinstance(node.item, Record) and node.item.cls.__name__ == "TypedParam":
        return lambda description, value: _params(description, name, value)
    if isinstance(node.item, Text) and name == "xml_cpus":
        return lambda description, value: _document_list(description, name, value)
    if isinstance(node.item, Text | Number) and name not in SECRET_NUMBERS and name != "keys":
        return _plain(lambda description, value: description.args.append(f'"{name}":{{"items":{len(value)}}}'))
    return _secret(name, "items")


def _objects(description: Description, values: list[Any]) -> None:
    for value in values[:_ITEMS_MAX]:
        description.objects.extend(references(value))
    if len(values) > _ITEMS_MAX:
        description.args.append(f'"objects_not_listed":{len(values) - _ITEMS_MAX}')


def _document_list(description: Description, name: str, texts: list[str]) -> None:
    for place, text in enumerate(texts[:_ITEMS_MAX]):
        _document(description, f"{name}.{place}", text)


def _params(description: Description, name: str, params: list[Any]) -> None:
    shown = [_param(description, param.field, param.value.value) for param in params[:_ITEMS_MAX]]
    description.args.append(f'"{name}":{{{",".join(shown)}}}')
    for param in params[_ITEMS_MAX:]:
        if isinstance(param.value.value, str):
            description.secrets.append(param.value.value)


def _param(description: Description, name: str, value: int | float | str) -> str:
    label = f"{short(name)}:"
    if not isinstance(value, str):
        return label + (_number(value) if value == value and abs(value) != float("inf") else "null")
    if name in DOCUMENT_PARAMS:
        shown, found = documents.described(value, whole=description.whole)
        description.secrets.extend(found.secrets if found is not None else _TOKEN.findall(value[:65536]))
        return label + shown
    if name in SAFE_PARAMS:
        return label + short(without_password(value))
    description.secrets.append(value)
    return f'{label}{{"characters":{len(value)}}}'


def references(value: Any) -> list[str]:
    """The objects that a reference names, the one it lies in first, as JSON objects."""
    kind = KINDS[type(value).__name__]
    outer = getattr(value, "dom", None) or getattr(value, "net", None)
    before = [] if outer is None else references(outer)
    uuid = getattr(value, "uuid", None)
    pairs = (
        ("kind", kind),
        ("name", getattr(value, "name", None) or getattr(value, "portdev", None)),
        ("uuid", None if uuid is None else digits_of(uuid)),
        ("pool", getattr(value, "pool", None)),
        ("key", getattr(value, "key", None)),
    )
    return [*before, f"{{{members_of(pairs)}}}"]


def scrubbed(message: str, secrets: list[str]) -> str:
    """The first line of an error's message, without the secrets: libvirt quotes documents in the lines below."""
    line = message.partition("\n")[0]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if secret in line:
            line = line.replace(secret, documents.MASK)
    return line
