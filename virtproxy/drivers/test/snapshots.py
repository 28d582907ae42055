# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of the pretended guests: taken, described again, listed, reverted to, deleted."""

from __future__ import annotations

from virtproxy.documents.domain import SnapshotDocument
from virtproxy.driver import Call, ErrorCode, ListFlags, either, implements, remote
from virtproxy.drivers.test.affect import check_schema
from virtproxy.drivers.test.guests import Guest, State, invalid
from virtproxy.drivers.test.moments import DESCENDANTS, ROOTS
from virtproxy.drivers.test.runs import (
    PAUSED_FROM_SNAPSHOT,
    RUNNING_FROM_SNAPSHOT,
    SHUTOFF_FROM_SNAPSHOT,
    STARTED_FROM_SNAPSHOT,
    STOPPED_FROM_SNAPSHOT,
    SUSPENDED_FROM_SNAPSHOT,
    Runs,
)

REDEFINE, CURRENT, HALT, VALIDATE = 1, 2, 8, 512
WORDS = {state: state.name.lower() for state in State}
CREATE_FLAGS = REDEFINE | CURRENT | HALT | VALIDATE | 64 | 128 | 256  # quiesce, atomic, live
REVERT_RUNNING, REVERT_PAUSED, REVERT_FORCE = 1, 2, 4
DELETE_CHILDREN, DELETE_CHILDREN_ONLY = 1, 4
SECURE = 1
LIST_FLAGS = 0x7FF
# With metadata or without, by the state (inactive, active, disks only), internal or external.
LISTED: ListFlags[SnapshotDocument] = ListFlags(
    either(2, 16, lambda moment: True),
    (
        (32, lambda moment: moment.state == "shutoff"),
        (64, lambda moment: moment.state not in ("shutoff", "disk-snapshot")),
        (128, lambda moment: moment.state == "disk-snapshot"),
    ),
    either(256, 512, lambda moment: True),
)


