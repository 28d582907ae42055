# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds out what one session's calls are about and asks the decider: what all parts of the access rules share.

The access stage and its parts (`lookups`, `making`, `filters`, `events`) use it. A `Case` is one call's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.access.decision import GRANTED, Decider, Decision, Thing
from virtproxy.access.naming import NamingError, naming
from virtproxy.access.objects import FAMILY_OF, Ref
from virtproxy.access.owners import Owners
from virtproxy.access.things import Place, connection, identity_of, place_of
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorDomain
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.routing.directory import Directories, Directory, Known
from virtproxy.routing.families import Target
from virtproxy.routing.rules.hidden import absent
from virtproxy.routing.session import Session

_log = Logger()
# How many different refusals of a reporting policy are logged for one session.
REPORTED_MAX = 1024


def _port_document(thing: Thing) -> tuple[Procedure[Any, Any], Any]:
    details = dict(thing.details)
    network = remote.NonnullNetwork(name=details["network_name"], uuid=UUID(details["network_uuid"]).bytes)
    port = remote.NonnullNetworkPort(net=network, uuid=UUID(thing.uuid or "").bytes)
    return remote.NETWORK_PORT_GET_XML_DESC, remote.NetworkPortGetXmlDescArgs(port=port, flags=0)


def _binding_document(thing: Thing) -> tuple[Procedure[Any, Any], Any]:
    binding = remote.NonnullNwfilterBinding(portdev=thing.name or "", filtername="")
    return remote.NWFILTER_BINDING_GET_XML_DESC, remote.NwfilterBindingGetXmlDescArgs(nwfilter=binding, flags=0)


# The things whose documents name the guests that they are for.
_DOCUMENTS: Mapping[str, Callable[[Thing], tuple[Procedure[Any, Any], Any]]] = {
    "network_port": _port_document,
    "nwfilter_binding": _binding_document,
}


@dataclass
class Case:
    """What was found out about one call so far. `known`: what the conclusion rests on, to be forgotten with it."""

    things: list[Thing] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    decision: Decision = GRANTED

    def of(self, kind: str) -> list[Thing]:
        """The things of a kind."""
        return [thing for thing in self.things if thing.kind == kind]


