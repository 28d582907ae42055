# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's vCPUs: how many, where they and the emulator may run, how long they ran."""

from __future__ import annotations

from collections.abc import Iterator

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.domain.values import cpu_numbers
from virtproxy.driver import Call, ErrorCode, Type, implements, param, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, STRINGS, chosen, one_chosen
from virtproxy.drivers.test.guests import invalid
from virtproxy.drivers.test.host import VCPUS_MAX, TestHost
from virtproxy.drivers.test.maps import ALL_CPUS, from_bits, to_bits

MAXIMUM = 4
_VCPU_RUNNING = 1
_LAST_CPU = 15
# What two host CPUs ran a guest for, in nanoseconds; the second one a nanosecond longer.
HOST_CPUS_USED = 2
TOTALS = {"cpu_time": 48772617035, "user_time": 5540000000, "system_time": 6460000000}
EACH = {"cpu_time": 24386308517, "vcpu_time": 23151740627}


class Vcpus(TestHost):
    """Counts, pinning and times."""

    @implements(remote.DOMAIN_GET_MAX_VCPUS)
    async def domain_max_vcpus(self, call: Call, args: remote.DomainGetMaxVcpusArgs) -> remote.DomainGetMaxVcpusRet:
        return remote.DomainGetMaxVcpusRet(num=self.subject(call, args.dom).active_document().max_vcpus)

    @implements(remote.DOMAIN_GET_VCPUS_FLAGS)
    async def vcpus_flags(self, call: Call, args: remote.DomainGetVcpusFlagsArgs) -> remote.DomainGetVcpusFlagsRet:
        call.check_flags(args.flags, LIVE, CONFIG, MAXIMUM)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        return remote.DomainGetVcpusFlagsRet(num=document.max_vcpus if args.flags & MAXIMUM else document.vcpus)

    @implements(remote.DOMAIN_SET_VCPUS)
    async def set_vcpus(self, call: Call, args: remote.DomainSetVcpusArgs) -> None:
        self._set_vcpus(call, args.dom, args.nvcpus, LIVE)

    @implements(remote.DOMAIN_SET_VCPUS_FLAGS)
    async def set_vcpus_flags(self, call: Call, args: remote.DomainSetVcpusFlagsArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG, MAXIMUM)
        self._set_vcpus(call, args.dom, args.nvcpus, args.flags)

    @implements(remote.DOMAIN_GET_VCPUS)
    async def vcpus(self, call: Call, args: remote.DomainGetVcpusArgs) -> remote.DomainGetVcpusRet:
        document = self.subject(call, args.dom).live
        if document is None:
            raise invalid("cannot list vcpus for an inactive domain")
        pins = _pins(document)[: max(args.maxinfo, 0)]
        time = self.cpu_time() // 10000
        info = [
            remote.VcpuInfo(number=n, state=_VCPU_RUNNING, cpu_time=time, cpu=_LAST_CPU if pin is None else max(pin))
            for n, pin in enumerate(pins)
        ]
        maps = b"".join(to_bits(ALL_CPUS if pin is None else pin, args.maplen) for pin in pins)
        return remote.DomainGetVcpusRet(info=info, cpumaps=maps)

    @implements(remote.DOMAIN_PIN_VCPU)
    async def pin_vcpu(self, call: Call, args: remote.DomainPinVcpuArgs) -> None:
        self._pin_vcpu(call, args.dom, args.vcpu, args.cpumap)

    @implements(remote.DOMAIN_PIN_VCPU_FLAGS)
    async def pin_vcpu_flags(self, call: Call, args: remote.DomainPinVcpuFlagsArgs) -> None:
        call.check_flags(args.flags)
        self._pin_vcpu(call, args.dom, args.vcpu, args.cpumap)

    @implements(remote.DOMAIN_GET_VCPU_PIN_INFO)
    async def vcpu_pins(self, call: Call, args: remote.DomainGetVcpuPinInfoArgs) -> remote.DomainGetVcpuPinInfoRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        pins = _pins(document)[: max(args.ncpumaps, 0)]
        maps = b"".join(to_bits(_default(document) if pin is None else pin, args.maplen) for pin in pins)
        return remote.DomainGetVcpuPinInfoRet(cpumaps=maps, num=len(pins))

    @implements(remote.DOMAIN_PIN_EMULATOR)
    async def pin_emulator(self, call: Call, args: remote.DomainPinEmulatorArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        document.pin_emulator(from_bits(args.cpumap))

    @implements(remote.DOMAIN_GET_EMULATOR_PIN_INFO)
    async def emulator_pins(
        self, call: Call, args: remote.DomainGetEmulatorPinInfoArgs
    ) -> remote.DomainGetEmulatorPinInfoRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        cpus = _default(document) if document.emulator_pin is None else document.emulator_pin
        return remote.DomainGetEmulatorPinInfoRet(cpumaps=to_bits(cpus, args.maplen), ret=1)

    @implements(remote.DOMAIN_GET_CPU_STATS)
    async def domain_cpu_stats(self, call: Call, args: remote.DomainGetCpuStatsArgs) -> remote.DomainGetCpuStatsRet:
        call.check_flags(args.flags, STRINGS)
        self.subject(call, args.dom).active_document()
        if args.start_cpu == -1:
            return _cpu_stats([TOTALS], args.nparams, len(TOTALS))
        if args.ncpus == 0:
            return remote.DomainGetCpuStatsRet(params=[], nparams=HOST_CPUS_USED)
        if args.start_cpu >= HOST_CPUS_USED:
            detail = f"start_cpu {args.start_cpu} larger than maximum of {HOST_CPUS_USED - 1}"
            raise call.error(ErrorCode.INVALID_ARG, detail)
        wanted = range(args.start_cpu, min(args.start_cpu + args.ncpus, HOST_CPUS_USED))
        times = [{field: value + cpu for field, value in EACH.items()} for cpu in wanted]
        return _cpu_stats(times, args.nparams, len(EACH))

    def _pin_vcpu(self, call: Call, dom: remote.NonnullDomain, vcpu: int, cpumap: bytes) -> None:
        document = self.subject(call, dom).live
        if document is None:
            raise invalid("cannot pin vcpus on an inactive domain")
        if vcpu >= document.vcpus:
            raise call.error(ErrorCode.INVALID_ARG, f"requested vcpu '{vcpu}' is not present in the domain")
        document.pin_vcpu(vcpu, from_bits(cpumap))

    def _set_vcpus(self, call: Call, dom: remote.NonnullDomain, count: int, flags: int) -> None:
        guest = self.subject(call, dom)
        if count > VCPUS_MAX:
            detail = f"requested cpu amount exceeds maximum supported amount ({count} > {VCPUS_MAX})"
            raise call.error(ErrorCode.INVALID_ARG, detail)
        documents = chosen(guest, flags)
        most = min(document.max_vcpus for document in documents)
        if not flags & MAXIMUM and count > most:
            raise call.error(ErrorCode.INVALID_ARG, f"requested cpu amount exceeds maximum ({count} > {most})")
        for document in documents:
            if flags & MAXIMUM and document is guest.config:
                document.max_vcpus = count
            else:
                document.vcpus = count


def _pins(document: DomainDocument) -> list[frozenset[int] | None]:
    """Each vCPU's own CPUs, None if it has none of its own."""
    own = document.vcpu_pins
    return [own.get(vcpu) or None for vcpu in range(document.vcpus)]


def _default(document: DomainDocument) -> frozenset[int]:
    """The CPUs for everything that is not pinned."""
    return cpu_numbers(document.root.child("vcpu").attributes.get("cpuset", "")) or ALL_CPUS


def _cpu_stats(times: list[dict[str, int]], wanted: int, known: int) -> remote.DomainGetCpuStatsRet:
    """The first `wanted` parameters of each CPU; only their number if none is wanted."""
    if wanted == 0:
        return remote.DomainGetCpuStatsRet(params=[], nparams=known)
    found = list(_flat(times, wanted))
    return remote.DomainGetCpuStatsRet(params=found, nparams=min(known, wanted))


def _flat(times: list[dict[str, int]], wanted: int) -> Iterator[remote.TypedParam]:
    for each in times:
        yield from (param(field, value, Type.ULLONG) for field, value in list(each.items())[:wanted])
