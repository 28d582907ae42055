# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decoded arguments, results and events without their secrets: a value of the same type, which can be sent or shown.

``virtproxy trace`` asks for every packet. The rule is the audit's: what is not named as safe is a secret, so that a
procedure of tomorrow is masked until somebody says otherwise. Names are those of the declarations. Texts become MASK,
bytes become zeros of the same number; in documents only what is secret in them.
"""

from __future__ import annotations

import re
from typing import Any

from virtproxy.access.audit import documents
from virtproxy.access.audit.arguments import (
    COMMANDS,
    DOCUMENT_PARAMS,
    DOCUMENTS,
    SAFE_PARAMS,
    SAFE_TEXTS,
    SECRET_NUMBERS,
    command_of,
)
from virtproxy.access.audit.text import without_password
from virtproxy.wire.codec import Struct
from virtproxy.wire.plan import Array, Node, Opaque, Optional, Record, Text, plan_of
from virtproxy.wire.xdr import Chars

MASK = documents.MASK
# What results and events have beside the arguments' names: documents, and texts that may be read.
_DOCUMENTS = DOCUMENTS | {"capabilities", "cpu", "sysinfo", "xml_cpus"}
_TEXTS = SAFE_TEXTS | {
    "addr", "auth_scheme", "clientid", "dev_alias", "dev_aliases", "dst", "field", "filtername", "fstype", "hostname",
    "hwaddr", "iaid", "iface", "ipaddr", "key", "mechlist", "mime", "models", "mountpoint", "mountpoints", "names",
    "new_mac", "new_src_path", "node", "nsuri", "old_mac", "old_src_path", "parent_name", "pool", "portdev", "reason",
    "service", "src_path", "uri_out", "uuids",
}  # fmt: skip
_BYTES = frozenset({"cpumap", "cpumaps", "doi", "label", "model", "uuid"})
# Results' parameters are figures of guests and hosts whose names are paths of words: net.0.name, block.1.path.
_FIGURE = re.compile(r"(?:[a-z-]+\.)+\d*\.?(?:name|path|type|fstype|mountpoint|hostname|id|alias)|os\.[a-z-]+")
_TOKEN = re.compile(r"[^\s\"',:{}\[\]=<>/]{3,}")


def masked(value: Struct, secrets: list[str]) -> Any:
    """Return the value without its secrets; the texts that were masked are added to ``secrets``."""
    return _masked(plan_of(type(value)), "", value, secrets)


def scrubbed(text: str, secrets: list[str]) -> str:
    """Return the first line of an error's text, below which libvirt quotes, without the secrets of its call."""
    line = without_password(text.partition("\n")[0])
    for secret in sorted({secret for secret in secrets if len(secret) > 1}, key=len, reverse=True):
        line = line.replace(secret, MASK)
    return line


def _masked(node: Node, name: str, value: Any, secrets: list[str]) -> Any:
    if isinstance(node, Optional):
        return None if value is None else _masked(node.item, name, value, secrets)
    if isinstance(node, Text):
        return _text(name, value, secrets)
    if isinstance(node, Opaque | Chars):
        return value if name in _BYTES else bytes(len(value))
    if isinstance(node, Array):
        if name in SECRET_NUMBERS:
            return [0] * len(value)
        return [_masked(node.item, name, item, secrets) for item in value]
    if isinstance(node, Record):
        if node.cls.__name__ == "TypedParam":
            return _param(value, secrets)
        return type(value)(*(_masked(item, field, getattr(value, field), secrets) for field, item in node.fields))
    return value


def _text(name: str, text: str, secrets: list[str]) -> str:
    if name in _DOCUMENTS:
        return _document(text, secrets)
    if name in _TEXTS:
        return without_password(text)
    secrets.append(text)
    if name in COMMANDS:
        secrets.extend(_TOKEN.findall(text))
        return f"{command_of(text) or ''} {MASK}".lstrip()
    return MASK


def _document(text: str, secrets: list[str]) -> str:
    found = documents.read(text)
    if found is None:
        # What cannot be read cannot be masked.
        secrets.extend(_TOKEN.findall(text[:65536]))
        return MASK
    secrets.extend(found.secrets)
    return text if not found.secrets and without_password(text) == text else found.masked


def _param(param: Any, secrets: list[str]) -> Any:
    value = param.value.value
    if not isinstance(value, str):
        return param
    if param.field in DOCUMENT_PARAMS:
        shown = _document(value, secrets)
    elif param.field in SAFE_PARAMS or _FIGURE.fullmatch(param.field):
        shown = without_password(value)
    else:
        secrets.append(value)
        shown = MASK
    return type(param)(param.field, type(param.value)(param.value.type, shown))