class Judge:
    """Asks for one session. `hides`: what the caller may not see is as good as absent."""

    def __init__(
        self, session: Session, decider: Decider, directories: Directories, owners: Owners | None, hides: bool
    ) -> None:
        self.session = session
        self.decider = decider
        self.owners = owners
        self.hides = hides
        self._directories = directories
        self._reported: set[tuple[str, str]] = set()

    @property
    def reports(self) -> bool:
        """Whether the decider only says what it would refuse."""
        return getattr(self.decider, "reporting", False)

    @property
    def remembers(self) -> bool:
        """Whether what was granted is granted until it is said to have changed."""
        return self.hides and not getattr(self.decider, "asks_anew", False)

    @property
    def identity(self) -> Identity:
        """Who is calling, as of now."""
        return self.session.identity

    def leave(self) -> None:
        """The session is over."""
        self._directories.leave(self)

    # Where things are

    def target(self, family: Family) -> Target:
        """The daemon that serves a family for this client; VirtError if nobody does."""
        target = self.session.target_of(family)
        if target is None:
            raise errors.internal(f"{family.value} connection not open")
        return target

    def place(self, family: Family) -> Place:
        """The same, as a place of things."""
        target = self.target(family)
        return place_of(target.driver, target.uri)

    def directory(self, kind: str) -> Directory:
        """The directory of things of a kind; VirtError if no daemon has them for this client."""
        return self.daemon(FAMILY_OF[kind])

    def daemon(self, family: Family) -> Directory:
        """The directory of the daemon that serves a family for this client; VirtError if none does."""
        return self.daemon_at(self.target(family))

    def daemon_at(self, target: Target) -> Directory:
        """The directory of any daemon."""
        return self._directories.of(target, self)

    # What things are

    def owned(self, thing: Thing) -> Thing:
        """The thing with its owner."""
        if self.owners is None or thing.owner is not None:
            return thing
        owner = self.owners.owner_of(thing.uri, thing.kind, identity_of(thing))
        return thing if owner is None else replace(thing, owner=owner)

    async def resolve(self, ref: Ref, case: Case) -> Thing:
        """The thing that the caller means; VirtError as for an absent one if it is not there or must not be seen."""
        directory = self.directory(ref.kind)
        if self.hides and self.decider.always(self.identity, ref.kind, "getattr") is False:
            await self.note_hidden(Thing(ref.kind, directory.place.driver, directory.place.uri), case)
            raise absent(ref, directory.place)
        within = None if ref.within is None else await self.resolve(ref.within, case)
        known = directory.known(ref)
        if known is None or not await self.sees(known.thing):
            # What is hidden is asked for as what is absent is: it takes as long.
            known = await directory.find(ref, within)
            if known is None:
                raise absent(ref, directory.place)
            if not await self.sees(known.thing):
                await self.note_hidden(known.thing, case)
                raise absent(ref, directory.place)
        case.known.append(known)
        thing = self.owned(known.thing)
        case.things.append(thing)
        return thing

    # What may be done

    async def note_hidden(self, thing: Thing, case: Case) -> None:
        """The thing must not be seen, and the caller is told that there is none: what is recorded is the denial."""
        case.things.append(self.owned(thing))
        case.decision = await self.decide("getattr", thing)
        if case.decision.granted:
            case.decision = Decision(False, "the guest that it is for is hidden", f"{thing.kind}:getattr")

    async def decide(self, permission: str, thing: Thing) -> Decision:
        """Ask for one permission on one thing."""
        asked = self.decider.decide(self.identity, permission, self.owned(thing))
        decision = asked if isinstance(asked, Decision) else await asked
        outcome = "reported" if decision.pretended else "granted" if decision.granted else "denied"
        self.session.router.decisions[outcome] += 1
        if decision.pretended:
            self.report(decision)
        return decision

    def report(self, decision: Decision) -> None:
        """Say once what the rules would refuse, were they not only reporting."""
        said = (decision.missing, decision.rule)
        if said in self._reported or len(self._reported) >= REPORTED_MAX:
            return
        self._reported.add(said)
        _log.warn(
            "would be refused: {missing} ({rule}) to {who}",
            missing=said[0],
            rule=said[1],
            who=self.identity.describe(),
            client=self.session,
        )

    async def sees(self, thing: Thing) -> bool:
        """Whether the thing is there for the caller; always where nothing is hidden."""
        return not self.hides or (await self.may(("getattr",), thing) and await self._sees_guest_of(thing))

    async def _sees_guest_of(self, thing: Thing) -> bool:
        """Whether the guest that a network's port or a filter's binding is for may be seen: their documents name it."""
        question = _DOCUMENTS.get(thing.kind)
        if question is None or self.decider.always(self.identity, "domain", "getattr") is True:
            return True
        try:
            document = await self.directory(thing.kind).ask(*question(thing))
            owner = naming(thing.kind, document.xml).owner
            known = await self._guest(owner)
        except (VirtError, NamingError):
            return False
        # A guest that is not there is not hidden.
        return known is None or await self.sees(known.thing)

    async def _guest(self, uuid: str | None) -> Known | None:
        if uuid is None:
            return None
        ref = Ref("domain", "uuid", UUID(uuid).bytes)
        directory = self.directory("domain")
        return directory.known(ref) or await directory.find(ref)

    async def may(self, permissions: Iterable[str], thing: Thing) -> bool:
        """Whether all the permissions are granted."""
        for permission in permissions:
            if self.decider.always(self.identity, thing.kind, permission) is True:
                continue
            if not (await self.decide(permission, thing)).granted:
                return False
        return True

    async def visible(self, permissions: Iterable[str], things: Iterable[Thing]) -> list[bool]:
        """For each thing whether all the permissions are granted; those of whom somebody is asked at once."""
        wanted = tuple(permissions)
        answers: list[bool | Deferred[bool]] = []
        for thing in things:
            answer = self._at_once(wanted, thing)
            answers.append(ensureDeferred(self._listed(wanted, thing)) if answer is None else answer)
        return [answer if isinstance(answer, bool) else await answer for answer in answers]

    def _at_once(self, permissions: Iterable[str], thing: Thing) -> bool | None:
        """Whether all the permissions are granted; None if that takes asking somebody."""
        if thing.kind in _DOCUMENTS:
            return None
        owned = self.owned(thing)
        for permission in permissions:
            asked = self.decider.decide(self.identity, permission, owned)
            if not isinstance(asked, Decision):
                asked.close()
                return None
            if asked.pretended:
                self.report(asked)
            if not asked.granted:
                return False
        return True

    async def _listed(self, permissions: Iterable[str], thing: Thing) -> bool:
        return await self.may(permissions, thing) and await self._sees_guest_of(thing)

    async def require(self, permission: str, thing: Thing, case: Case, called: str | None = None) -> None:
        """VirtError unless the permission is granted. `called` replaces what a refusal would say of a hidden thing."""
        decision = await self.decide(permission, thing)
        # What would have been refused is not forgotten over what is granted.
        if not (decision.granted and case.decision.pretended):
            case.decision = decision
        if not decision.granted:
            raise self.denial(decision, permission, thing, called)

    def denial(self, decision: Decision, permission: str, thing: Thing, called: str | None = None) -> VirtError:
        """The refusal of a permission: a policy's names what is missing, otherwise libvirt's."""
        if not self.hides:
            return errors.access_denied(f"'{thing.driver}' denied access", ErrorDomain.ACCESS)
        wanted = f"{thing.kind}:{permission}"
        missing = decision.missing or wanted if called is None else f"{wanted} on {called}"
        return errors.access_denied(f"{missing} is not granted", ErrorDomain.ACCESS)

    def connection(self, family: Family) -> Thing:
        """The connection to the daemon that serves a family."""
        return connection(self.place(family))
