# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names on the wire, kept: the same few thousand are sent again and again, a thousand at a time.

Encoders use it for fields that are names of things or of parameters, never for anything else: what is kept here stays
in memory.
"""

from __future__ import annotations

import struct

from virtproxy.wire.xdr import WireError

# A longer name is not kept, in bytes; and when this many are kept, all are forgotten.
KEPT_LENGTH = 64
KEPT_MAX = 16384
# The fields that hold names, in any struct.
FIELDS = frozenset({"name", "field"})
words: dict[str, bytes] = {}
_count = struct.Struct(">I").pack
_PADS = (b"", b"\0\0\0", b"\0\0", b"\0")


def word(text: str, maximum: int) -> bytes:
    """Return the wire form of a string, kept if it is short; WireError if it has none."""
    raw = text.encode("utf-8", "surrogateescape")
    if 0 in raw:
        raise WireError("a NUL byte inside a string")
    size = len(raw)
    if size > maximum:
        raise WireError(f"count {size} is over the limit of {maximum}")
    whole = _count(size) + raw + _PADS[size & 3]
    if size <= KEPT_LENGTH <= maximum:
        if len(words) >= KEPT_MAX:
            words.clear()
        words[text] = whole
    return whole
