# SPDX-License-Identifier: LGPL-2.1-or-later
"""What follows from claims on this host: where paths lead over links, and what the images' own headers name.

Called in a thread, because it asks the file system. It judges nothing; its claims come in the order in which they were
found, so that the first that is not granted tells nothing about what lies behind it.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from virtproxy.access.claims.backing import backing_claims
from virtproxy.access.claims.headers import HeaderError, read_header
from virtproxy.access.claims.images import Image
from virtproxy.access.claims.model import KINDS, Claim, as_read
from virtproxy.access.claims.paths import lexical, real

# As many backing stores as libvirt follows.
CHAIN_MAX = 200
_NONE: Mapping[str, str] = MappingProxyType({})
# Device nodes stand behind these words in a claim's value.
_NODES = ("char:", "block:", "device:", "dir:")


def follow(claims: Iterable[Claim], images: Iterable[Image], volumes: Mapping[str, str] = _NONE) -> list[Claim]:
    """Return all that follows from the claims of a document and from the images that it has opened.

    For those who judge nothing in between; see `all_resolved` and `Chain`.
    """
    found = all_resolved(claims, volumes)
    chain = Chain(images, volumes)
    while not chain.ended:
        found.extend(chain.step())
    return found


def all_resolved(claims: Iterable[Claim], volumes: Mapping[str, str] = _NONE) -> list[Claim]:
    """Return the claims of where claims lead over links.

    `volumes`: the paths of the volumes ("pool/name") among them, as far as they are known.
    """
    found: list[Claim] = []
    for claim in claims:
        found.extend(resolved(claim))
        if claim.kind == "volume" and claim.value in volumes:
            path = volumes[claim.value]
            found.extend(resolved(Claim("file", lexical(path), path, f"volume {claim.value}")))
    return found


class Chain:
    """Follows images from header to header, one step after the other, so that each can be judged before the next."""

    def __init__(self, images: Iterable[Image], volumes: Mapping[str, str] = _NONE) -> None:
        paths = ((image.path or volumes.get(image.volume, ""), image.where, image.read) for image in images)
        self._waiting = deque(found for found in paths if found[0])
        self._seen: set[tuple[str, bool]] = set()

    @property
    def ended(self) -> bool:
        """Whether there is no header left to read."""
        return not self._waiting

    def step(self) -> list[Claim]:
        """Read one header and return what it lays claim to; what it names is read by later steps."""
        path, where, read = self._waiting.popleft()
        if (path, read) in self._seen:
            return []
        self._seen.add((path, read))
        if len(self._seen) > CHAIN_MAX:
            self._waiting.clear()
            return [Claim("unknown", f"more than {CHAIN_MAX} backing stores", "", where)]
        found: list[Claim] = []
        for claim, goes_on in _named_by(path, where, read):
            found.extend((claim, *resolved(claim)))
            if goes_on and claim.kind == "readonly_file":
                self._waiting.append((claim.value, claim.where, True))
        return found


def resolved(claim: Claim) -> Iterator[Claim]:
    """Yield the claim of the path that a claim's path leads to, where that is another."""
    prefix = next((node for node in _NODES if claim.value.startswith(node)), "")
    if not (KINDS[claim.kind].path or (prefix and claim.kind in ("host_device", "pool_source"))):
        return
    written = claim.written.removeprefix(prefix)
    # What a header names is written relative to its image; its value is whole.
    path = written if written.startswith("/") else claim.value.removeprefix(prefix)
    try:
        leads_to = real(path)
    except (OSError, ValueError):
        yield Claim("unknown", f"path {path}", claim.written, claim.where)
        return
    if leads_to is not None and prefix + leads_to != claim.value:
        yield Claim(claim.kind, prefix + leads_to, claim.written, claim.where)


def _named_by(path: str, where: str, read: bool) -> Iterator[tuple[Claim, bool]]:
    """What the header of an image names, and whether that is read in turn. `read`: the image is not written to."""
    try:
        leads_to = real(path)
        header = read_header(leads_to) if leads_to else None
    except HeaderError as error:
        yield Claim("unknown", f"image {path}: {error}", "", where), False
        return
    except (OSError, ValueError):
        yield Claim("unknown", f"path {path}", "", where), False
        return
    if header is None:
        return
    # QEMU takes a relative name from where the image was named, which a link may move.
    for directory in dict.fromkeys((posixpath.dirname(path), posixpath.dirname(leads_to or path))):
        for text, kind in header.names:
            for claim in backing_claims(text, directory, f"the header of {path}"):
                yield as_read(claim), kind != "raw"
        for text in header.parts:
            for claim in backing_claims(text, directory, f"the header of {path}"):
                yield as_read(claim) if read else claim, False
