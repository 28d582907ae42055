# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finding and listing domains, the old ways and the new."""

from __future__ import annotations

from collections.abc import Callable

from virtproxy.driver import Call, ErrorCode, ListFlags, Type, implements, param, remote
from virtproxy.drivers.test.guests import Guest, State
from virtproxy.drivers.test.host import TestHost

# The pairs of list flags: a guest must match one of those given of each pair.
_FILTERS: tuple[tuple[tuple[int, Callable[[Guest], bool]], ...], ...] = (
    ((1, lambda guest: guest.active), (2, lambda guest: not guest.active)),
    ((4, lambda guest: guest.persistent), (8, lambda guest: not guest.persistent)),
    (
        (16, lambda guest: guest.state is State.RUNNING),
        (32, lambda guest: guest.state is State.PAUSED),
        (64, lambda guest: guest.state is State.SHUTOFF),
        (128, lambda guest: False),
    ),
    ((256, lambda guest: guest.managed_save), (512, lambda guest: not guest.managed_save)),
    ((1024, lambda guest: guest.autostart), (2048, lambda guest: not guest.autostart)),
    ((4096, lambda guest: len(guest.snapshots) > 0), (8192, lambda guest: not len(guest.snapshots))),
    ((16384, lambda guest: len(guest.checkpoints) > 0), (32768, lambda guest: not len(guest.checkpoints))),
)
LIST_FLAGS = sum(bit for group in _FILTERS for bit, _ in group)
_POLL_TYPES = {"poll_max_ns": Type.ULLONG, "poll_grow": Type.UINT, "poll_shrink": Type.UINT}
_NOWAIT = 1 << 29
_BACKING = 1 << 30
_ENFORCE = 1 << 31
_STATS_STATE, _STATS_IOTHREAD = 1, 128
_STATS_KNOWN = _STATS_STATE | _STATS_IOTHREAD
GUESTS: ListFlags[Guest] = ListFlags(*_FILTERS)


class Lookups(TestHost):
    """Lookups, lists and counts."""

    @implements(remote.DOMAIN_LOOKUP_BY_ID)
    async def lookup_by_id(self, call: Call, args: remote.DomainLookupByIdArgs) -> remote.DomainLookupByIdRet:
        guest = self.guests.by_id(args.id)
        call.authorize(guest)
        return remote.DomainLookupByIdRet(dom=guest.ref())

    @implements(remote.DOMAIN_LOOKUP_BY_NAME)
    async def lookup_by_name(self, call: Call, args: remote.DomainLookupByNameArgs) -> remote.DomainLookupByNameRet:
        guest = self.guests.by_name(args.name)
        call.authorize(guest)
        return remote.DomainLookupByNameRet(dom=guest.ref())

    @implements(remote.DOMAIN_LOOKUP_BY_UUID)
    async def lookup_by_uuid(self, call: Call, args: remote.DomainLookupByUuidArgs) -> remote.DomainLookupByUuidRet:
        guest = self.guests.by_uuid(args.uuid)
        call.authorize(guest)
        return remote.DomainLookupByUuidRet(dom=guest.ref())

    @implements(remote.CONNECT_NUM_OF_DOMAINS)
    async def num_of_domains(self, call: Call, args: None) -> remote.ConnectNumOfDomainsRet:
        return remote.ConnectNumOfDomainsRet(num=len(self._visible(call, active=True)))

    @implements(remote.CONNECT_LIST_DOMAINS)
    async def list_domains(self, call: Call, args: remote.ConnectListDomainsArgs) -> remote.ConnectListDomainsRet:
        return remote.ConnectListDomainsRet(ids=[guest.id for guest in self._visible(call, active=True)])

    @implements(remote.CONNECT_NUM_OF_DEFINED_DOMAINS)
    async def num_of_defined(self, call: Call, args: None) -> remote.ConnectNumOfDefinedDomainsRet:
        return remote.ConnectNumOfDefinedDomainsRet(num=len(self._visible(call, active=False)))

    @implements(remote.CONNECT_LIST_DEFINED_DOMAINS)
    async def list_defined(
        self, call: Call, args: remote.ConnectListDefinedDomainsArgs
    ) -> remote.ConnectListDefinedDomainsRet:
        return remote.ConnectListDefinedDomainsRet(names=[guest.name for guest in self._visible(call, active=False)])

    @implements(remote.CONNECT_LIST_ALL_DOMAINS)
    async def list_all(self, call: Call, args: remote.ConnectListAllDomainsArgs) -> remote.ConnectListAllDomainsRet:
        call.check_flags(args.flags, LIST_FLAGS)
        found = [guest.ref() for guest in GUESTS.select(call.visible(self.guests), args.flags)]
        return remote.ConnectListAllDomainsRet(domains=found, ret=len(found))

    @implements(remote.CONNECT_GET_ALL_DOMAIN_STATS)
    async def all_stats(
        self, call: Call, args: remote.ConnectGetAllDomainStatsArgs
    ) -> remote.ConnectGetAllDomainStatsRet:
        call.check_flags(args.flags, LIST_FLAGS, _NOWAIT, _BACKING, _ENFORCE)
        unknown = args.stats & ~_STATS_KNOWN
        if unknown and args.flags & _ENFORCE:
            detail = f"Stats types bits 0x{unknown:x} are not supported by this daemon"
            raise call.error(ErrorCode.ARGUMENT_UNSUPPORTED, detail)
        asked = [self.guests.by_ref(ref) for ref in args.doms] if args.doms else self.guests
        wanted = args.stats or _STATS_KNOWN
        records = [_record(guest, wanted) for guest in GUESTS.select(call.visible(asked), args.flags)]
        return remote.ConnectGetAllDomainStatsRet(ret_stats=records)

    def _visible(self, call: Call, *, active: bool) -> list[Guest]:
        return [guest for guest in call.visible(self.guests) if guest.active is active]


def _record(guest: Guest, wanted: int) -> remote.DomainStatsRecord:
    params = []
    if wanted & _STATS_STATE:
        params = [param("state.state", int(guest.state)), param("state.reason", int(guest.reason))]
    if wanted & _STATS_IOTHREAD and guest.polls:
        params.append(param("iothread.count", len(guest.polls), Type.UINT))
        for id, polls in guest.polls.items():
            params += [
                param(f"iothread.{id}.{field.replace('_', '-')}", value, _POLL_TYPES[field])
                for field, value in polls.items()
            ]
    return remote.DomainStatsRecord(guest.ref(), params)
