# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an owner has by now: asked of the daemons that have it, at the time when it counts.

The quota stage asks it. Nothing is remembered between calls: what somebody has may change without us.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit
from uuid import UUID

from virtproxy import errors
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.reader import read
from virtproxy.access.owners import Owned
from virtproxy.access.policy.quotas import MEASURES, Usage
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.families import Target
from virtproxy.routing.rules.judge import Judge as Things

_ABSENT = {ErrorCode.NO_DOMAIN, ErrorCode.NO_STORAGE_POOL, ErrorCode.NO_STORAGE_VOL}
XML_INACTIVE = 2
KIB = 1024


def total(usages: Iterable[Usage]) -> Usage:
    """All of it together."""
    counted = list(usages)
    return Usage(**{measure: sum(getattr(usage, measure) for usage in counted) for measure in MEASURES})


def beyond(usage: Usage, other: Usage) -> Usage:
    """What `usage` has more than `other`, in each measure."""
    return Usage(**{measure: max(0, getattr(usage, measure) - getattr(other, measure)) for measure in MEASURES})


async def usage_of(thing: Owned, things: Things) -> Usage:
    """What one thing counts; nothing if it is not there any more. VirtError if its daemon cannot say."""
    try:
        if thing.kind == "domain":
            return await _guest(thing, things)
        if thing.kind == "storage_vol":
            return await _volume(thing, things)
    except VirtError as error:
        if error.code not in _ABSENT:
            raise
    return Usage()


async def _guest(thing: Owned, things: Things) -> Usage:
    daemon = things.daemon_at(Target(urlsplit(thing.uri).scheme, thing.uri))
    dom = remote.NonnullDomain(name="owned", uuid=UUID(thing.identity).bytes, id=-1)
    told = await daemon.ask(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=dom, flags=XML_INACTIVE))
    # A running guest may have more than it will have after its end.
    now = await daemon.ask(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=dom))
    try:
        sizes = read(told.xml, "domain").sizes
    except DocumentError as error:
        raise errors.internal(f"the daemon's own document cannot be read: {error}") from None
    return Usage(1, max(sizes.vcpus, now.nr_virt_cpu), max(sizes.memory, now.max_mem * KIB))


async def _volume(thing: Owned, things: Things) -> Usage:
    daemon = things.daemon_at(Target(urlsplit(thing.uri).scheme, thing.uri))
    pool, _, name = thing.identity.partition("/")
    vol = remote.NonnullStorageVol(pool=pool, name=name, key="")
    told = await daemon.ask(remote.STORAGE_VOL_GET_INFO, remote.StorageVolGetInfoArgs(vol=vol))
    return Usage(volumes=max(int(told.capacity), int(told.allocation)))
