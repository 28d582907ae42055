# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the name of a backing store to claims: a path, an address on the network, or QEMU's "json:" description.

The text comes from an image's header or a volume's document. What is not understood is of kind "unknown".
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.network_disks import PORTS
from virtproxy.access.claims.paths import lexical

# As QEMU sees it: whatever stands before a colon, if no slash comes first.
_SCHEME = re.compile(r"([^/:]*):")
# QEMU's drivers that open a file, and those that only interpret another node.
_FILES = {"file", "host_device", "host_cdrom"}
_FORMATS = {"raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vpc", "vhdx", "luks", "parallels", "bochs", "dmg", "cloop"}
_ADDRESS = {"host", "port", "path", "export", "url", "pool", "image", "target", "volume", "server", "lun"}
_DEPTH_MAX = 16
_NESTED_MAX = 200


def backing_claims(name: str, directory: str, where: str) -> Iterator[Claim]:
    """Yield the claims of `name`; a relative path is one below `directory`, that of the image which names it."""
    scheme = _SCHEME.match(name)
    if scheme is None:
        path = name if name.startswith("/") or not directory else posixpath.join(directory, name)
        yield Claim("file", lexical(path), name, where)
    elif name.startswith("json:"):
        yield from _json(name, where)
    elif scheme[1] == "file":
        path = name.removeprefix("file:")
        path = "/" + path.lstrip("/") if path.startswith("//") else path
        yield from backing_claims(path if path.startswith("/") else f"./{path}", directory, where)
    else:
        yield from _network(name, scheme[1], where)


def _network(name: str, scheme: str, where: str) -> Iterator[Claim]:
    if name.startswith(f"{scheme}://"):
        yield from _url(name, where)
    elif scheme == "nbd" and (match := re.fullmatch(r"nbd:([A-Za-z0-9.\[\]-]+):([0-9]+)(?::exportname=(.*))?", name)):
        yield Claim("network_disk", f"nbd:{match[1]}:{match[2]}/{match[3] or ''}", name, where)
    elif scheme == "nbd" and (match := re.fullmatch(r"nbd:unix:([^:]+)(?::exportname=(.*))?", name)):
        yield Claim("unix_socket", lexical(match[1]), name, where)
        yield Claim("network_disk", f"nbd:unix/{match[2] or ''}", name, where)
    elif scheme == "rbd" and (match := re.fullmatch(r"rbd:([^:@\\]+)", name)):
        yield Claim("network_disk", f"rbd:{match[1]}", name, where)
    else:
        yield _unknown(name, where)


def _url(name: str, where: str) -> Iterator[Claim]:
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError:
        yield _unknown(name, where)
        return
    scheme, _, transport = parts.scheme.partition("+")
    path = parts.path.lstrip("/")
    if transport == "unix" or not host or ".." in path.split("/") or re.search(r"[^A-Za-z0-9.:%-]", host):
        yield _unknown(name, where)
        return
    told = f"{scheme}:{host}:{port or PORTS.get(scheme, '')}/{path}"
    yield Claim("network_disk", told + (f"?{parts.query}" if parts.query else ""), name, where)


def _json(name: str, where: str) -> Iterator[Claim]:
    try:
        described = json.loads(name.removeprefix("json:"), object_pairs_hook=_once)
        options = dict(_flat(described, "", 0))
    except (ValueError, RecursionError):
        yield _unknown(name, where)
        return
    found = list(_described(options, name, where))
    yield from found or [_unknown(name, where)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _flat(value: Any, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEPTH_MAX:
        raise ValueError("nested too deeply")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value[:_NESTED_MAX]):
            yield from _flat(inner, f"{key}.{index}", depth + 1)
    else:
        yield key, str(value)


def _described(options: Mapping[str, str], name: str, where: str) -> Iterator[Claim]:
    drivers = {value for key, value in options.items() if key.rpartition(".")[2] == "driver"}
    others = sorted(drivers - _FILES - _FORMATS)
    if len(others) > 1 or _ambiguous(options):
        yield _unknown(name, where)
    for driver in others:
        yield Claim("network_disk", _addressed(driver, options), name, where)
    for key, value in options.items():
        last = key.rpartition(".")[2]
        if last == "filename":
            if _SCHEME.match(value):
                yield from (
                    backing_claims(value, "", where) if not value.startswith("json:") else [_unknown(name, where)]
                )
            else:
                yield Claim("file", lexical(value), name, where)
        elif value.startswith("/") and last not in ("export", "image", "url", "path", "file"):
            yield Claim("host_file", lexical(value), name, where)
        elif value.startswith("/") and last == "path":
            yield Claim("unix_socket", lexical(value), name, where)


def _ambiguous(options: Mapping[str, str]) -> bool:
    """Whether an address could be put together in more than one way."""
    seen: dict[str, str] = {}
    parts = ((key.rpartition(".")[2], value) for key, value in options.items())
    return any(seen.setdefault(last, value) != value for last, value in parts if last in _ADDRESS)


def _addressed(driver: str, options: Mapping[str, str]) -> str:
    """The address of a disk on the network, as a document's would be written."""
    by_name = {key.rpartition(".")[2]: value for key, value in options.items()}
    if "url" in by_name:
        found = [claim.value for claim in _url(by_name["url"], "") if claim.kind == "network_disk"]
        return found[0] if found else f"{driver}:{by_name['url']}"
    if driver == "rbd":
        return f"rbd:{by_name.get('pool', '')}/{by_name.get('image', '')}"
    host, port = by_name.get("host", ""), by_name.get("port", PORTS.get(driver, ""))
    told = by_name.get("export") or by_name.get("path") or by_name.get("target") or by_name.get("image") or ""
    return f"{driver}:{host}:{port}/{told.lstrip('/')}"


def _unknown(name: str, where: str) -> Claim:
    return Claim("unknown", f"backing store {name}"[:300], "", where)
