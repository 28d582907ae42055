# SPDX-License-Identifier: LGPL-2.1-or-later
"""Struct and Union: what a declared type is in Python.

Every type in ``protocol`` derives from one of them; ``codec`` turns their values into bytes and back. A value is a
tuple with names: frozen, small, quick to make and to take apart, which is why a thousand decoded records cost
little. The classes stay cheap to create (there are about nine hundred): a constructor is only made when it is first
called.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from virtproxy.wire.source import function

if TYPE_CHECKING:
    _Row = object
else:
    _Row = tuple

_GETTERS = [property(itemgetter(index)) for index in range(64)]


@dataclass_transform(frozen_default=True)
class StructMeta(type):
    """Makes each annotation of a class body a field, in order."""

    def __new__(mcls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> StructMeta:
        """Create the class; ``__match_args__`` holds its field names. TypeError if it would have none."""
        fields = [field for field, hint in body.get("__annotations__", {}).items() if not hint.startswith("ClassVar")]
        if not fields and body["__module__"] != __name__:
            raise TypeError(f"{name} has no fields: its module needs the future import of annotations")
        body["__slots__"] = ()
        body["__match_args__"] = tuple(fields)
        body.update(zip(fields, _GETTERS[: len(fields)], strict=True))
        return super().__new__(mcls, name, bases, body)


class Struct(_Row, metaclass=StructMeta):
    """A wire struct.

    Fields are given to the constructor in order or by name; encoding checks their types and limits.
    """

    if not TYPE_CHECKING:

        def __new__(cls, *args, **kwargs):
            """Make this class's own constructor, then use it."""
            cls.__new__ = _constructor(cls)
            return cls.__new__(cls, *args, **kwargs)

        def __getnewargs__(self):
            """Let ``copy`` and ``pickle`` call the constructor."""
            return tuple(self)

    def __eq__(self, other: object) -> bool:
        """Equal values of the same type; a tuple with the same items is not equal."""
        return type(self) is type(other) and bool(_Row.__eq__(self, other))

    def __ne__(self, other: object) -> bool:
        """Tuples bring a comparison of their own, so this must be said too."""
        return not self == other

    def __hash__(self) -> int:
        """The hash of the fields; a struct that holds a list has none."""
        return _Row.__hash__(self)

    def __repr__(self) -> str:
        """Name and fields, without what may be secret: passwords, and bytes that are no UUID."""
        shown = (f"{name}={_shown(name, getattr(self, name))}" for name in type(self).__match_args__)
        return f"{type(self).__name__}({', '.join(shown)})"

    __match_args__: ClassVar[tuple[str, ...]]


class Union(Struct):
    """A wire union: a first field that chooses the type of the second. Deriving classes declare both, and ``arms``."""

    arms: ClassVar[Mapping[int, tuple[str, Any]]]


def _shown(name: str, value: object) -> str:
    if name == "password":
        return "<hidden>"
    if not isinstance(value, bytes):
        return repr(value)
    return value.hex() if name == "uuid" else f"<{len(value)} bytes>"


def _constructor(cls: type[Struct]) -> Any:
    """Return ``__new__`` for the class: the field names as parameters, a tuple of them as the value."""
    names = ", ".join(cls.__match_args__)
    return function("__new__", f"def __new__(cls, {names}): return new(cls, ({names},))", {"new": tuple.__new__})
