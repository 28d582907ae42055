# SPDX-License-Identifier: LGPL-2.1-or-later
"""The words a declaration uses: wire types and their limits.

Read by the modules of ``protocol`` (to declare) and by ``plan`` (to compile). It holds no bytes and decodes nothing.

A field is an ordinary annotation: ``Int``, ``Hyper``, another struct, ``X | None``; what Python's own types do not say
(a maximum, a fixed length) stands beside it: ``Annotated[list[NonnullDomain], Max(16384)]``. The encoding is XDR
(RFC 4506): big endian, every item padded with zeros to a multiple of four bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


class WireError(ValueError):
    """Bytes that are not the declared type, or a value that cannot be sent as it."""


# None of these is a tuple: Max(6) would equal Length(6), and typing (of Python 3.11.2, for one) keeps one object for
# Annotated[bytes, Max(6)] and Annotated[bytes, Length(6)] if they compare equal.


@dataclass(frozen=True, slots=True)
class Number:
    """A number: its ``struct`` code, its bytes on the wire, and the range where the code's own is wider."""

    code: str
    size: int
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Max:
    """The most items (or bytes, of a string or opaque data) that may be sent; the count is on the wire."""

    size: int


@dataclass(frozen=True, slots=True)
class Length:
    """Exactly this many items or bytes, with no count on the wire."""

    size: int


@dataclass(frozen=True, slots=True)
class Chars:
    """``bytes`` sent as an array of C ``char``, four bytes on the wire for each."""

    limit: Max | Length


Int = Annotated[int, Number("i", 4)]
UInt = Annotated[int, Number("I", 4)]
Hyper = Annotated[int, Number("q", 8)]
UHyper = Annotated[int, Number("Q", 8)]
Double = Annotated[float, Number("d", 8)]
Char = Annotated[int, Number("i", 4, -128, 127)]
UChar = Annotated[int, Number("I", 4, 0, 255)]
Short = Annotated[int, Number("i", 4, -32768, 32767)]
UShort = Annotated[int, Number("I", 4, 0, 65535)]
Bool = Annotated[bool, Number("I", 4, 0, 1)]
