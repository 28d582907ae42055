# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules for look-ups: what the daemon found is judged before the client hears of it.

An answer that names a hidden thing and the daemon's own "not found" become the same error. The access stage calls it
with each reply.
"""

from __future__ import annotations

from typing import Any

from virtproxy import errors
from virtproxy.access.decision import Decision, Thing
from virtproxy.access.objects import FAMILY_OF, About, Ref, ref_of, reference_in
from virtproxy.access.rules import Rule
from virtproxy.access.things import described
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.answers import error_reply
from virtproxy.routing.questions import ABSENT
from virtproxy.routing.rules.hidden import absent
from virtproxy.routing.rules.judge import Case, Judge
from virtproxy.routing.stages import Request
from virtproxy.rpc.client import error_of
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import OK, Frame


async def judge_found(judge: Judge, request: Request, what: About, rules: list[Rule], frame: Frame) -> Frame:
    """The reply to a look-up as the client may have it."""
    ref = what.looked_up(request.args)
    place = judge.directory(ref.kind).place
    if frame.status != OK:
        return _not_found(judge, request, ref, frame)
    case = Case()
    thing = await found_thing(judge, decoded(request, frame), case)
    try:
        if thing is not None and not await judge.sees(thing):
            await judge.note_hidden(thing, case)
            thing = None
        if thing is None:
            raise absent(ref, place)
        for rule in rules:
            await judge.require(rule.permission, thing, case)
    except VirtError as refusal:
        request.notes["decision"] = case.decision
        request.notes["things"] = tuple(case.things) if thing is None else (judge.owned(thing),)
        return error_reply(request.frame, refusal)
    request.notes["things"] = (judge.owned(thing),)
    request.notes["decision"] = case.decision
    return frame


def _not_found(judge: Judge, request: Request, ref: Ref, frame: Frame) -> Frame:
    """The daemon's error, unless it tells whether there is something that the caller may not see."""
    if not judge.hides:
        return frame
    if error_of(frame).code == ErrorCode.ACCESS_DENIED:
        # Its own access rules refuse what is there.
        request.notes["decision"] = Decision(False, "the daemon's own rules", f"{ref.kind}:getattr")
    elif not _says_absent(ref, frame):
        return frame
    return error_reply(request.frame, absent(ref, judge.directory(ref.kind).place))


async def found_thing(judge: Judge, answer: Any, case: Case) -> Thing | None:
    """The thing that a daemon's answer names; None for a volume in a pool that must not be seen."""
    reference = reference_in(answer)
    within = None
    if isinstance(reference, remote.NonnullStorageVol):
        try:
            within = await judge.resolve(Ref("storage_pool", "name", reference.pool), case)
        except VirtError as error:
            if error.code != ErrorCode.NO_STORAGE_POOL:
                raise
            return None
    return described(judge.place(FAMILY_OF[ref_of(reference).kind]), reference, within)


async def judge_parent(judge: Judge, request: Request, frame: Frame) -> Frame:
    """A device whose parent must not be seen has none."""
    if frame.status != OK:
        return frame
    answer = decoded(request, frame)
    if answer.parent_name is None:
        return frame
    parent = described(judge.directory("node_device").place, remote.NonnullNodeDevice(name=answer.parent_name))
    if parent is not None and await judge.sees(parent):
        return frame
    return request.procedure.reply_frame(frame.serial, remote.NodeDeviceGetParentRet(parent_name=None))


def decoded(request: Request, frame: Frame) -> Any:
    """The result in a good reply; VirtError if it cannot be read."""
    try:
        return request.procedure.decode_ret(frame)
    except WireError as failure:
        raise errors.rpc(f"the reply to {request.procedure.name} cannot be read: {failure}") from None


def _says_absent(ref: Ref, frame: Frame) -> bool:
    # libvirt says nothing in particular where no SCSI host has the names.
    return error_of(frame).code in (ABSENT[ref.kind], ErrorCode.INTERNAL_ERROR if ref.by == "wwn" else -1)
