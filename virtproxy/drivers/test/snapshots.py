# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots and checkpoints: the pretended guests have none, and say so where clients ask on their way."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, VirtError, implements, remote
from virtproxy.drivers.test.host import TestHost

# The list flags of snapshots and of checkpoints.
SNAPSHOT_FLAGS = 0x7FF
CHECKPOINT_FLAGS = 0x7


class Snapshots(TestHost):
    """Empty lists, and lookups that find nothing."""

    @implements(remote.DOMAIN_SNAPSHOT_NUM)
    async def snapshot_num(self, call: Call, args: remote.DomainSnapshotNumArgs) -> remote.DomainSnapshotNumRet:
        self._ask(call, args.dom, args.flags, SNAPSHOT_FLAGS)
        return remote.DomainSnapshotNumRet(num=0)

    @implements(remote.DOMAIN_SNAPSHOT_LIST_NAMES)
    async def snapshot_names(
        self, call: Call, args: remote.DomainSnapshotListNamesArgs
    ) -> remote.DomainSnapshotListNamesRet:
        self._ask(call, args.dom, args.flags, SNAPSHOT_FLAGS)
        return remote.DomainSnapshotListNamesRet(names=[])

    @implements(remote.DOMAIN_LIST_ALL_SNAPSHOTS)
    async def all_snapshots(
        self, call: Call, args: remote.DomainListAllSnapshotsArgs
    ) -> remote.DomainListAllSnapshotsRet:
        self._ask(call, args.dom, args.flags, SNAPSHOT_FLAGS)
        return remote.DomainListAllSnapshotsRet(snapshots=[], ret=0)

    @implements(remote.DOMAIN_HAS_CURRENT_SNAPSHOT)
    async def has_current_snapshot(
        self, call: Call, args: remote.DomainHasCurrentSnapshotArgs
    ) -> remote.DomainHasCurrentSnapshotRet:
        self._ask(call, args.dom, args.flags)
        return remote.DomainHasCurrentSnapshotRet(result=0)

    @implements(remote.DOMAIN_SNAPSHOT_CURRENT)
    async def current_snapshot(
        self, call: Call, args: remote.DomainSnapshotCurrentArgs
    ) -> remote.DomainSnapshotCurrentRet:
        self._ask(call, args.dom, args.flags)
        raise self._no_snapshot(call, "the domain does not have a current snapshot")

    @implements(remote.DOMAIN_SNAPSHOT_LOOKUP_BY_NAME)
    async def snapshot_by_name(
        self, call: Call, args: remote.DomainSnapshotLookupByNameArgs
    ) -> remote.DomainSnapshotLookupByNameRet:
        self._ask(call, args.dom, args.flags)
        raise self._no_snapshot(call, f"no domain snapshot with matching name '{args.name}'")

    @implements(remote.DOMAIN_LIST_ALL_CHECKPOINTS)
    async def all_checkpoints(
        self, call: Call, args: remote.DomainListAllCheckpointsArgs
    ) -> remote.DomainListAllCheckpointsRet:
        self._ask(call, args.dom, args.flags, CHECKPOINT_FLAGS)
        return remote.DomainListAllCheckpointsRet(checkpoints=[], ret=0)

    def _ask(self, call: Call, dom: remote.NonnullDomain, flags: int, allowed: int = 0) -> None:
        call.check_flags(flags, allowed)
        call.authorize(self.guests.by_ref(dom))

    def _no_snapshot(self, call: Call, detail: str) -> VirtError:
        return call.error(ErrorCode.NO_DOMAIN_SNAPSHOT, detail)
