# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules for events: a client hears of what it may know of.

The access stage shows it each event. The daemon's own reference in the message says what the event is about, so that
nobody needs to be asked about a thing that is gone already.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from virtproxy import errors
from virtproxy.access.decision import Decision, Thing
from virtproxy.access.objects import FAMILY_OF, ref_of, reference_in
from virtproxy.access.things import described, identity_of
from virtproxy.routing.rules.judge import Judge
from virtproxy.rpc.client import decode_event
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import Frame

# The kinds of things that events are about.
KINDS = ("domain", "network", "storage_pool", "node_device", "secret")


def filters(judge: Judge) -> bool:
    """Whether there may be events that the caller must not hear."""
    return any(judge.decider.always(judge.identity, kind, "getattr") is not True for kind in KINDS)


def judge_event(judge: Judge, frame: Frame) -> Frame | Coroutine[Any, Any, Frame | None] | None:
    """The event, or None if the client must not hear of it."""
    thing = _thing(judge, frame)
    if thing is None:
        return frame
    asked = judge.decider.decide(judge.identity, "getattr", thing)
    if isinstance(asked, Decision):
        return frame if asked.granted else None
    return _wait(asked, frame)


async def _wait(asked: Coroutine[Any, Any, Decision], frame: Frame) -> Frame | None:
    return frame if (await asked).granted else None


def _thing(judge: Judge, frame: Frame) -> Thing | None:
    """What an event is about; None if it is about no thing. VirtError if that cannot be read."""
    try:
        reference = reference_in(decode_event(frame))
    except WireError as failure:
        raise errors.rpc(f"an event cannot be read: {failure}") from None
    if reference is None:
        return None
    thing = described(judge.place(FAMILY_OF[ref_of(reference).kind]), reference)
    if thing is None or judge.owners is None:
        return thing
    owner = judge.owners.was_owner_of(thing.uri, thing.kind, identity_of(thing))
    return thing if owner is None else replace(thing, owner=owner)
