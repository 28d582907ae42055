# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents that a daemon keeps, which a call takes up again: a guest that starts, a saved one, a snapshot, a pool.

They were judged when they were written. What they open may have changed since: an image's header by an upload, a link.
So the document stage asks the daemon for them, as itself, and has looked at what follows from them on the host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from virtproxy import errors
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.layers import committed_to, layers_of
from virtproxy.access.claims.reader import GUEST_DEVICE
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.stages import Request

# Asks the daemon that serves a procedure's family: (procedure, arguments) -> result; VirtError as it says it.
Ask = Callable[[Any, Any], Awaitable[Any]]
# https://libvirt.org/html/libvirt-libvirt-domain.html: virDomainXMLFlags, virDomainCreateFlags
XML_INACTIVE, START_FORCE_BOOT, COMMIT_SHALLOW = 2, 16, 1
_ABSENT = {ErrorCode.NO_DOMAIN, ErrorCode.NO_DOMAIN_SNAPSHOT, ErrorCode.NO_STORAGE_POOL}


class Kept(NamedTuple):
    """A document that a daemon keeps. `whole`: nobody judged it yet, so that all of it counts."""

    text: str
    kind: str
    whole: bool = False


async def kept_by(opens: str, request: Request, ask: Ask) -> list[Kept]:
    """Return the documents that a call takes up; none of a thing that is not there, which the daemon will say.

    VirtError if the daemon cannot tell.
    """
    try:
        return await _READERS[opens](request.args, ask)
    except VirtError as error:
        if error.code in _ABSENT:
            return []
        raise
    except DocumentError as error:
        raise errors.internal(f"the daemon's own document cannot be read: {error}") from None


async def _guest(args: Any, ask: Ask) -> list[Kept]:
    told = remote.DomainGetXmlDescArgs(dom=args.dom, flags=XML_INACTIVE)
    kept = [Kept((await ask(remote.DOMAIN_GET_XML_DESC, told)).xml, "domain")]
    if not getattr(args, "flags", 0) & START_FORCE_BOOT:
        kept += await _managed_save(args, ask)
    return kept


async def _managed_save(args: Any, ask: Ask) -> list[Kept]:
    asked = remote.DomainHasManagedSaveImageArgs(dom=args.dom, flags=0)
    try:
        if not (await ask(remote.DOMAIN_HAS_MANAGED_SAVE_IMAGE, asked)).result:
            return []
    except VirtError as error:
        if error.code == ErrorCode.NO_SUPPORT:
            return []
        raise
    told = remote.DomainManagedSaveGetXmlDescArgs(dom=args.dom, flags=0)
    return [Kept((await ask(remote.DOMAIN_MANAGED_SAVE_GET_XML_DESC, told)).xml, "domain")]


async def _autostart(args: Any, ask: Ask) -> list[Kept]:
    return await _guest(args, ask) if args.autostart else []


async def _saved(args: Any, ask: Ask) -> list[Kept]:
    paths = [getattr(args, "from_", None)]
    if hasattr(args, "params"):
        paths = [item.value.value for item in args.params if item.field == "file"]
    if len(paths) != 1 or not isinstance(paths[0], str):
        raise errors.invalid_arg("the call must name one file")
    told = remote.DomainSaveImageGetXmlDescArgs(file=paths[0], flags=0)
    return [Kept((await ask(remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC, told)).xml, "domain", whole=True)]


async def _snapshot(args: Any, ask: Ask) -> list[Kept]:
    told = remote.DomainSnapshotGetXmlDescArgs(snap=args.snap, flags=0)
    return [Kept((await ask(remote.DOMAIN_SNAPSHOT_GET_XML_DESC, told)).xml, "domainsnapshot")]


async def _commit(args: Any, ask: Ask) -> list[Kept]:
    """The image that a commit writes to, as a disk of its own."""
    told = remote.DomainGetXmlDescArgs(dom=args.dom, flags=0)
    layers = layers_of((await ask(remote.DOMAIN_GET_XML_DESC, told)).xml, args.disk)
    layer = committed_to(layers, args.base, args.top, bool(args.flags & COMMIT_SHALLOW))
    if layer is not None and layer.path is None:
        return []
    path = "an image that nobody knows" if layer is None else str(layer.path)
    return [Kept(f"<disk><driver type='raw'/><source file={quoteattr(path)}/></disk>", GUEST_DEVICE, whole=True)]


async def _pool(args: Any, ask: Ask) -> list[Kept]:
    told = remote.StoragePoolGetXmlDescArgs(pool=args.pool, flags=XML_INACTIVE >> 1)
    return [Kept((await ask(remote.STORAGE_POOL_GET_XML_DESC, told)).xml, "pool")]


async def _pool_autostart(args: Any, ask: Ask) -> list[Kept]:
    return await _pool(args, ask) if args.autostart else []


_READERS: dict[str, Callable[[Any, Ask], Awaitable[list[Kept]]]] = {
    "guest": _guest,
    "autostart": _autostart,
    "saved": _saved,
    "snapshot": _snapshot,
    "pool": _pool,
    "commit": _commit,
    "pool-autostart": _pool_autostart,
}