class Snapshots(Runs):
    """A snapshot is its document and the domain's at that moment."""

    @implements(remote.DOMAIN_SNAPSHOT_CREATE_XML)
    async def snapshot_create(
        self, call: Call, args: remote.DomainSnapshotCreateXmlArgs
    ) -> remote.DomainSnapshotCreateXmlRet:
        call.check_flags(args.flags, CREATE_FLAGS)
        guest = self.subject(call, args.dom)
        if len(guest.checkpoints):
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, "cannot create snapshot while checkpoint exists")
        if args.flags & HALT and not guest.persistent:
            raise invalid("cannot halt after transient domain snapshot")
        redefine = bool(args.flags & REDEFINE)
        now, state = int(self.now()), WORDS[guest.state]
        if args.flags & VALIDATE:
            check_schema(args.xml_desc, "domainsnapshot")
        moment = SnapshotDocument(args.xml_desc, guest.document, state=state, now=now, redefine=redefine)
        if redefine:
            guest.snapshots.redefine(moment)
            if args.flags & CURRENT:
                guest.snapshots.current = moment
        else:
            guest.snapshots.add(moment)
            if args.flags & HALT and guest.active:
                self.end(guest, SHUTOFF_FROM_SNAPSHOT, STOPPED_FROM_SNAPSHOT)
        return remote.DomainSnapshotCreateXmlRet(snap=_ref(guest, moment))

    @implements(remote.DOMAIN_SNAPSHOT_GET_XML_DESC)
    async def snapshot_xml(
        self, call: Call, args: remote.DomainSnapshotGetXmlDescArgs
    ) -> remote.DomainSnapshotGetXmlDescRet:
        call.check_flags(args.flags, SECURE)
        return remote.DomainSnapshotGetXmlDescRet(xml=self._snapshot(call, args.snap)[1].format(args.flags & SECURE))

    @implements(remote.DOMAIN_SNAPSHOT_NUM)
    async def snapshot_num(self, call: Call, args: remote.DomainSnapshotNumArgs) -> remote.DomainSnapshotNumRet:
        return remote.DomainSnapshotNumRet(num=len(self._all(call, args.dom, args.flags)))

    @implements(remote.DOMAIN_SNAPSHOT_LIST_NAMES)
    async def snapshot_names(
        self, call: Call, args: remote.DomainSnapshotListNamesArgs
    ) -> remote.DomainSnapshotListNamesRet:
        return remote.DomainSnapshotListNamesRet(names=[ref.name for ref in self._all(call, args.dom, args.flags)])

    @implements(remote.DOMAIN_LIST_ALL_SNAPSHOTS)
    async def all_snapshots(
        self, call: Call, args: remote.DomainListAllSnapshotsArgs
    ) -> remote.DomainListAllSnapshotsRet:
        found = self._all(call, args.dom, args.flags)
        return remote.DomainListAllSnapshotsRet(snapshots=found, ret=len(found))

    @implements(remote.DOMAIN_SNAPSHOT_NUM_CHILDREN)
    async def snapshot_children_num(
        self, call: Call, args: remote.DomainSnapshotNumChildrenArgs
    ) -> remote.DomainSnapshotNumChildrenRet:
        return remote.DomainSnapshotNumChildrenRet(num=len(self._below(call, args.snap, args.flags)))

    @implements(remote.DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES)
    async def snapshot_children_names(
        self, call: Call, args: remote.DomainSnapshotListChildrenNamesArgs
    ) -> remote.DomainSnapshotListChildrenNamesRet:
        names = [ref.name for ref in self._below(call, args.snap, args.flags)]
        return remote.DomainSnapshotListChildrenNamesRet(names=names)

    @implements(remote.DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN)
    async def snapshot_children(
        self, call: Call, args: remote.DomainSnapshotListAllChildrenArgs
    ) -> remote.DomainSnapshotListAllChildrenRet:
        found = self._below(call, args.snapshot, args.flags)
        return remote.DomainSnapshotListAllChildrenRet(snapshots=found, ret=len(found))

    @implements(remote.DOMAIN_SNAPSHOT_LOOKUP_BY_NAME)
    async def snapshot_by_name(
        self, call: Call, args: remote.DomainSnapshotLookupByNameArgs
    ) -> remote.DomainSnapshotLookupByNameRet:
        call.check_flags(args.flags)
        guest = self.subject(call, args.dom)
        return remote.DomainSnapshotLookupByNameRet(snap=_ref(guest, self._named(call, guest, args.name)))

    @implements(remote.DOMAIN_HAS_CURRENT_SNAPSHOT)
    async def has_current_snapshot(
        self, call: Call, args: remote.DomainHasCurrentSnapshotArgs
    ) -> remote.DomainHasCurrentSnapshotRet:
        call.check_flags(args.flags)
        current = self.subject(call, args.dom).snapshots.current
        return remote.DomainHasCurrentSnapshotRet(result=int(current is not None))

    @implements(remote.DOMAIN_SNAPSHOT_CURRENT)
    async def current_snapshot(
        self, call: Call, args: remote.DomainSnapshotCurrentArgs
    ) -> remote.DomainSnapshotCurrentRet:
        call.check_flags(args.flags)
        guest = self.subject(call, args.dom)
        if guest.snapshots.current is None:
            raise call.error(ErrorCode.NO_DOMAIN_SNAPSHOT, "the domain does not have a current snapshot")
        return remote.DomainSnapshotCurrentRet(snap=_ref(guest, guest.snapshots.current))

    @implements(remote.DOMAIN_SNAPSHOT_GET_PARENT)
    async def snapshot_parent(
        self, call: Call, args: remote.DomainSnapshotGetParentArgs
    ) -> remote.DomainSnapshotGetParentRet:
        call.check_flags(args.flags)
        guest, moment = self._snapshot(call, args.snap)
        parent = guest.snapshots.get(moment.parent)
        if parent is None:
            raise call.error(ErrorCode.NO_DOMAIN_SNAPSHOT, f"snapshot '{moment.name}' does not have a parent")
        return remote.DomainSnapshotGetParentRet(snap=_ref(guest, parent))

    @implements(remote.DOMAIN_SNAPSHOT_IS_CURRENT)
    async def snapshot_is_current(
        self, call: Call, args: remote.DomainSnapshotIsCurrentArgs
    ) -> remote.DomainSnapshotIsCurrentRet:
        call.check_flags(args.flags)
        guest, moment = self._snapshot(call, args.snap)
        return remote.DomainSnapshotIsCurrentRet(current=int(guest.snapshots.current is moment))

    @implements(remote.DOMAIN_SNAPSHOT_HAS_METADATA)
    async def snapshot_has_metadata(
        self, call: Call, args: remote.DomainSnapshotHasMetadataArgs
    ) -> remote.DomainSnapshotHasMetadataRet:
        call.check_flags(args.flags)
        self._snapshot(call, args.snap)
        return remote.DomainSnapshotHasMetadataRet(metadata=1)

    @implements(remote.DOMAIN_SNAPSHOT_DELETE)
    async def snapshot_delete(self, call: Call, args: remote.DomainSnapshotDeleteArgs) -> None:
        call.check_flags(args.flags, DELETE_CHILDREN, DELETE_CHILDREN_ONLY)
        guest, moment = self._snapshot(call, args.snap)
        below = bool(args.flags & (DELETE_CHILDREN | DELETE_CHILDREN_ONLY))
        guest.snapshots.delete(moment, below=below, itself=not args.flags & DELETE_CHILDREN_ONLY)

    @implements(remote.DOMAIN_REVERT_TO_SNAPSHOT)
    async def revert(self, call: Call, args: remote.DomainRevertToSnapshotArgs) -> None:
        call.check_flags(args.flags, REVERT_RUNNING, REVERT_PAUSED, REVERT_FORCE)
        guest, moment = self._snapshot(call, args.snap)
        paused = (moment.state == "paused" and not args.flags & REVERT_RUNNING) or args.flags & REVERT_PAUSED
        runs = moment.state in ("running", "paused") or args.flags & (REVERT_RUNNING | REVERT_PAUSED)
        if not runs and not guest.persistent:
            detail = "transient domain needs to request run or pause to revert to inactive snapshot"
            raise invalid(detail)
        guest.snapshots.current = moment
        document = guest.document if moment.domain is None else moment.domain.copy()
        if guest.active:
            self.halt(guest)
        if runs:
            self.begin(guest, document, RUNNING_FROM_SNAPSHOT, STARTED_FROM_SNAPSHOT)
            if paused:
                self.pause(guest, PAUSED_FROM_SNAPSHOT, SUSPENDED_FROM_SNAPSHOT)
        else:
            guest.config = document

    def _named(self, call: Call, guest: Guest, name: str) -> SnapshotDocument:
        moment = guest.snapshots.get(name)
        if moment is None:
            raise call.error(ErrorCode.NO_DOMAIN_SNAPSHOT, f"no domain snapshot with matching name '{name}'")
        return moment

    def _snapshot(self, call: Call, ref: remote.NonnullDomainSnapshot) -> tuple[Guest, SnapshotDocument]:
        guest = self.subject(call, ref.dom)
        return guest, self._named(call, guest, ref.name)

    def _all(self, call: Call, dom: remote.NonnullDomain, flags: int) -> list[remote.NonnullDomainSnapshot]:
        call.check_flags(flags, LIST_FLAGS)
        guest = self.subject(call, dom)
        return _listed(guest, None, flags, everything=not flags & ROOTS)

    def _below(self, call: Call, snap: remote.NonnullDomainSnapshot, flags: int) -> list[remote.NonnullDomainSnapshot]:
        call.check_flags(flags, LIST_FLAGS)
        guest, moment = self._snapshot(call, snap)
        return _listed(guest, moment, flags, everything=bool(flags & DESCENDANTS))


def _listed(
    guest: Guest, start: SnapshotDocument | None, flags: int, *, everything: bool
) -> list[remote.NonnullDomainSnapshot]:
    found = guest.snapshots.listed(start, flags, everything, lambda moment: _fits(moment, flags))
    return [_ref(guest, moment) for moment in found]


def _fits(moment: SnapshotDocument, flags: int) -> bool:
    """Whether list flags let it pass."""
    return bool(LISTED.select([moment], flags))


def _ref(guest: Guest, moment: SnapshotDocument) -> remote.NonnullDomainSnapshot:
    return remote.NonnullDomainSnapshot(name=moment.name, dom=guest.ref())
