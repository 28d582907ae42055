# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes the names of hidden things out of daemons' errors.

A daemon says whose a device is that a guest wants, with which pool a new one conflicts. The access stage shows each
error to it. Only words that a daemon quotes are looked at, and no word that stood in the call itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from virtproxy.access.objects import Ref
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.answers import error_reply
from virtproxy.routing.rules.judge import Judge
from virtproxy.routing.stages import Request
from virtproxy.rpc.client import error_of
from virtproxy.wire.frame import Frame

_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_QUOTED = re.compile(r"'([^']{1,255})'|\"([^\"]{1,255})\"")
_AFTER_ITS_KIND = re.compile(r"\b(?:domain|guest|network|pool|filter|device)[ :]+([^\s'\",;:]{1,255})")
_WITH_UUID = ("domain", "network", "storage_pool", "secret", "nwfilter")
_WITH_NAME = ("domain", "network", "storage_pool", "nwfilter", "node_device")
# An error with more words than this that might be names is not let through.
_WORDS_MAX = 16
# Nor one in which there is more to look through: a client may have it echo what was sent. In characters, in words.
_TEXT_MAX, _LOOKED_AT_MAX = 65536, 128
_INSTEAD = "the call failed because of something that this connection may not know of"


async def scrubbed(judge: Judge, request: Request, frame: Frame) -> Frame:
    """An error reply without what the caller must not learn."""
    error = error_of(frame)
    said = [text for text in (error.message, error.str1, error.str2, error.str3) if text]
    words = None if sum(map(len, said)) > _TEXT_MAX else {word for text in said for word in _words(text)}
    if words is not None and len(words) <= _LOOKED_AT_MAX:
        known = bytes(request.frame.payload)
        refs = [ref for word in words for ref in _names(word, known)]
        if len(refs) <= _WORDS_MAX * len(_WITH_NAME) and not [ref for ref in refs if await _hidden(judge, ref)]:
            return frame
    return error_reply(request.frame, VirtError(error.code, _INSTEAD, domain=error.domain, str1=_INSTEAD))


def _words(text: str) -> set[str]:
    """The words of a text that may be names or UUIDs."""
    quoted = (single or double for single, double in _QUOTED.findall(text))
    return {*_UUID.findall(text), *quoted, *_AFTER_ITS_KIND.findall(text)}


def _names(word: str, known: bytes) -> Iterator[Ref]:
    """What a word may name, unless the client said it itself."""
    if word.encode(errors="surrogateescape") in known:
        return
    if not _UUID.fullmatch(word):
        yield from (Ref(kind, "name", word) for kind in _WITH_NAME)
    elif UUID(word).bytes not in known:
        yield from (Ref(kind, "uuid", UUID(word).bytes) for kind in _WITH_UUID)


async def _hidden(judge: Judge, ref: Ref) -> bool:
    """Whether there is such a thing, and the caller must not see it."""
    if judge.decider.always(judge.identity, ref.kind, "getattr") is True:
        return False
    try:
        directory = judge.directory(ref.kind)
        known = directory.known(ref) or await directory.find(ref)
    except VirtError as error:
        # Nobody to ask has no such things; who only does not answer may have them.
        return error.code == ErrorCode.OPERATION_TIMEOUT
    return known is not None and not await judge.sees(known.thing)
