# SPDX-License-Identifier: LGPL-2.1-or-later
"""Figures that the pretended guests give of themselves: memory, disks, addresses, scheduler, pinning.

All are made up, and the same every time.
"""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.figure_sources import FILE_SYSTEMS, addresses, cpu_map, disk_paths, memory_figures
from virtproxy.drivers.test.guests import Guest
from virtproxy.drivers.test.host import TestHost

LIVE, CONFIG = 1, 2
DISK_BYTES = 1 << 40
DISK_METADATA_BYTES = 5177344
SCHEDULER = "fair"
WEIGHT = 50


class Figures(TestHost):
    """Read-only figures of one domain."""

    @implements(remote.DOMAIN_MEMORY_STATS)
    async def memory_stats(self, call: Call, args: remote.DomainMemoryStatsArgs) -> remote.DomainMemoryStatsRet:
        call.check_flags(args.flags)
        document = self._subject(call, args.dom).active_document()
        figures = memory_figures(document.memory) if document.root.find("devices/memballoon") else ()
        stats = [remote.DomainMemoryStat(tag=tag, val=value) for tag, value in figures]
        return remote.DomainMemoryStatsRet(stats=stats[: args.max_stats])

    @implements(remote.DOMAIN_GET_BLOCK_INFO)
    async def block_info(self, call: Call, args: remote.DomainGetBlockInfoArgs) -> remote.DomainGetBlockInfoRet:
        call.check_flags(args.flags)
        if args.path not in disk_paths(self._subject(call, args.dom).document):
            raise call.error(ErrorCode.INVALID_ARG, f"invalid path {args.path} not assigned to domain")
        capacity = DISK_BYTES - DISK_METADATA_BYTES
        return remote.DomainGetBlockInfoRet(allocation=DISK_BYTES, capacity=capacity, physical=DISK_BYTES)

    @implements(remote.DOMAIN_INTERFACE_ADDRESSES)
    async def interface_addresses(
        self, call: Call, args: remote.DomainInterfaceAddressesArgs
    ) -> remote.DomainInterfaceAddressesRet:
        call.check_flags(args.flags)
        guest = self._subject(call, args.dom)
        return remote.DomainInterfaceAddressesRet(ifaces=addresses(guest.active_document(), guest.id))

    @implements(remote.DOMAIN_GET_FSINFO)
    async def file_systems(self, call: Call, args: remote.DomainGetFsinfoArgs) -> remote.DomainGetFsinfoRet:
        call.check_flags(args.flags)
        has_disk = "vda" in disk_paths(self._subject(call, args.dom).active_document())
        found = list(FILE_SYSTEMS) if has_disk else []
        return remote.DomainGetFsinfoRet(info=found, ret=len(found))

    @implements(remote.DOMAIN_GET_SCHEDULER_TYPE)
    async def scheduler(self, call: Call, args: remote.DomainGetSchedulerTypeArgs) -> remote.DomainGetSchedulerTypeRet:
        self._subject(call, args.dom)
        return remote.DomainGetSchedulerTypeRet(type=SCHEDULER, nparams=1)

    @implements(remote.DOMAIN_GET_SCHEDULER_PARAMETERS)
    async def scheduler_parameters(
        self, call: Call, args: remote.DomainGetSchedulerParametersArgs
    ) -> remote.DomainGetSchedulerParametersRet:
        self._subject(call, args.dom)
        return remote.DomainGetSchedulerParametersRet(params=_weight()[: args.nparams])

    @implements(remote.DOMAIN_GET_VCPU_PIN_INFO)
    async def vcpu_pins(self, call: Call, args: remote.DomainGetVcpuPinInfoArgs) -> remote.DomainGetVcpuPinInfoRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = self._subject(call, args.dom).document
        count = min(document.vcpus, max(args.ncpumaps, 0))
        return remote.DomainGetVcpuPinInfoRet(cpumaps=cpu_map(args.maplen) * count, num=count)

    @implements(remote.DOMAIN_GET_EMULATOR_PIN_INFO)
    async def emulator_pins(
        self, call: Call, args: remote.DomainGetEmulatorPinInfoArgs
    ) -> remote.DomainGetEmulatorPinInfoRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        self._subject(call, args.dom)
        return remote.DomainGetEmulatorPinInfoRet(cpumaps=cpu_map(args.maplen), ret=1)

    @implements(remote.DOMAIN_GET_IOTHREAD_INFO)
    async def iothreads(self, call: Call, args: remote.DomainGetIothreadInfoArgs) -> remote.DomainGetIothreadInfoRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        self._subject(call, args.dom)
        return remote.DomainGetIothreadInfoRet(info=[], ret=0)

    def _subject(self, call: Call, dom: remote.NonnullDomain) -> Guest:
        guest = self.guests.by_ref(dom)
        call.authorize(guest)
        return guest


def _weight() -> list[remote.TypedParam]:
    value = remote.TypedParamValue(type=remote.TypedParameterType.UINT, value=WEIGHT)
    return [remote.TypedParam(field="weight", value=value)]
