# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain tells of itself: state, figures, XML, security label."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, ErrorDomain, VirtError, implements, remote
from virtproxy.drivers.test.figure_sources import GUEST_TIME, cpu_map
from virtproxy.drivers.test.guests import Guest, invalid
from virtproxy.drivers.test.host import TestHost

XML_SECURE, XML_INACTIVE, XML_MIGRATABLE = 1, 2, 8
_VCPU_RUNNING = 1
_LAST_CPU = 15


class Reports(TestHost):
    """Read-only answers about one domain."""

    @implements(remote.DOMAIN_GET_INFO)
    async def info(self, call: Call, args: remote.DomainGetInfoArgs) -> remote.DomainGetInfoRet:
        guest = self._guest(call, args.dom)
        document = guest.document
        return remote.DomainGetInfoRet(
            state=guest.state,
            max_mem=document.max_memory,
            memory=document.memory,
            nr_virt_cpu=document.vcpus,
            cpu_time=self._cpu_time(),
        )

    @implements(remote.DOMAIN_GET_STATE)
    async def state(self, call: Call, args: remote.DomainGetStateArgs) -> remote.DomainGetStateRet:
        call.check_flags(args.flags)
        guest = self._guest(call, args.dom)
        return remote.DomainGetStateRet(state=guest.state, reason=guest.reason)

    @implements(remote.DOMAIN_GET_XML_DESC)
    async def xml(self, call: Call, args: remote.DomainGetXmlDescArgs) -> remote.DomainGetXmlDescRet:
        call.check_flags(args.flags, XML_SECURE, XML_INACTIVE, XML_MIGRATABLE)
        guest = self._guest(call, args.dom)
        inactive = guest.inactive_document
        if args.flags & XML_INACTIVE or guest.live is None:
            return remote.DomainGetXmlDescRet(xml=(inactive or guest.document).format())
        return remote.DomainGetXmlDescRet(xml=guest.live.format(guest.id))

    @implements(remote.DOMAIN_GET_OS_TYPE)
    async def os_type(self, call: Call, args: remote.DomainGetOsTypeArgs) -> remote.DomainGetOsTypeRet:
        self._guest(call, args.dom)
        return remote.DomainGetOsTypeRet(type="linux")

    @implements(remote.DOMAIN_IS_ACTIVE)
    async def is_active(self, call: Call, args: remote.DomainIsActiveArgs) -> remote.DomainIsActiveRet:
        return remote.DomainIsActiveRet(active=int(self._guest(call, args.dom).active))

    @implements(remote.DOMAIN_IS_PERSISTENT)
    async def is_persistent(self, call: Call, args: remote.DomainIsPersistentArgs) -> remote.DomainIsPersistentRet:
        return remote.DomainIsPersistentRet(persistent=int(self._guest(call, args.dom).persistent))

    @implements(remote.DOMAIN_IS_UPDATED)
    async def is_updated(self, call: Call, args: remote.DomainIsUpdatedArgs) -> remote.DomainIsUpdatedRet:
        self._guest(call, args.dom)
        return remote.DomainIsUpdatedRet(updated=0)

    @implements(remote.DOMAIN_HAS_MANAGED_SAVE_IMAGE)
    async def has_managed_save(
        self, call: Call, args: remote.DomainHasManagedSaveImageArgs
    ) -> remote.DomainHasManagedSaveImageRet:
        call.check_flags(args.flags)
        return remote.DomainHasManagedSaveImageRet(result=int(self._guest(call, args.dom).managed_save))

    @implements(remote.DOMAIN_GET_SECURITY_LABEL)
    async def security_label(
        self, call: Call, args: remote.DomainGetSecurityLabelArgs
    ) -> remote.DomainGetSecurityLabelRet:
        running = self._guest(call, args.dom).active
        label = b"libvirt-test\0" if running else b"\0"
        return remote.DomainGetSecurityLabelRet(label=label, enforcing=int(running))

    @implements(remote.DOMAIN_GET_CONTROL_INFO)
    async def control_info(self, call: Call, args: remote.DomainGetControlInfoArgs) -> remote.DomainGetControlInfoRet:
        call.check_flags(args.flags)
        self._guest(call, args.dom).active_document()
        return remote.DomainGetControlInfoRet(state=0, details=0, state_time=0)

    @implements(remote.DOMAIN_GET_HOSTNAME)
    async def guest_hostname(self, call: Call, args: remote.DomainGetHostnameArgs) -> remote.DomainGetHostnameRet:
        guest = self._guest(call, args.dom)
        guest.active_document()
        return remote.DomainGetHostnameRet(hostname=f"{guest.name}host")

    @implements(remote.DOMAIN_GET_TIME)
    async def guest_time(self, call: Call, args: remote.DomainGetTimeArgs) -> remote.DomainGetTimeRet:
        call.check_flags(args.flags)
        if not self._guest(call, args.dom).active:
            raise invalid("domain is not running")
        return remote.DomainGetTimeRet(seconds=GUEST_TIME, nseconds=0)

    @implements(remote.DOMAIN_GET_VCPUS)
    async def vcpus(self, call: Call, args: remote.DomainGetVcpusArgs) -> remote.DomainGetVcpusRet:
        document = self._guest(call, args.dom).live
        if document is None:
            raise invalid("cannot list vcpus for an inactive domain")
        count = min(document.vcpus, max(args.maxinfo, 0))
        time = self._cpu_time() // 10000
        info = [remote.VcpuInfo(number=n, state=_VCPU_RUNNING, cpu_time=time, cpu=_LAST_CPU) for n in range(count)]
        return remote.DomainGetVcpusRet(info=info, cpumaps=cpu_map(args.maplen) * count)

    @implements(remote.DOMAIN_GET_METADATA)
    async def metadata(self, call: Call, args: remote.DomainGetMetadataArgs) -> remote.DomainGetMetadataRet:
        call.check_flags(args.flags, 0b11)
        document = self._guest(call, args.dom).document
        path = {0: "description", 1: "title"}.get(args.type)
        found = document.root.value(path) if path else None
        if not found:
            detail = "Requested metadata element is not present"
            raise VirtError.of(ErrorCode.NO_DOMAIN_METADATA, detail, domain=ErrorDomain.DOMAIN)
        return remote.DomainGetMetadataRet(metadata=found)

    def _guest(self, call: Call, dom: remote.NonnullDomain) -> Guest:
        guest = self.guests.by_ref(dom)
        call.authorize(guest)
        return guest

    def _cpu_time(self) -> int:
        """Nanoseconds, from a clock of microseconds."""
        return int(self.now() * 1_000_000) * 1000
