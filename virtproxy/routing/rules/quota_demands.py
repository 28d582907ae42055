# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a call would add to what its caller owns: guests, processors, memory, volumes.

The quota stage asks it. A `Demand` says what there will be and what of the caller's that replaces. Nothing is judged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from virtproxy.access.claims.sizes import source_of
from virtproxy.access.objects import text_of
from virtproxy.access.owners import Owned
from virtproxy.access.policy.quotas import Usage
from virtproxy.access.things import uuid_text
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.rules.document_claims import named_by
from virtproxy.routing.rules.judge import Judge as Things
from virtproxy.routing.stages import Request

# https://libvirt.org/html/libvirt-libvirt-domain.html and -storage.html
VCPU_MAXIMUM, MEMORY_MAXIMUM, RESIZE_DELTA, RESIZE_BYTES = 4, 4, 2, 1
KIB = 1024


class Demand(NamedTuple):
    """`usage`: what there will be. `replaces`: what of the caller's it takes the place of.

    `grows`: it is `replaces` that grows, which counts for nobody if it is not the caller's.
    """

    usage: Usage
    replaces: Owned | None = None
    # The measures of what is replaced that stay as they are.
    keeps: tuple[str, ...] = ()
    grows: bool = False


async def _guest(request: Request, things: Things) -> Demand | None:
    documents = request.notes.get("documents") or named_by(request.procedure, request.args).documents
    sizes = [document for document in documents if document.root == "domain"]
    if not sizes:
        return None
    document = sizes[0]
    usage = Usage(guests=1, vcpus=_most(sizes, "vcpus"), memory=_most(sizes, "memory"))
    uuid = await _uuid_of(document.uuid, document.name, things)
    place = things.daemon(request.procedure.family).place
    return Demand(usage, None if uuid is None else Owned(place.uri, "domain", uuid))


def arriving_name(request: Request) -> str:
    """What a guest that migrates to here will be called, as far as the call says it."""
    args = request.args
    name = getattr(args, "dname", None) or text_of(getattr(args, "params", []), "destination_name")
    documents = request.notes.get("documents") or ()
    return str(name or next((document.name for document in documents if document.name), ""))


def _most(documents: list[Any], measure: str) -> int:
    return max(int(getattr(document.sizes, measure)) for document in documents)


async def _uuid_of(uuid: str | None, name: str | None, things: Things) -> str | None:
    """The UUID of the guest that a document is about, if it can be one that is there."""
    if uuid is not None:
        try:
            return str(UUID("".join(uuid.split()).replace("-", "")))
        except ValueError:
            return None
    if name is None:
        return None
    try:
        asked = remote.DomainLookupByNameArgs(name=name)
        found = await things.directory("domain").ask(remote.DOMAIN_LOOKUP_BY_NAME, asked)
    except VirtError as error:
        if error.code == ErrorCode.NO_DOMAIN:
            return None
        raise
    return uuid_text(found.dom.uuid)


def _owned_guest(request: Request, things: Things) -> Owned:
    place = things.daemon(request.procedure.family).place
    return Owned(place.uri, "domain", uuid_text(request.args.dom.uuid))


async def _device(request: Request, things: Things) -> Demand | None:
    documents = request.notes.get("documents") or named_by(request.procedure, request.args).documents
    memory = sum(document.sizes.memory for document in documents)
    return Demand(Usage(memory=memory)) if memory else None


async def _vcpus(request: Request, things: Things) -> Demand | None:
    if not request.args.flags & VCPU_MAXIMUM:
        return None
    usage = Usage(guests=1, vcpus=request.args.nvcpus)
    return Demand(usage, _owned_guest(request, things), ("memory",), grows=True)


async def _memory(request: Request, things: Things) -> Demand | None:
    if not getattr(request.args, "flags", MEMORY_MAXIMUM) & MEMORY_MAXIMUM:
        return None
    usage = Usage(guests=1, memory=request.args.memory * KIB)
    return Demand(usage, _owned_guest(request, things), ("vcpus",), grows=True)


def _owned_volume(things: Things, pool: str, name: str) -> Owned:
    return Owned(things.directory("storage_vol").place.uri, "storage_vol", f"{pool}/{name}")


async def _volume(request: Request, things: Things) -> Demand | None:
    documents = request.notes.get("documents") or named_by(request.procedure, request.args).documents
    capacity = _most(documents, "capacity") if documents else 0
    if request.procedure is remote.STORAGE_VOL_CREATE_XML_FROM:
        capacity = max(capacity, await volume_size(things, request.args.clonevol))
    return Demand(Usage(volumes=capacity))


async def _resize(request: Request, things: Things) -> Demand | None:
    vol = request.args.vol
    capacity = request.args.capacity
    if request.args.flags & RESIZE_DELTA:
        capacity += await volume_size(things, vol)
    return Demand(Usage(volumes=capacity), _owned_volume(things, vol.pool, vol.name), grows=True)


async def _block_resize(request: Request, things: Things) -> Demand | None:
    """A disk that grows under its guest counts if it is a volume."""
    args = request.args
    told = await things.daemon(request.procedure.family).ask(
        remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=args.dom, flags=0)
    )
    path = source_of(told.xml, args.disk)
    if path is None:
        return None
    try:
        asked = remote.StorageVolLookupByPathArgs(path=path)
        vol = (await things.directory("storage_vol").ask(remote.STORAGE_VOL_LOOKUP_BY_PATH, asked)).vol
    except VirtError as error:
        if error.code in (ErrorCode.NO_STORAGE_VOL, ErrorCode.NO_SUPPORT):
            return None
        raise
    size = args.size if args.flags & RESIZE_BYTES else args.size * KIB
    return Demand(Usage(volumes=size), _owned_volume(things, vol.pool, vol.name), grows=True)


async def volume_size(things: Things, vol: remote.NonnullStorageVol) -> int:
    """The larger of a volume's capacity and what is allocated for it, in bytes; VirtError as its daemon says it."""
    told = await things.directory("storage_vol").ask(remote.STORAGE_VOL_GET_INFO, remote.StorageVolGetInfoArgs(vol=vol))
    return max(int(told.capacity), int(told.allocation))


DEMANDS: Mapping[str, Callable[[Request, Things], Awaitable[Demand | None]]] = {
    **dict.fromkeys(
        (
            "DOMAIN_DEFINE_XML", "DOMAIN_DEFINE_XML_FLAGS", "DOMAIN_CREATE_XML", "DOMAIN_CREATE_XML_WITH_FILES",
            "DOMAIN_MIGRATE_PREPARE2", "DOMAIN_MIGRATE_PREPARE3", "DOMAIN_MIGRATE_PREPARE3_PARAMS",
            "DOMAIN_MIGRATE_PREPARE_TUNNEL", "DOMAIN_MIGRATE_PREPARE_TUNNEL3",
            "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS",
        ),
        _guest,
    ),
    "DOMAIN_ATTACH_DEVICE": _device,
    "DOMAIN_ATTACH_DEVICE_FLAGS": _device,
    "DOMAIN_UPDATE_DEVICE_FLAGS": _device,
    "DOMAIN_SET_VCPUS_FLAGS": _vcpus,
    "DOMAIN_SET_MAX_MEMORY": _memory,
    "DOMAIN_SET_MEMORY_FLAGS": _memory,
    "STORAGE_VOL_CREATE_XML": _volume,
    "STORAGE_VOL_CREATE_XML_FROM": _volume,
    "STORAGE_VOL_RESIZE": _resize,
    "DOMAIN_BLOCK_RESIZE": _block_resize,
}  # fmt: skip
