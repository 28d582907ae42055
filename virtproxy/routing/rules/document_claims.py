# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a call's arguments to its claims, by the tables of `document_calls`. Pure: nothing is asked, nothing judged.

The document stage uses it, in a thread where the documents are large.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from virtproxy.access.claims.images import Image
from virtproxy.access.claims.kinds import KINDS
from virtproxy.access.claims.model import Claim, as_written
from virtproxy.access.claims.paths import lexical
from virtproxy.access.claims.reader import Document, read, read_cookie
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.document_calls import CALLS, COOKIE, Call

# https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainBlockRebaseFlags
REBASE_COPY_RAW, REBASE_COPY, REBASE_COPY_DEV = 4, 8, 32
# Typed parameters in which devices of the host are named: "/dev/sda,500,/dev/sdb,300".
_THROTTLES = frozenset(
    {
        "device_weight", "device_read_iops_sec", "device_write_iops_sec", "device_read_bytes_sec",
        "device_write_bytes_sec",
    }
)  # fmt: skip


class Named(NamedTuple):
    """What a call names: claims, images whose headers count, and the documents themselves.

    `followed`: what the access rules judge, of which only counts where it leads.
    """

    claims: list[Claim]
    followed: list[Claim]
    images: list[Image]
    documents: list[Document]


def named_by(procedure: Procedure[Any, Any], args: Any) -> Named:
    """Return what a call of `procedure` names. Raises DocumentError if a document cannot be read."""
    call = CALLS[procedure.name]
    documents = list(_documents(call, args))
    claims = [claim for document in documents for claim in document.claims]
    claims += [Claim(kind, value, value, "") for kind, value in call.always]
    claims += _words(call, args)
    images = [image for document in documents for image in document.images]
    if call.special == "rebase":
        images += _rebase(args, claims)
    followed = [_volume(getattr(args, call.volume))] if call.volume else []
    if call.special == "clone":
        # Its contents are converted, and with them what is behind it.
        images += [Image("", claim.value, claim.where) for claim in followed]
    elif call.special == "copy":
        claims = [as_written(claim) for claim in claims]
    elif call.special == "throttle":
        claims += _throttled(args)
    return Named(claims, followed, images, documents)


def _volume(volume: Any) -> Claim:
    name = f"{volume.pool}/{volume.name}"
    return Claim("volume", name, name, f"volume {name}")


def text_length(procedure: Procedure[Any, Any], args: Any) -> int:
    """How much there is to read in a call, in characters or bytes."""
    return sum(len(text) for text, _ in _texts(CALLS[procedure.name], args))


def _texts(call: Call, args: Any) -> Iterator[tuple[Any, str]]:
    for argument, kind in call.documents.items():
        if getattr(args, argument):
            yield getattr(args, argument), kind
    for parameter in args.params if call.typed else ():
        kind = call.typed.get(parameter.field, "")
        if kind.startswith("xml:") and isinstance(parameter.value.value, str):
            yield parameter.value.value, kind.removeprefix("xml:")


def _documents(call: Call, args: Any) -> Iterator[Document]:
    for text, kind in _texts(call, args):
        if kind == COOKIE:
            # It ends with the zero byte of a C string.
            yield from read_cookie(bytes(text).rstrip(b"\0").decode("utf-8", "surrogateescape"))
        else:
            yield read(text, kind)


def _words(call: Call, args: Any) -> Iterator[Claim]:
    for argument, kind in call.words.items():
        written = getattr(args, argument)
        if written:
            yield _word(kind, written, argument)
    for parameter in args.params if call.typed else ():
        kind = call.typed.get(parameter.field, "")
        written = parameter.value.value
        if kind and not kind.startswith("xml:") and isinstance(written, str) and written:
            yield _word(kind, written, parameter.field)


def _word(kind: str, written: str, where: str) -> Claim:
    """A claim of an argument; "native:from-native" puts a word of its own before the value."""
    kind, _, prefix = kind.partition(":")
    if prefix:
        return Claim(kind, f"{prefix}:{written}", written, "")
    value = lexical(written) if KINDS[kind].path else written
    return Claim(kind, value, written, f"argument {where.rstrip('_')}")


def _rebase(args: Any, claims: list[Claim]) -> list[Image]:
    """A copy goes to what `base` names; else `base` is one of the guest's own backing stores."""
    if not args.flags & REBASE_COPY or not args.base:
        return []
    kind = "block" if args.flags & REBASE_COPY_DEV else "file"
    claims.append(Claim(kind, lexical(args.base), args.base, "argument base"))
    return [] if args.flags & REBASE_COPY_RAW else [Image(args.base, "", "argument base")]


def _throttled(args: Any) -> Iterator[Claim]:
    for parameter in args.params:
        if parameter.field in _THROTTLES:
            for path in str(parameter.value.value).split(",")[::2]:
                if path:
                    yield Claim("block", lexical(path), path, f"parameter {parameter.field}")
