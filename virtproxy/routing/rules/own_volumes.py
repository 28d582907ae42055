# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a disk is a volume that the caller may read and write anyway: then it needs no grant for documents.

The document stage asks for claims that its policy does not grant. So an owner can put what is the owner's own into
guests, by the names of pool and volume or by the path. What a link or a header leads to is a claim of its own.
"""

from __future__ import annotations

from virtproxy.access.claims.model import Claim
from virtproxy.access.objects import Ref
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.routing.rules.judge import Case, Judge

# What a guest does with its disk.
NEEDED = ("data_read", "data_write")


async def is_own_volume(things: Judge, claim: Claim) -> bool:
    """Whether the claim is of a volume on which the caller has what a guest needs. VirtError never."""
    try:
        ref = await _volume(things, claim)
        if ref is None:
            return False
        thing = await things.resolve(ref, Case())
    except VirtError:
        return False
    decisions = [await things.decide(permission, thing) for permission in NEEDED]
    return all(decision.granted and not decision.pretended for decision in decisions)


async def _volume(things: Judge, claim: Claim) -> Ref | None:
    if claim.kind == "volume":
        pool, _, name = claim.value.partition("/")
    elif claim.kind in ("file", "block") and claim.value.startswith("/"):
        asked = remote.StorageVolLookupByPathArgs(path=claim.value)
        found = (await things.directory("storage_vol").ask(remote.STORAGE_VOL_LOOKUP_BY_PATH, asked)).vol
        pool, name = found.pool, found.name
    else:
        return None
    return Ref("storage_vol", "name", name, within=Ref("storage_pool", "name", pool))
