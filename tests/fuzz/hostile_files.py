# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile certificates, keys and revocation lists: spoilt as text, as the DER below it, or put where others belong."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from random import Random

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\n(.+?)-----END \1-----\n", re.DOTALL)
_TOKENS = (
    b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n", b"-----BEGIN X509 CRL-----\n",
    b"-----END X509 CRL-----", b"-----BEGIN PRIVATE KEY-----\n", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    b"-----BEGIN TRUSTED CERTIFICATE-----\n", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", b"\0",
    b"\xff\xfe", b"=", b"====\n", b"\r\n", b" " * 70, b"A" * 4000, b"-----BEGIN CERTIFICATE-----\n" * 300,
)  # fmt: skip
# Tags, lengths and values that change what DER means: long and endless lengths, other strings, dates and numbers.
_BYTES = bytes.fromhex("00 01 02 03 04 05 06 0c 13 16 17 18 1e 30 31 7f 80 81 82 84 88 a0 a3 ff")


def spoil(random: Random, good: Mapping[str, bytes], name: str) -> bytes:
    """A bad file in place of ``name``; ``good`` has the content of all of them."""
    text = good[name]
    way = random.random()
    if way < 0.1:
        others = [content for other, content in good.items() if other != name]
        return random.choice(others) + (text if random.random() < 0.3 else b"")
    if way < 0.65:
        return _der(random, text)
    return _text(random, text)


def _der(random: Random, text: bytes) -> bytes:
    found = _BLOCK.search(text)
    assert found is not None
    der = bytearray(base64.b64decode(found[2]))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(der)) if der else 0
        choice = random.randrange(5)
        if choice < 2 and der:
            der[at] = random.choice(_BYTES)
        elif choice == 2 and der:
            der[at] ^= 1 << random.randrange(8)
        elif choice == 3:
            del der[at : at + random.choice((1, 2, 30))]
        else:
            der[at:at] = bytes(der[at : at + random.choice((1, 4, 60))])
    lines = b"".join(line + b"\n" for line in re.findall(rb".{1,64}", base64.b64encode(bytes(der))))
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (found[1], lines, found[1])


def _text(random: Random, text: bytes) -> bytes:
    changed = bytearray(text)
    for _ in range(random.choice((1, 1, 2, 3, 5))):
        at = random.randint(0, len(changed))
        choice = random.randrange(4)
        if choice == 0:
            changed[at:at] = random.choice(_TOKENS)
        elif choice == 1:
            del changed[at : at + random.choice((1, 3, 64, 1000))]
        elif choice == 2 and changed:
            changed[at % len(changed)] = random.randrange(256)
        else:
            changed[at:at] = changed[: random.randint(0, len(changed))]
    return bytes(changed)
