# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's I/O threads: added, removed, pinned, told how to poll."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element
from virtproxy.driver import Call, ErrorCode, Params, Type, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, one_chosen, refused
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.maps import from_bits, to_bits
from virtproxy.drivers.test.tree import part, put

POLLING = Params(poll_max_ns=Type.ULLONG, poll_grow=Type.UINT, poll_shrink=Type.UINT)
POLLS_AT_FIRST = {"poll_max_ns": 32768, "poll_grow": 0, "poll_shrink": 0}


class Iothreads(TestHost):
    """I/O threads are known by their numbers."""

    @implements(remote.DOMAIN_GET_IOTHREAD_INFO)
    async def iothread_info(
        self, call: Call, args: remote.DomainGetIothreadInfoArgs
    ) -> remote.DomainGetIothreadInfoRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        info = []
        for id in sorted(document.iothreads):
            # One that nobody pinned runs on as many host CPUs as there are vCPUs, says libvirt.
            unpinned = frozenset(range(document.vcpus))
            cpus = document.iothread_pins.get(id) or unpinned
            info.append(remote.DomainIothreadInfo(iothread_id=id, cpumap=to_bits(cpus, max(cpus) // 8 + 1)))
        return remote.DomainGetIothreadInfoRet(info=info, ret=len(info))

    @implements(remote.DOMAIN_ADD_IOTHREAD)
    async def add_iothread(self, call: Call, args: remote.DomainAddIothreadArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        if args.iothread_id == 0:
            raise call.error(ErrorCode.INVALID_ARG, "invalid value of 0 for iothread_id")
        guest = self.subject(call, args.dom)
        document = one_chosen(guest, args.flags)
        ids = document.iothreads
        if args.iothread_id in ids:
            detail = f"an IOThread is already using iothread_id '{args.iothread_id}'"
            raise refused(ErrorCode.INVALID_ARG, detail)
        _list(document, [*ids, args.iothread_id])
        guest.polls[args.iothread_id] = dict(POLLS_AT_FIRST)

    @implements(remote.DOMAIN_DEL_IOTHREAD)
    async def del_iothread(self, call: Call, args: remote.DomainDelIothreadArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        guest = self.subject(call, args.dom)
        document = one_chosen(guest, args.flags)
        ids = document.iothreads
        if args.iothread_id not in ids:
            raise refused(ErrorCode.INVALID_ARG, f"cannot find IOThread '{args.iothread_id}' in iothreadids list")
        _check_unused(document, args.iothread_id)
        _list(document, [id for id in ids if id != args.iothread_id])
        document.pin_iothread(args.iothread_id, None)
        guest.polls.pop(args.iothread_id, None)

    @implements(remote.DOMAIN_PIN_IOTHREAD)
    async def pin_iothread(self, call: Call, args: remote.DomainPinIothreadArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        cpus = from_bits(args.cpumap)
        if not cpus:
            raise call.error(ErrorCode.INVALID_ARG, "Empty iothread cpumap list for pinning")
        if args.iothreads_id not in document.iothreads:
            raise call.error(ErrorCode.INVALID_ARG, f"iothreadid {args.iothreads_id} not found")
        document.pin_iothread(args.iothreads_id, cpus)

    @implements(remote.DOMAIN_SET_IOTHREAD_PARAMS)
    async def set_iothread_params(self, call: Call, args: remote.DomainSetIothreadParamsArgs) -> None:
        call.check_flags(args.flags, LIVE)
        guest = self.subject(call, args.dom)
        document = one_chosen(guest, args.flags)
        known = set(document.iothreads) if guest.active else set()
        if args.iothread_id not in known:
            raise call.error(ErrorCode.INVALID_ARG, f"cannot find IOThread '{args.iothread_id}' in iothreadids")
        values = POLLING.parse(args.params)
        guest.polls.setdefault(args.iothread_id, dict(POLLS_AT_FIRST)).update(values)


def _list(document: DomainDocument, ids: list[int]) -> None:
    """Write the I/O threads down by their numbers."""
    put(document, "iothreads", str(len(ids)) if ids else None)
    document.drop("iothreadids")
    for id in sorted(ids):
        part(document, "iothreadids").children.append(Element("iothread", {"id": str(id)}))


def _check_unused(document: DomainDocument, id: int) -> None:
    """VirtError if a disk is served by that I/O thread."""
    for disk in document.devices("disk"):
        driver = disk.element.find("driver")
        if driver is not None and driver.attributes.get("iothread") == str(id):
            detail = f"cannot remove IOThread {id} since it is being used by disk '{disk.target}'"
            raise refused(ErrorCode.INVALID_ARG, detail)
