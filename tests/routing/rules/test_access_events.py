# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every event is heard by who may see what it is about, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from tests.routing.rules.deciders import SlowDecider, WrittenDecider
from tests.routing.rules.hosts import KIND_OF, Host, Wire, thing
from tests.support.values import least
from virtproxy.access.decision import Thing
from virtproxy.access.owners import Owners
from virtproxy.identity import Identity
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.access import AccessRule
from virtproxy.wire.frame import MESSAGE, OK, pack

SUBJECT = Identity(uid=1000, user_name="ann", pid=1, process_start_time=1)
EVENTS = [
    procedure
    for program in (remote.PROGRAM, qemu.PROGRAM)
    for procedure in program.procedures.values()
    if procedure.event and procedure is not remote.CONNECT_EVENT_CONNECTION_CLOSED
]


def rule(permission: str, subject: Thing) -> bool:
    return not any("hush" in str(word) for word in (subject.name, *(value for _, value in subject.details)))


def message(struct: Any, word: str) -> Any:
    """The message of an event about the thing called by `word`."""
    given: dict[str, Any] = {}
    for name, hint in get_type_hints(struct).items():
        if hint in KIND_OF:
            given[name] = thing(word, KIND_OF[hint])
        elif name == "msg":
            given[name] = message(hint, word)
    return least(struct, **given)


@pytest.fixture(params=[WrittenDecider, SlowDecider])
def client(request: Any) -> Iterator[Wire]:
    made = Wire(Host("hush", "open"), (AccessRule(request.param(rule), hides=True),), SUBJECT)
    yield made
    made.close()


@pytest.fixture
def host(client: Wire) -> Host:
    return client.host


def test_every_event_is_looked_at(client: Wire, host: Host) -> None:
    for event in EVENTS:
        for word in ("hush", "open", "hush"):
            host.emit(event, message(event.args, word))
        (heard,) = client.heard()
        assert heard == message(event.args, "open"), event


def test_an_event_about_no_thing_is_heard(client: Wire, host: Host) -> None:
    host.emit(remote.CONNECT_EVENT_CONNECTION_CLOSED, remote.ConnectEventConnectionClosedMsg(reason=1))
    assert len(client.heard()) == 1


def test_an_event_that_cannot_be_read_is_not_heard(client: Wire, host: Host) -> None:
    event: Procedure[Any, Any] = remote.DOMAIN_EVENT_LIFECYCLE
    frame = pack(event.program.number, 1, event.number, MESSAGE, 1, OK, b"short")
    unknown = pack(event.program.number, 1, 9999, MESSAGE, 1, OK, b"")
    for each in (frame, unknown):
        host.backends[0].client.send(each)
    assert client.heard() == []


def test_who_may_see_everything_is_sent_the_frame_as_it_came() -> None:
    certain = {(kind, "getattr"): True for kind in KIND_OF.values()}
    decider = WrittenDecider(lambda permission, subject: True, certain)
    client = Wire(Host("open"), (AccessRule(decider, hides=True),), SUBJECT)
    assert not client.session.pipeline.filters_events
    client.close()


def test_an_owner_hears_of_the_end_of_what_was_owned() -> None:
    owners = Owners(None, lambda identity: "ann")
    decider = WrittenDecider(lambda permission, subject: subject.kind == "connect" or subject.owner == "ann")
    host = Host("open")
    client = Wire(host, (AccessRule(decider, hides=True, owners=owners),), SUBJECT)
    xml = "<domain><name>new</name></domain>"
    made = client.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=xml)).dom
    assert [identity for (_, _, identity), _ in owners] == [owned_as(made)]
    host.remove("domain", "open")
    gone = remote.DomainEventLifecycleMsg(dom=made, event=1, detail=0)
    callback = remote.DomainEventCallbackLifecycleMsg(callback_id=1, msg=gone)
    # The directory hears of it first: the guest has no owner any more when the client's own message comes.
    host.backends[-1].client.send(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.event_frame(callback))
    assert list(owners) == []
    host.backends[0].client.send(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.event_frame(callback))
    assert client.heard() == [callback]
    client.close()


def owned_as(dom: remote.NonnullDomain) -> str:
    from uuid import UUID

    return str(UUID(bytes=dom.uuid))
