# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver for virtproxy whose guests are nothing but a name: they are defined, switched on and switched off.

docs/writing-a-driver.md explains it line by line.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import count

from virtproxy.documents.markup import format_document, parse
from virtproxy.driver import (
    Call,
    Definitions,
    Driver,
    ErrorCode,
    ErrorDomain,
    EventClass,
    Objects,
    Place,
    VirtError,
    enums,
    implements,
    kinds,
    remote,
)

State = enums.DomainState
Event = enums.DomainEventType
Flags = enums.ConnectListAllDomainsFlags


@dataclass
class Guest:
    """One guest: what its document says, and its number while it is on."""

    name: str
    uuid: bytes
    xml: str
    id: int = -1

    def ref(self) -> remote.NonnullDomain:
        return remote.NonnullDomain(name=self.name, uuid=self.uuid, id=self.id)

    @property
    def state(self) -> State:
        return State.SHUTOFF if self.id == -1 else State.RUNNING


def guest_of(xml: str) -> Guest:
    """The guest that a document describes; VirtError if it describes none."""
    root = parse(xml)
    name = root.value("name")
    if root.name != "domain" or not name:
        raise VirtError.of(ErrorCode.XML_ERROR, "a <domain> with a <name> is wanted", domain=ErrorDomain.DOMAIN)
    try:
        identity = uuid.UUID(root.value("uuid") or str(uuid.uuid4()))
    except ValueError:
        raise VirtError.of(ErrorCode.XML_ERROR, "malformed uuid element", domain=ErrorDomain.DOMAIN) from None
    root.child("uuid").set_text(str(identity))
    return Guest(name, identity.bytes, format_document(root))


class ToyDriver(Driver):
    name = "toy"
    error_domain = ErrorDomain.DOMAIN
    event_classes = frozenset({EventClass.DOMAIN})

    def __init__(self, place: Place | None = None) -> None:
        super().__init__(place)
        self.guests = Objects[Guest](kinds.DOMAINS)
        self.files = Definitions(self.place, "toy", edit="edit")
        self.numbers = count(1)

    async def start(self) -> None:
        for stored in await self.files.load(guest_of):
            self.guests.add(stored.value)

    def busy(self) -> int:
        return sum(guest.state == State.RUNNING for guest in self.guests)

    # Finding

    @implements(remote.CONNECT_LIST_ALL_DOMAINS)
    async def list_all(self, call: Call, args: remote.ConnectListAllDomainsArgs) -> remote.ConnectListAllDomainsRet:
        call.check_flags(args.flags, Flags.ACTIVE, Flags.INACTIVE)
        wanted = {Flags.ACTIVE: {State.RUNNING}, Flags.INACTIVE: {State.SHUTOFF}}.get(Flags(args.flags), set(State))
        found = [guest.ref() for guest in call.visible(self.guests) if guest.state in wanted]
        return remote.ConnectListAllDomainsRet(domains=found, ret=len(found))

    @implements(remote.DOMAIN_LOOKUP_BY_NAME)
    async def by_name(self, call: Call, args: remote.DomainLookupByNameArgs) -> remote.DomainLookupByNameRet:
        guest = self.guests.by_name(args.name)
        call.authorize(guest)
        return remote.DomainLookupByNameRet(dom=guest.ref())

    @implements(remote.DOMAIN_LOOKUP_BY_UUID)
    async def by_uuid(self, call: Call, args: remote.DomainLookupByUuidArgs) -> remote.DomainLookupByUuidRet:
        guest = self.guests.by_uuid(args.uuid)
        call.authorize(guest)
        return remote.DomainLookupByUuidRet(dom=guest.ref())

    @implements(remote.DOMAIN_LOOKUP_BY_ID)
    async def by_id(self, call: Call, args: remote.DomainLookupByIdArgs) -> remote.DomainLookupByIdRet:
        guest = self.guests.by_id(args.id)
        call.authorize(guest)
        return remote.DomainLookupByIdRet(dom=guest.ref())

    # Looking at one

    @implements(remote.DOMAIN_GET_STATE)
    async def get_state(self, call: Call, args: remote.DomainGetStateArgs) -> remote.DomainGetStateRet:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        return remote.DomainGetStateRet(state=guest.state, reason=0)

    @implements(remote.DOMAIN_IS_ACTIVE)
    async def is_active(self, call: Call, args: remote.DomainIsActiveArgs) -> remote.DomainIsActiveRet:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        return remote.DomainIsActiveRet(active=int(guest.state == State.RUNNING))

    @implements(remote.DOMAIN_GET_XML_DESC)
    async def get_xml(self, call: Call, args: remote.DomainGetXmlDescArgs) -> remote.DomainGetXmlDescRet:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        return remote.DomainGetXmlDescRet(xml=guest.xml)

    # Changing

    @implements(remote.DOMAIN_DEFINE_XML)
    async def define(self, call: Call, args: remote.DomainDefineXmlArgs) -> remote.DomainDefineXmlRet:
        guest = guest_of(args.xml)
        call.authorize(guest)
        known = self.guests.claim(guest.name, guest.uuid)
        if known is None:
            self.guests.add(guest)  # before the file is written: nobody else gets the name meanwhile
        try:
            await self.files.save(guest.name, guest.xml, guest.uuid)
        except VirtError:
            if known is None:
                self.guests.remove(guest)
            raise
        if known is not None:
            known.xml, guest = guest.xml, known
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, Event.DEFINED, int(known is not None))
        return remote.DomainDefineXmlRet(dom=guest.ref())

    @implements(remote.DOMAIN_UNDEFINE)
    async def undefine(self, call: Call, args: remote.DomainUndefineArgs) -> None:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        if guest.state == State.RUNNING:
            raise call.error(ErrorCode.OPERATION_INVALID, "domain is running")
        await self.files.delete(guest.name)
        self.guests.remove(guest)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, Event.UNDEFINED, 0)

    @implements(remote.DOMAIN_CREATE)
    async def switch_on(self, call: Call, args: remote.DomainCreateArgs) -> None:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        if guest.state == State.RUNNING:
            raise call.error(ErrorCode.OPERATION_INVALID, "domain is already running")
        guest.id = next(self.numbers)
        self.guests.number(guest, guest.id)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, Event.STARTED, 0)

    @implements(remote.DOMAIN_DESTROY)
    async def switch_off(self, call: Call, args: remote.DomainDestroyArgs) -> None:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        if guest.state == State.SHUTOFF:
            raise call.error(ErrorCode.OPERATION_INVALID, "domain is not running")
        self.guests.number(guest, None)
        guest.id = -1
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, Event.STOPPED, 1)
