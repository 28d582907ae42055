# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain tells of itself: state, figures, XML, security label."""

from __future__ import annotations

from virtproxy.driver import Call, implements, remote
from virtproxy.drivers.test.host import TestHost

XML_SECURE, XML_INACTIVE, XML_MIGRATABLE = 1, 2, 8


class Reports(TestHost):
    """Read-only answers about one domain."""

    @implements(remote.DOMAIN_GET_INFO)
    async def info(self, call: Call, args: remote.DomainGetInfoArgs) -> remote.DomainGetInfoRet:
        guest = self.subject(call, args.dom)
        document = guest.document
        return remote.DomainGetInfoRet(
            state=guest.state,
            max_mem=document.max_memory,
            memory=document.memory,
            nr_virt_cpu=document.vcpus,
            cpu_time=self.cpu_time(),
        )

    @implements(remote.DOMAIN_GET_STATE)
    async def state(self, call: Call, args: remote.DomainGetStateArgs) -> remote.DomainGetStateRet:
        call.check_flags(args.flags)
        guest = self.subject(call, args.dom)
        return remote.DomainGetStateRet(state=guest.state, reason=guest.reason)

    @implements(remote.DOMAIN_GET_AUTOSTART)
    async def autostart(self, call: Call, args: remote.DomainGetAutostartArgs) -> remote.DomainGetAutostartRet:
        return remote.DomainGetAutostartRet(autostart=int(self.subject(call, args.dom).autostart))

    @implements(remote.DOMAIN_SET_AUTOSTART)
    async def set_autostart(self, call: Call, args: remote.DomainSetAutostartArgs) -> None:
        self.subject(call, args.dom).autostart = bool(args.autostart)

    @implements(remote.DOMAIN_GET_XML_DESC)
    async def xml(self, call: Call, args: remote.DomainGetXmlDescArgs) -> remote.DomainGetXmlDescRet:
        call.check_flags(args.flags, XML_SECURE, XML_INACTIVE, XML_MIGRATABLE)
        guest = self.subject(call, args.dom)
        inactive = guest.inactive_document
        if args.flags & XML_INACTIVE or guest.live is None:
            return remote.DomainGetXmlDescRet(xml=(inactive or guest.document).format(flags=args.flags))
        return remote.DomainGetXmlDescRet(xml=guest.live.format(guest.id, args.flags))

    @implements(remote.DOMAIN_GET_OS_TYPE)
    async def os_type(self, call: Call, args: remote.DomainGetOsTypeArgs) -> remote.DomainGetOsTypeRet:
        self.subject(call, args.dom)
        return remote.DomainGetOsTypeRet(type="linux")

    @implements(remote.DOMAIN_IS_ACTIVE)
    async def is_active(self, call: Call, args: remote.DomainIsActiveArgs) -> remote.DomainIsActiveRet:
        return remote.DomainIsActiveRet(active=int(self.subject(call, args.dom).active))

    @implements(remote.DOMAIN_IS_PERSISTENT)
    async def is_persistent(self, call: Call, args: remote.DomainIsPersistentArgs) -> remote.DomainIsPersistentRet:
        return remote.DomainIsPersistentRet(persistent=int(self.subject(call, args.dom).persistent))

    @implements(remote.DOMAIN_IS_UPDATED)
    async def is_updated(self, call: Call, args: remote.DomainIsUpdatedArgs) -> remote.DomainIsUpdatedRet:
        self.subject(call, args.dom)
        return remote.DomainIsUpdatedRet(updated=0)

    @implements(remote.DOMAIN_GET_SECURITY_LABEL)
    async def security_label(
        self, call: Call, args: remote.DomainGetSecurityLabelArgs
    ) -> remote.DomainGetSecurityLabelRet:
        running = self.subject(call, args.dom).active
        label = b"libvirt-test\0" if running else b"\0"
        return remote.DomainGetSecurityLabelRet(label=label, enforcing=int(running))

    @implements(remote.DOMAIN_GET_CONTROL_INFO)
    async def control_info(self, call: Call, args: remote.DomainGetControlInfoArgs) -> remote.DomainGetControlInfoRet:
        call.check_flags(args.flags)
        self.subject(call, args.dom).active_document()
        return remote.DomainGetControlInfoRet(state=0, details=0, state_time=0)
