# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether what a document names is the caller's own to use: then it needs no grant for documents.

The document stage asks for claims that its policy does not grant. So an owner can put into guests what is the owner's:
volumes (by the names of pool and volume or by the path), networks, secrets. What a link or a header leads to is a claim
of its own.
"""

from __future__ import annotations

from uuid import UUID

from virtproxy.access.claims.model import Claim
from virtproxy.access.objects import Ref
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.routing.rules.judge import Case, Judge

# What one must be allowed to do with a thing oneself, for a guest of one's own to do it.
_NEEDED = {
    "storage_vol": ("data_read", "data_write"),
    "network": ("write",),
    "secret": ("read_secure",),
}


async def is_own(things: Judge, claim: Claim) -> bool:
    """Whether the claim is of a thing on which the caller has what a guest needs. VirtError never."""
    try:
        ref = await _ref(things, claim)
        if ref is None:
            return False
        thing = await things.resolve(ref, Case())
    except (VirtError, ValueError):
        return False
    needed = ("data_read",) if claim.kind == "readonly_file" else _NEEDED[thing.kind]
    decisions = [await things.decide(permission, thing) for permission in needed]
    return all(decision.granted and not decision.pretended for decision in decisions)


async def _ref(things: Judge, claim: Claim) -> Ref | None:
    if claim.kind == "network":
        return Ref("network", "name", claim.value)
    if claim.kind == "secret" and not claim.value.startswith("usage:"):
        return Ref("secret", "uuid", UUID(claim.value).bytes)
    if claim.kind == "volume":
        pool, _, name = claim.value.partition("/")
        return _volume(pool, name)
    if claim.kind in ("file", "block", "readonly_file") and claim.value.startswith("/"):
        asked = remote.StorageVolLookupByPathArgs(path=claim.value)
        found = (await things.directory("storage_vol").ask(remote.STORAGE_VOL_LOOKUP_BY_PATH, asked)).vol
        return _volume(found.pool, found.name)
    return None


def _volume(pool: str, name: str) -> Ref:
    return Ref("storage_vol", "name", name, within=Ref("storage_pool", "name", pool))
