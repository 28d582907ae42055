# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random values of any declared type, for property tests.

Made from the plan of a type, so a new declaration is tested as soon as it exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

from virtproxy.protocol import admin, lxc, net, qemu, remote
from virtproxy.wire.plan import Array, Choice, Member, Node, Opaque, Optional, Record, Text, plan_of
from virtproxy.wire.value import Struct, Union
from virtproxy.wire.xdr import Chars, Length, Max, Number

RANGES = {"i": (-(2**31), 2**31 - 1), "I": (0, 2**32 - 1), "q": (-(2**63), 2**63 - 1), "Q": (0, 2**64 - 1)}
FEW = 3
SHORT = 9
# Text as clients send it, and bytes that are no UTF-8, which must survive.
TEXT = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=SHORT) | st.binary(
    max_size=SHORT
).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


def declared_types(*modules: ModuleType) -> Iterator[type[Struct]]:
    """Every struct and union of these modules (of all programs by default), each once, in order of name."""
    found: set[type[Struct]] = set()
    for module in modules or (remote, qemu, lxc, admin, net):
        found |= {thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Struct)}
    yield from sorted(found - {Struct, Union}, key=lambda cls: (cls.__module__, cls.__name__))


def values_of(cls: type[Struct]) -> st.SearchStrategy[Any]:
    """Values of a declared type."""
    return _values(plan_of(cls))


def _values(node: Node) -> st.SearchStrategy[Any]:
    match node:
        case Number("d"):
            return st.floats(allow_nan=False)
        case Number():
            low, high = RANGES[node.code]
            return st.integers(low if node.low is None else node.low, high if node.high is None else node.high)
        case Text():
            return TEXT
        case Opaque():
            return _bytes(node.limit)
        case Chars():
            return _bytes(node.limit)
        case Member():
            return st.sampled_from(list(node.enum))
        case Optional():
            return st.none() | _values(node.item)
        case Array(item, Length(size)):
            return st.lists(_values(item), min_size=size, max_size=size)
        case Array(item, Max(size)):
            return st.lists(_values(item), max_size=min(size, FEW))
        case Record():
            return st.tuples(*(_values(item) for _, item in node.fields)).map(lambda fields: node.cls(*fields))
        case Choice():
            make: Any = node.cls
            arms = [st.tuples(st.just(tag), _values(item)) for tag, _, item in node.arms]
            return st.one_of(arms).map(lambda pair: make(*pair))
    raise TypeError(f"no values for {node}")


def _bytes(limit: Max | Length) -> st.SearchStrategy[bytes]:
    if isinstance(limit, Length):
        return st.binary(min_size=limit.size, max_size=limit.size)
    return st.binary(max_size=min(limit.size, SHORT))


def least(cls: type[Struct], **given: Any) -> Any:
    """The smallest value of a declared type that can be sent: zeros, empty texts and lists; some fields given."""
    plan = plan_of(cls)
    assert isinstance(plan, Record)
    return cls(*(given[name] if name in given else _least(item) for name, item in plan.fields))


def _least(node: Node) -> Any:
    match node:
        case Number():
            return 0
        case Text():
            return ""
        case Opaque() | Chars():
            return bytes(node.limit.size) if isinstance(node.limit, Length) else b""
        case Member():
            return next(iter(node.enum))
        case Optional():
            return None
        case Array(item, limit):
            return [_least(item)] * limit.size if isinstance(limit, Length) else []
        case Record():
            return node.cls(*(_least(item) for _, item in node.fields))
        case Choice():
            make: Any = node.cls
            tag, _, item = node.arms[0]
            return make(tag, _least(item))
    raise TypeError(f"no least value for {node}")
