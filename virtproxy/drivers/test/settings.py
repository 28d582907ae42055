# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be set on a domain: memory, vCPUs, autostart. And what can be read of it again."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.driver import Call, ErrorCode, ErrorDomain, VirtError, implements, remote
from virtproxy.drivers.test.guests import Guest, invalid
from virtproxy.drivers.test.host import VCPUS_MAX, TestHost

LIVE, CONFIG = 1, 2
MAXIMUM = 4


def chosen(guest: Guest, flags: int) -> list[DomainDocument]:
    """The documents that LIVE and CONFIG mean; neither means the current one. VirtError if one is not there."""
    if not flags & (LIVE | CONFIG):
        return [guest.document]
    live = [guest.active_document()] if flags & LIVE else []
    return live + ([guest.config_document()] if flags & CONFIG else [])


def one_chosen(guest: Guest, flags: int) -> DomainDocument:
    """The only document that is meant; VirtError if both LIVE and CONFIG are given."""
    if flags & LIVE and flags & CONFIG:
        raise VirtError(
            ErrorCode.INVALID_ARG,
            "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive",
            domain=ErrorDomain.DOMAIN, str1="virDomainObjGetOneDefState", str2="flags", int1=0, int2=0,
        )  # fmt: skip
    return chosen(guest, flags)[0]


class Settings(TestHost):
    """Memory, vCPUs and autostart."""

    @implements(remote.DOMAIN_GET_MAX_MEMORY)
    async def max_memory(self, call: Call, args: remote.DomainGetMaxMemoryArgs) -> remote.DomainGetMaxMemoryRet:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        return remote.DomainGetMaxMemoryRet(memory=guest.document.max_memory)

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

    @implements(remote.DOMAIN_GET_MAX_VCPUS)
    async def domain_max_vcpus(self, call: Call, args: remote.DomainGetMaxVcpusArgs) -> remote.DomainGetMaxVcpusRet:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        return remote.DomainGetMaxVcpusRet(num=guest.active_document().max_vcpus)

    @implements(remote.DOMAIN_GET_VCPUS_FLAGS)
    async def vcpus_flags(self, call: Call, args: remote.DomainGetVcpusFlagsArgs) -> remote.DomainGetVcpusFlagsRet:
        call.check_flags(args.flags, LIVE, CONFIG, MAXIMUM)
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        document = one_chosen(guest, args.flags)
        return remote.DomainGetVcpusFlagsRet(num=document.max_vcpus if args.flags & MAXIMUM else document.vcpus)

    @implements(remote.DOMAIN_SET_VCPUS)
    async def set_vcpus(self, call: Call, args: remote.DomainSetVcpusArgs) -> None:
        self._set_vcpus(call, args.dom, args.nvcpus, LIVE)

    @implements(remote.DOMAIN_SET_VCPUS_FLAGS)
    async def set_vcpus_flags(self, call: Call, args: remote.DomainSetVcpusFlagsArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG, MAXIMUM)
        self._set_vcpus(call, args.dom, args.nvcpus, args.flags)

    @implements(remote.DOMAIN_GET_AUTOSTART)
    async def autostart(self, call: Call, args: remote.DomainGetAutostartArgs) -> remote.DomainGetAutostartRet:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        return remote.DomainGetAutostartRet(autostart=int(guest.autostart))

    @implements(remote.DOMAIN_SET_AUTOSTART)
    async def set_autostart(self, call: Call, args: remote.DomainSetAutostartArgs) -> None:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        guest.autostart = bool(args.autostart)

    def _set_memory(self, call: Call, dom: remote.NonnullDomain, kib: int, flags: int) -> None:
        guest = self.guests.by_ref(dom)
        call.authorize(guest)
        document = one_chosen(guest, flags)
        if flags & MAXIMUM:
            if document is guest.live:
                raise invalid("cannot resize the maximum memory on an active domain")
            document.max_memory = kib
        elif kib > document.max_memory:
            raise call.error(ErrorCode.INVALID_ARG, "cannot set memory higher than max memory")
        else:
            document.memory = kib

    def _set_vcpus(self, call: Call, dom: remote.NonnullDomain, count: int, flags: int) -> None:
        guest = self.guests.by_ref(dom)
        call.authorize(guest)
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
