# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's memory: how much, its limits, its statistics, and a look inside."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.driver import Call, ErrorCode, Params, Type, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, STRINGS, one_chosen
from virtproxy.drivers.test.figure_sources import memory_figures
from virtproxy.drivers.test.guests import invalid
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import inside

MAXIMUM = 4
PEEK_VIRTUAL, PEEK_PHYSICAL = 1, 2
PEEK_MAX = 4 << 20
# VIR_DOMAIN_MEMORY_PARAM_UNLIMITED, in KiB.
UNLIMITED = 9007199254740991
LIMITS = Params(hard_limit=Type.ULLONG, soft_limit=Type.ULLONG, swap_hard_limit=Type.ULLONG)


class Memory(TestHost):
    """Amounts are KiB."""

    @implements(remote.DOMAIN_GET_MAX_MEMORY)
    async def max_memory(self, call: Call, args: remote.DomainGetMaxMemoryArgs) -> remote.DomainGetMaxMemoryRet:
        return remote.DomainGetMaxMemoryRet(memory=self.subject(call, args.dom).document.max_memory)

    @implements(remote.DOMAIN_SET_MAX_MEMORY)
    async def set_max_memory(self, call: Call, args: remote.DomainSetMaxMemoryArgs) -> None:
        self._set_memory(call, args.dom, args.memory, MAXIMUM)

    @implements(remote.DOMAIN_SET_MEMORY)
    async def set_memory(self, call: Call, args: remote.DomainSetMemoryArgs) -> None:
        self._set_memory(call, args.dom, args.memory, LIVE)

    @implements(remote.DOMAIN_SET_MEMORY_FLAGS)
    async def set_memory_flags(self, call: Call, args: remote.DomainSetMemoryFlagsArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG, MAXIMUM)
        self._set_memory(call, args.dom, args.memory, args.flags)

    @implements(remote.DOMAIN_GET_MEMORY_PARAMETERS)
    async def memory_limits(
        self, call: Call, args: remote.DomainGetMemoryParametersArgs
    ) -> remote.DomainGetMemoryParametersRet:
        call.check_flags(args.flags, LIVE, CONFIG, STRINGS)
        values = _limits(one_chosen(self.subject(call, args.dom), args.flags))
        return remote.DomainGetMemoryParametersRet(params=LIMITS.format(values), nparams=len(LIMITS))

    @implements(remote.DOMAIN_SET_MEMORY_PARAMETERS)
    async def set_memory_limits(self, call: Call, args: remote.DomainSetMemoryParametersArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        wanted = LIMITS.parse(args.params)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        limits = _limits(document) | {field: min(value, UNLIMITED) for field, value in wanted.items()}
        if limits["hard_limit"] > limits["swap_hard_limit"]:
            detail = "memory hard_limit tunable value must be lower than or equal to swap_hard_limit"
            raise call.error(ErrorCode.INVALID_ARG, detail)
        texts = {field: None if value == UNLIMITED else str(value) for field, value in limits.items()}
        document.set_texts("memtune", texts)

    @implements(remote.DOMAIN_MEMORY_STATS)
    async def memory_stats(self, call: Call, args: remote.DomainMemoryStatsArgs) -> remote.DomainMemoryStatsRet:
        call.check_flags(args.flags)
        document = self.subject(call, args.dom).active_document()
        figures = memory_figures(document.memory) if document.root.find("devices/memballoon") else ()
        stats = [remote.DomainMemoryStat(tag=tag, val=value) for tag, value in figures]
        return remote.DomainMemoryStatsRet(stats=stats[: args.max_stats])

    @implements(remote.DOMAIN_SET_MEMORY_STATS_PERIOD)
    async def set_stats_period(self, call: Call, args: remote.DomainSetMemoryStatsPeriodArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        balloon = one_chosen(self.subject(call, args.dom), args.flags).root.find("devices/memballoon")
        if balloon is None or balloon.attributes.get("model") == "none":
            detail = "No memory balloon device configured, can not set the collection period"
            raise call.error(ErrorCode.INTERNAL_ERROR, detail)
        balloon.remove("stats")
        if args.period:
            inside(balloon, "stats").attributes["period"] = str(args.period)

    @implements(remote.DOMAIN_MEMORY_PEEK)
    async def memory_peek(self, call: Call, args: remote.DomainMemoryPeekArgs) -> remote.DomainMemoryPeekRet:
        if args.flags not in (PEEK_VIRTUAL, PEEK_PHYSICAL):
            detail = "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"
            raise call.error(ErrorCode.INVALID_ARG, detail)
        self.subject(call, args.dom).active_document()
        if args.size > PEEK_MAX:
            raise call.error(ErrorCode.INTERNAL_ERROR, "size > maximum buffer size")
        start = args.offset % 256
        whole = bytes(range(256)) * (args.size // 256 + 2)
        return remote.DomainMemoryPeekRet(buffer=whole[start : start + args.size])

    def _set_memory(self, call: Call, dom: remote.NonnullDomain, kib: int, flags: int) -> None:
        guest = self.subject(call, dom)
        document = one_chosen(guest, flags)
        if flags & MAXIMUM:
            if document is guest.live:
                raise invalid("cannot resize the maximum memory on an active domain")
            document.max_memory = kib
        elif kib > document.max_memory:
            raise call.error(ErrorCode.INVALID_ARG, "cannot set memory higher than max memory")
        else:
            document.memory = kib


def _limits(document: DomainDocument) -> dict[str, int]:
    """Every limit, those that are not set included."""
    held = document.texts("memtune")
    return {field: int(held.get(field, UNLIMITED)) for field in LIMITS.fields}
