# SPDX-License-Identifier: LGPL-2.1-or-later
"""Making, starting, stopping and dropping domains, and the events that tell of it."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.affect import check_schema
from virtproxy.drivers.test.guests import Guest, State, invalid
from virtproxy.drivers.test.runs import (
    ADDED,
    DEFINED_RENAMED,
    PAUSED_BY_USER,
    PAUSED_USER,
    REMOVED,
    RESUMED_UNPAUSED,
    RUNNING_BOOTED,
    RUNNING_UNPAUSED,
    SHUTOFF_DESTROYED,
    SHUTOFF_SHUTDOWN,
    STARTED_BOOTED,
    STOPPED_DESTROYED,
    STOPPED_SHUTDOWN,
    UNDEFINED_RENAMED,
    UPDATED,
    Event,
    Runs,
)

START_VALIDATE = 1 << 4
DEFINE_VALIDATE = 1
DESTROY_GRACEFUL = 1
UNDEFINE_MANAGED_SAVE, UNDEFINE_SNAPSHOTS = 1, 2
REBOOT_MODES = 0x1F


class Lifecycle(Runs):
    """What changes whether a domain is there and whether it runs."""

    @implements(remote.DOMAIN_CREATE_XML)
    async def create_xml(self, call: Call, args: remote.DomainCreateXmlArgs) -> remote.DomainCreateXmlRet:
        call.check_flags(args.flags, START_VALIDATE)
        return remote.DomainCreateXmlRet(dom=self._create_xml(call, args.xml_desc, args.flags).ref())

    @implements(remote.DOMAIN_CREATE_XML_WITH_FILES)
    async def create_xml_with_files(
        self, call: Call, args: remote.DomainCreateXmlWithFilesArgs
    ) -> remote.DomainCreateXmlWithFilesRet:
        call.check_flags(args.flags, START_VALIDATE)
        return remote.DomainCreateXmlWithFilesRet(dom=self._create_xml(call, args.xml_desc, args.flags).ref())

    @implements(remote.DOMAIN_DEFINE_XML)
    async def define(self, call: Call, args: remote.DomainDefineXmlArgs) -> remote.DomainDefineXmlRet:
        return remote.DomainDefineXmlRet(dom=self._define(call, args.xml, 0))

    @implements(remote.DOMAIN_DEFINE_XML_FLAGS)
    async def define_flags(self, call: Call, args: remote.DomainDefineXmlFlagsArgs) -> remote.DomainDefineXmlFlagsRet:
        call.check_flags(args.flags, DEFINE_VALIDATE)
        return remote.DomainDefineXmlFlagsRet(dom=self._define(call, args.xml, args.flags))

    @implements(remote.DOMAIN_UNDEFINE)
    async def undefine(self, call: Call, args: remote.DomainUndefineArgs) -> None:
        self._undefine(call, args.dom, 0)

    @implements(remote.DOMAIN_UNDEFINE_FLAGS)
    async def undefine_flags(self, call: Call, args: remote.DomainUndefineFlagsArgs) -> None:
        call.check_flags(args.flags, UNDEFINE_MANAGED_SAVE, UNDEFINE_SNAPSHOTS)
        self._undefine(call, args.dom, args.flags)

    @implements(remote.DOMAIN_CREATE)
    async def create(self, call: Call, args: remote.DomainCreateArgs) -> None:
        self._create(call, args.dom)

    @implements(remote.DOMAIN_CREATE_WITH_FLAGS)
    async def create_flags(self, call: Call, args: remote.DomainCreateWithFlagsArgs) -> remote.DomainCreateWithFlagsRet:
        call.check_flags(args.flags)
        return remote.DomainCreateWithFlagsRet(dom=self._create(call, args.dom).ref())

    @implements(remote.DOMAIN_CREATE_WITH_FILES)
    async def create_with_files(
        self, call: Call, args: remote.DomainCreateWithFilesArgs
    ) -> remote.DomainCreateWithFilesRet:
        call.check_flags(args.flags)
        return remote.DomainCreateWithFilesRet(dom=self._create(call, args.dom).ref())

    @implements(remote.DOMAIN_DESTROY)
    async def destroy(self, call: Call, args: remote.DomainDestroyArgs) -> None:
        self._destroy(call, args.dom)

    @implements(remote.DOMAIN_DESTROY_FLAGS)
    async def destroy_flags(self, call: Call, args: remote.DomainDestroyFlagsArgs) -> None:
        call.check_flags(args.flags, DESTROY_GRACEFUL)
        self._destroy(call, args.dom)

    @implements(remote.DOMAIN_SHUTDOWN)
    async def shutdown(self, call: Call, args: remote.DomainShutdownArgs) -> None:
        self._shutdown(call, args.dom)

    @implements(remote.DOMAIN_SHUTDOWN_FLAGS)
    async def shutdown_flags(self, call: Call, args: remote.DomainShutdownFlagsArgs) -> None:
        call.check_flags(args.flags)
        self._shutdown(call, args.dom)

    @implements(remote.DOMAIN_REBOOT)
    async def reboot(self, call: Call, args: remote.DomainRebootArgs) -> None:
        call.check_flags(args.flags, REBOOT_MODES)
        guest = self.subject(call, args.dom)
        self._act(guest, guest.active_document().action("reboot"))

    @implements(remote.DOMAIN_RESET)
    async def reset_domain(self, call: Call, args: remote.DomainResetArgs) -> None:
        call.check_flags(args.flags)
        guest = self.subject(call, args.dom)
        guest.active_document()

    @implements(remote.DOMAIN_SUSPEND)
    async def suspend(self, call: Call, args: remote.DomainSuspendArgs) -> None:
        guest = self.subject(call, args.dom)
        if guest.state is not State.RUNNING:
            raise call.error(ErrorCode.INTERNAL_ERROR, f"domain '{guest.name}' not running")
        self.pause(guest, PAUSED_USER, PAUSED_BY_USER)

    @implements(remote.DOMAIN_RESUME)
    async def resume(self, call: Call, args: remote.DomainResumeArgs) -> None:
        guest = self.subject(call, args.dom)
        if guest.state is not State.PAUSED:
            raise call.error(ErrorCode.INTERNAL_ERROR, f"domain '{guest.name}' not paused")
        guest.state, guest.reason = State.RUNNING, RUNNING_UNPAUSED
        self.tell(guest, Event.RESUMED, RESUMED_UNPAUSED)

    @implements(remote.DOMAIN_RENAME)
    async def rename(self, call: Call, args: remote.DomainRenameArgs) -> remote.DomainRenameRet:
        call.check_flags(args.flags)
        guest = self.subject(call, args.dom)
        if guest.active:
            raise invalid("cannot rename active domain")
        self.guests.check_new_name(guest, args.new_name or "")
        self.tell(guest, Event.UNDEFINED, UNDEFINED_RENAMED)
        self.guests.rename(guest, args.new_name or "")
        self.tell(guest, Event.DEFINED, DEFINED_RENAMED)
        return remote.DomainRenameRet(retcode=0)

    def _create_xml(self, call: Call, xml: str, flags: int) -> Guest:
        document = _document(xml, flags & START_VALIDATE)
        call.authorize(document)
        guest = self.guests.place(document, must_be_stopped=True)
        self.begin(guest, document, RUNNING_BOOTED, STARTED_BOOTED)
        return guest

    def _define(self, call: Call, xml: str, flags: int) -> remote.NonnullDomain:
        document = _document(xml, flags & DEFINE_VALIDATE)
        call.authorize(document)
        guest = self.guests.place(document, must_be_stopped=False)
        detail = UPDATED if guest.was_defined else ADDED
        guest.config = document
        self.tell(guest, Event.DEFINED, detail)
        return guest.ref()

    def _undefine(self, call: Call, dom: remote.NonnullDomain, flags: int) -> None:
        guest = self.subject(call, dom)
        if guest.managed_save and not flags & UNDEFINE_MANAGED_SAVE:
            raise invalid("Refusing to undefine while domain managed save image exists")
        count = len(guest.snapshots)
        if count and not guest.active and not flags & UNDEFINE_SNAPSHOTS:
            raise invalid(f"cannot delete inactive domain with {count} snapshots")
        if not guest.active:
            guest.snapshots.clear()
        guest.undefine()
        self.tell(guest, Event.UNDEFINED, REMOVED)
        self.guests.forget(guest)

    def _create(self, call: Call, dom: remote.NonnullDomain) -> Guest:
        guest = self.subject(call, dom)
        if guest.active:
            raise call.error(ErrorCode.INTERNAL_ERROR, f"Domain '{guest.name}' is already running")
        self.begin(guest, guest.document, RUNNING_BOOTED, STARTED_BOOTED)
        return guest

    def _destroy(self, call: Call, dom: remote.NonnullDomain) -> None:
        guest = self.subject(call, dom)
        guest.active_document()
        self.end(guest, SHUTOFF_DESTROYED, STOPPED_DESTROYED)

    def _shutdown(self, call: Call, dom: remote.NonnullDomain) -> None:
        guest = self.subject(call, dom)
        if guest.live is None:
            raise call.error(ErrorCode.INTERNAL_ERROR, f"domain '{guest.name}' not running")
        self._act(guest, guest.live.action("poweroff"))

    def _act(self, guest: Guest, action: str) -> None:
        """Carry out what the document says is to happen: run on as if booted, or stop."""
        if action in ("restart", "rename-restart"):
            guest.state, guest.reason = State.RUNNING, RUNNING_BOOTED
        else:
            self.end(guest, SHUTOFF_SHUTDOWN, STOPPED_SHUTDOWN)


def _document(xml: str, check: int) -> DomainDocument:
    """The domain that a client describes; with `check`, only if the schema allows it. VirtError."""
    if check:
        check_schema(xml, "domain")
    return DomainDocument(xml)
