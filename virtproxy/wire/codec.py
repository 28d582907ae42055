# SPDX-License-Identifier: LGPL-2.1-or-later
"""Declared types to bytes and back: the codec's public face.

Used by ``protocol.schema`` for the payload of packets, and by tests. A type's encoder and decoder are generated
when it is first used. Decoding is strict and bounded; it gives a value or WireError, whatever the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from virtproxy.wire.source import function
from virtproxy.wire.value import Struct, Union
from virtproxy.wire.xdr import WireError

__all__ = ["Struct", "Union", "WireError", "decode", "decode_exact", "decode_from", "encode"]

S = TypeVar("S", bound=Struct)

_encoders: dict[type[Struct], Callable[[Any], list[bytes]]] = {}
_decoders: dict[type[Struct], Callable[[bytes, int, int], tuple[Any, int]]] = {}


def encode(value: Struct) -> bytes:
    """Return the wire form of ``value``; WireError if it has none (wrong type, out of range, over a limit)."""
    encoder = _encoders.get(type(value)) or _make_encoder(type(value))
    try:
        return b"".join(encoder(value))
    except WireError as error:
        raise WireError(f"{type(value).__name__}: {error}") from None
    except (struct.error, AttributeError, TypeError, UnicodeEncodeError) as error:
        raise WireError(f"{type(value).__name__}: {error}") from error


def decode(cls: type[S], data: bytes | memoryview, offset: int = 0) -> S:
    """Return the value of type ``cls`` that starts at ``offset``.

    Bytes after it are ignored. WireError if there is none.
    """
    return decode_from(cls, data, offset)[0]


def decode_exact(cls: type[S], data: bytes | memoryview) -> S:
    """Return the value of type ``cls`` that ``data`` is, to the last byte; else WireError."""
    value, end = decode_from(cls, data)
    if end != len(data):
        raise WireError(f"{cls.__name__}: {len(data) - end} bytes after the value")
    return value


def decode_from(cls: type[S], data: bytes | memoryview, offset: int = 0) -> tuple[S, int]:
    """Return the value of type ``cls`` that starts at ``offset``, and the offset where it ends; else WireError."""
    decoder = _decoders.get(cls) or _make_decoder(cls)
    if type(data) is not bytes:
        data = bytes(data)
    try:
        return decoder(data, offset, len(data))
    except WireError as error:
        raise WireError(f"{cls.__name__}: {error}") from None
    except struct.error:
        raise WireError(f"{cls.__name__}: cut short at {len(data)} bytes") from None


# The compiler is imported late: a process that only relays packets decodes very few types.
def _make_encoder(cls: type[Struct]) -> Callable[[Any], list[bytes]]:
    from virtproxy.wire.encoder import Encoder
    from virtproxy.wire.plan import plan_of

    encoder: Callable[[Any], list[bytes]] = function("encode", *Encoder().function(plan_of(cls)))
    _encoders[cls] = encoder
    return encoder


def _make_decoder(cls: type[Struct]) -> Callable[[bytes, int, int], tuple[Any, int]]:
    from virtproxy.wire.decoder import Decoder
    from virtproxy.wire.plan import plan_of

    decoder: Callable[[bytes, int, int], tuple[Any, int]] = function("decode", *Decoder().function(plan_of(cls)))
    _decoders[cls] = decoder
    return decoder
