# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints of the pretended guests: made, described again, listed, deleted."""

from __future__ import annotations

from virtproxy.documents.domain import CheckpointDocument
from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.affect import check_schema
from virtproxy.drivers.test.guests import Guest
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.moments import DESCENDANTS, ROOTS

REDEFINE, QUIESCE, REDEFINE_VALIDATE = 1, 2, 4
SECURE, NO_DOMAIN, SIZE = 1, 2, 4
DELETE_CHILDREN, DELETE_METADATA_ONLY, DELETE_CHILDREN_ONLY = 1, 2, 4
LIST_FLAGS = 0xF


class Checkpoints(TestHost):
    """A checkpoint is its document and the domain's at that moment."""

    @implements(remote.DOMAIN_CHECKPOINT_CREATE_XML)
    async def checkpoint_create(
        self, call: Call, args: remote.DomainCheckpointCreateXmlArgs
    ) -> remote.DomainCheckpointCreateXmlRet:
        call.check_flags(args.flags, REDEFINE, QUIESCE, REDEFINE_VALIDATE)
        guest = self.subject(call, args.dom)
        if len(guest.snapshots):
            raise self._unsupported(call, "cannot create checkpoint while snapshot exists")
        if not guest.active:
            raise self._unsupported(call, "cannot create checkpoint for inactive domain")
        redefine = bool(args.flags & REDEFINE)
        if not redefine or args.flags & REDEFINE_VALIDATE:
            check_schema(args.xml_desc, "domaincheckpoint")
        moment = CheckpointDocument(args.xml_desc, guest.document, now=int(self.now()), redefine=redefine)
        if redefine:
            guest.checkpoints.redefine(moment)
            guest.checkpoints.current = guest.checkpoints.current or moment
        else:
            guest.checkpoints.add(moment)
        return remote.DomainCheckpointCreateXmlRet(checkpoint=_ref(guest, moment))

    @implements(remote.DOMAIN_CHECKPOINT_GET_XML_DESC)
    async def checkpoint_xml(
        self, call: Call, args: remote.DomainCheckpointGetXmlDescArgs
    ) -> remote.DomainCheckpointGetXmlDescRet:
        call.check_flags(args.flags, SECURE, NO_DOMAIN, SIZE)
        _, moment = self._found_checkpoint(call, args.checkpoint)
        xml = moment.format(args.flags & SECURE, with_domain=not args.flags & NO_DOMAIN)
        return remote.DomainCheckpointGetXmlDescRet(xml=xml)

    @implements(remote.DOMAIN_LIST_ALL_CHECKPOINTS)
    async def all_checkpoints(
        self, call: Call, args: remote.DomainListAllCheckpointsArgs
    ) -> remote.DomainListAllCheckpointsRet:
        call.check_flags(args.flags, LIST_FLAGS)
        guest = self.subject(call, args.dom)
        found = _listed(guest, None, args.flags, everything=not args.flags & ROOTS)
        return remote.DomainListAllCheckpointsRet(checkpoints=found, ret=len(found))

    @implements(remote.DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN)
    async def checkpoint_children(
        self, call: Call, args: remote.DomainCheckpointListAllChildrenArgs
    ) -> remote.DomainCheckpointListAllChildrenRet:
        call.check_flags(args.flags, LIST_FLAGS)
        guest, moment = self._found_checkpoint(call, args.checkpoint)
        found = _listed(guest, moment, args.flags, everything=bool(args.flags & DESCENDANTS))
        return remote.DomainCheckpointListAllChildrenRet(checkpoints=found, ret=len(found))

    @implements(remote.DOMAIN_CHECKPOINT_LOOKUP_BY_NAME)
    async def checkpoint_by_name(
        self, call: Call, args: remote.DomainCheckpointLookupByNameArgs
    ) -> remote.DomainCheckpointLookupByNameRet:
        call.check_flags(args.flags)
        guest = self.subject(call, args.dom)
        return remote.DomainCheckpointLookupByNameRet(
            checkpoint=_ref(guest, self._named_checkpoint(call, guest, args.name))
        )

    @implements(remote.DOMAIN_CHECKPOINT_GET_PARENT)
    async def checkpoint_parent(
        self, call: Call, args: remote.DomainCheckpointGetParentArgs
    ) -> remote.DomainCheckpointGetParentRet:
        call.check_flags(args.flags)
        guest, moment = self._found_checkpoint(call, args.checkpoint)
        parent = guest.checkpoints.get(moment.parent)
        if parent is None:
            detail = f"checkpoint '{moment.name}' does not have a parent"
            raise call.error(ErrorCode.NO_DOMAIN_CHECKPOINT, detail)
        return remote.DomainCheckpointGetParentRet(parent=_ref(guest, parent))

    @implements(remote.DOMAIN_CHECKPOINT_DELETE)
    async def checkpoint_delete(self, call: Call, args: remote.DomainCheckpointDeleteArgs) -> None:
        call.check_flags(args.flags, DELETE_CHILDREN, DELETE_METADATA_ONLY, DELETE_CHILDREN_ONLY)
        guest, moment = self._found_checkpoint(call, args.checkpoint)
        below = bool(args.flags & (DELETE_CHILDREN | DELETE_CHILDREN_ONLY))
        guest.checkpoints.delete(moment, below=below, itself=not args.flags & DELETE_CHILDREN_ONLY)

    def _named_checkpoint(self, call: Call, guest: Guest, name: str) -> CheckpointDocument:
        moment = guest.checkpoints.get(name)
        if moment is None:
            detail = f"no domain checkpoint with matching name '{name}'"
            raise call.error(ErrorCode.NO_DOMAIN_CHECKPOINT, detail)
        return moment

    def _found_checkpoint(self, call: Call, ref: remote.NonnullDomainCheckpoint) -> tuple[Guest, CheckpointDocument]:
        guest = self.subject(call, ref.dom)
        return guest, self._named_checkpoint(call, guest, ref.name)

    def _unsupported(self, call: Call, detail: str) -> Exception:
        return call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)


def _listed(
    guest: Guest, start: CheckpointDocument | None, flags: int, *, everything: bool
) -> list[remote.NonnullDomainCheckpoint]:
    return [_ref(guest, moment) for moment in guest.checkpoints.listed(start, flags, everything, lambda _: True)]


def _ref(guest: Guest, moment: CheckpointDocument) -> remote.NonnullDomainCheckpoint:
    return remote.NonnullDomainCheckpoint(name=moment.name, dom=guest.ref())
