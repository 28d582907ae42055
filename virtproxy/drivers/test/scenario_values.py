# SPDX-License-Identifier: LGPL-2.1-or-later
"""Values of a scenario as people write them: names with a number in them, sizes, and what is made up from a seed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from uuid import UUID

from virtproxy.toml.source import Source, Table, shown

COUNT_MAX = 100_000
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(KiB|MiB|GiB|TiB)")
_NUMBER = re.compile(r"\{n(?::0(\d))?\}")
_UNITS = {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20, "TiB": 1 << 30}


def tables(source: Source, top: Table, key: str, keys: tuple[str, ...]) -> Iterator[Table]:
    """Each [[key]] of the scenario, or of a table in it."""
    for place, value in top.items(key):
        yield Table(source, place, value, keys)


def named(table: Table) -> list[tuple[int, str]]:
    """The numbers, from 1, and the names of the objects that a table stands for."""
    count = 1 if "count" not in table else table.number("count")
    pattern = table.text("name")
    if count is None or not 0 < count <= COUNT_MAX:
        table.error("count", f"count must be a number from 1 to {COUNT_MAX}")
        return []
    if not pattern.strip() or not pattern.isprintable() or set(_NUMBER.sub("", pattern)) & set("{}/"):
        table.error("name", f"name must be a name, with {{n}} or {{n:03}} where a number goes, not {shown(pattern)}")
        return []
    names = [(number, _with_number(pattern, number)) for number in range(1, count + 1)]
    if len({name for _, name in names}) < count:
        table.error("name", f"{count} objects need different names: write {{n}} where the number goes")
        return []
    return names


def _with_number(pattern: str, number: int) -> str:
    return _NUMBER.sub(lambda place: str(number).zfill(int(place[1] or 1)), pattern)


def kib(table: Table, key: str, default: int) -> int:
    """A size in KiB, written with its unit."""
    if key not in table:
        return default
    given = table.raw(key)
    match = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        table.error(key, f'{key} must be a size like "512 MiB" or "1.5 GiB", not {shown(given)}')
        return default
    return int(float(match[1]) * _UNITS[match[2]])


def made_up_uuid(seed: int, kind: str, name: str) -> str:
    """The same UUID each time."""
    return str(UUID(bytes=sha256(f"{seed} {kind} {name}".encode()).digest()[:16], version=4))


def made_up_mac(seed: int, name: str, index: int) -> str:
    """The same address each time, of QEMU's range."""
    digest = sha256(f"{seed} mac {name} {index}".encode()).digest()
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in digest[:3])
