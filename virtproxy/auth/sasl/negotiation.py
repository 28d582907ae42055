# SPDX-License-Identifier: LGPL-2.1-or-later
"""What both ends of a negotiation with libsasl2 share: its data, what came of it, its security layer.

``connection`` (a daemon's end) and ``client`` build on it. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from virtproxy.auth.sasl import library as c
from virtproxy.auth.sasl.library import Library
from virtproxy.rpc.security_layer import LayerError

# As libvirt asks for it: the largest piece that either side puts into a layer, and the strongest layer.
BUFFER_MAX = 100_000
SSF_MAX = 100_000


class SaslError(Exception):
    """libsasl2 refused; why, for the log."""


@dataclass(frozen=True, slots=True)
class Step:
    """What libsasl2 answered: whether it is complete, and what the peer must be told (None: not even "")."""

    complete: bool
    data: bytes | None


class Negotiation:
    """A negotiation that `made` points to; `kept` is what libsasl2 may use as long as there is one."""

    def __init__(self, lib: Library, made: Any, *kept: object) -> None:
        self._lib, self._sasl = lib, lib.sasl
        self._ffi: Any = lib.ffi
        self._conn = self._ffi.gc(made[0], partial(_dispose, self._ffi, self._sasl, kept))

    def demand(self, min_ssf: int, external_ssf: int = 0) -> None:
        """Ask for a layer of `min_ssf` bits at least, or (0) for none. SaslError if that cannot be."""
        open_wire = min_ssf > 0
        properties = self._ffi.new("sasl_security_properties_t *")
        properties.min_ssf = min_ssf
        properties.max_ssf = SSF_MAX if open_wire else 0
        properties.maxbufsize = BUFFER_MAX
        # Nobody is let in without a name, not even where libvirt would: an anonymous login is no login.
        properties.security_flags = c.NO_ANONYMOUS | (c.NO_PLAINTEXT if open_wire else 0)
        if external_ssf:
            strength = self._ffi.new("unsigned *", external_ssf)
            self._check(self._sasl.sasl_setprop(self._conn, c.SSF_EXTERNAL, strength))
        self._check(self._sasl.sasl_setprop(self._conn, c.SEC_PROPS, properties))

    def _advance(self, function: Any, *arguments: Any) -> Step:
        """Call a function of libsasl2 whose last arguments are what it says to the peer."""
        out, length = self._ffi.new("const char **"), self._ffi.new("unsigned *")
        code = function(self._conn, *arguments, out, length)
        if code != c.CONTINUE:
            self._check(code)
        return Step(code == c.OK, self._bytes(out, length))

    def _given(self, data: bytes | None) -> tuple[Any, int]:
        return (self._ffi.NULL, 0) if data is None else (data, len(data))

    @property
    def mechanism(self) -> str:
        """The mechanism by which it is complete, as libsasl2 calls it."""
        return self._text(c.MECHNAME) or ""

    @property
    def ssf(self) -> int:
        """The strength of the layer that was agreed on, in bits; 0 for none."""
        return self._number(c.SSF)

    def layer(self) -> SaslLayer:
        """The layer that was agreed on; `ssf` is not 0."""
        return SaslLayer(self, self.ssf, min(self._number(c.MAXOUTBUF) or BUFFER_MAX, BUFFER_MAX))

    def encode(self, data: bytes) -> bytes:
        """Put `data` into the layer. LayerError if that cannot be."""
        return self._transform(self._sasl.sasl_encode, data)

    def decode(self, data: bytes) -> bytes:
        """Take what is whole by now out of the layer. LayerError if it is not of it."""
        return self._transform(self._sasl.sasl_decode, data)

    def _transform(self, function: Any, data: bytes) -> bytes:
        out, length = self._ffi.new("const char **"), self._ffi.new("unsigned *")
        code = function(self._conn, data, len(data), out, length)
        if code != c.OK:
            raise LayerError(self._lib.problem(code))
        return self._bytes(out, length) or b""

    def _bytes(self, out: Any, length: Any) -> bytes | None:
        return None if out[0] == self._ffi.NULL else bytes(self._ffi.buffer(out[0], length[0]))

    def _text(self, which: int) -> str | None:
        return self._lib.text(self._ffi.cast("const char *", self._property(which)))

    def _number(self, which: int) -> int:
        pointer = self._property(which)
        return 0 if pointer == self._ffi.NULL else int(self._ffi.cast("unsigned *", pointer)[0])

    def _property(self, which: int) -> Any:
        value = self._ffi.new("const void **")
        return value[0] if self._sasl.sasl_getprop(self._conn, which, value) == c.OK else self._ffi.NULL

    def _check(self, code: int) -> None:
        if code != c.OK:
            raise SaslError(self._lib.problem(code, self._conn))


class SaslLayer:
    """The security layer of a negotiation that is complete (rpc.security_layer.SecurityLayer)."""

    def __init__(self, negotiation: Negotiation, ssf: int, piece_max: int) -> None:
        self._negotiation = negotiation
        self.ssf = ssf
        self.piece_max = piece_max

    def encode(self, data: bytes) -> bytes:
        """Protect at most `piece_max` bytes."""
        return self._negotiation.encode(data)

    def decode(self, data: bytes) -> bytes:
        """What is readable by now; the rest waits within."""
        return self._negotiation.decode(data)


def _dispose(ffi: Any, sasl: Any, kept: object, connection: Any) -> None:
    """Free a negotiation; until then its callbacks may be called."""
    sasl.sasl_dispose(ffi.new("sasl_conn_t **", connection))
