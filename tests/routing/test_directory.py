# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a directory knows of things, and when it stops relying on it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.routing.rules.hosts import Host, HostBackend, thing
from virtproxy.access.objects import Ref, ref_of
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing import directory as module
from virtproxy.routing.directory import Directories, Directory
from virtproxy.routing.families import DRIVERS, Target
from virtproxy.routing.inquiry import ASK_SECONDS
from virtproxy.routing.router import LocalOpener, Router

OPEN = thing("open", "domain")
REF = ref_of(OPEN)


def result_of(asked: Deferred[Any]) -> Any:
    """What a Deferred that has fired came to."""
    came: list[Any] = []
    asked.addBoth(came.append)
    (result,) = came
    if isinstance(result, Failure):
        result.raiseException()
    return result


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that has nothing to wait for."""
    return result_of(ensureDeferred(work))


class Watching:
    """Keeps what a directory tells."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def opened(self, directory: Directory) -> None:
        self.told.append("opened")

    def gone(self, directory: Directory, kind: str, identity: str) -> None:
        self.told.append((kind, identity))


class Place:
    """A pretended host and the directory of its hypervisor's daemon."""

    def __init__(self, *words: str) -> None:
        self.host = Host(*words)
        clock: Any = Clock()
        self.clock = clock
        local: dict[str, LocalOpener] = dict.fromkeys(DRIVERS, self.host.opener)
        self.router = Router(clock, "system", {}, local)
        self.watching = Watching()
        self.directory = Directory(self.router, Target("qemu", "qemu:///system?no=matter"), self.watching)

    def find(self, ref: Ref, within: Any = None) -> Any:
        """What the directory finds out now; the host answers at once."""
        return at_once(self.directory.find(ref, within))

    def asked(self) -> int:
        """How many look-ups the daemon has had."""
        return len([procedure for procedure in self.host.served if "LOOKUP" in procedure.name])

    def event(self, word: str = "open", event: int = 1, name: str | None = None) -> None:
        """Something happens to a guest."""
        dom = thing(word, "domain")
        dom = remote.NonnullDomain(name or dom.name, dom.uuid, dom.id)
        body = remote.DomainEventLifecycleMsg(dom=dom, event=event, detail=0)
        self.host.emit(
            remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, remote.DomainEventCallbackLifecycleMsg(callback_id=1, msg=body)
        )


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place("open", "also")
    yield made
    made.directory.close()
    assert not made.clock.getDelayedCalls()


def test_a_thing_is_asked_for_once(place: Place) -> None:
    found = place.find(REF)
    assert (found.thing.name, found.valid) == ("open-domain", True)
    assert found.thing.uri == "qemu:///system"
    assert dict(found.thing.details)["domain_name"] == "open-domain"
    assert place.directory.known(REF) is found
    # What a client calls it besides is no matter.
    assert place.directory.known(Ref("domain", "uuid", OPEN.uuid, called="forged")) is found
    assert place.asked() == 1


def test_what_is_not_there_is_asked_for_each_time(place: Place) -> None:
    gone = ref_of(thing("gone", "domain"))
    assert place.find(gone) is None
    assert place.find(gone) is None
    assert place.directory.known(gone) is None
    assert place.asked() == 2


@pytest.mark.parametrize("event", [0, 1, 5, 8])
def test_what_may_be_gone_or_renamed_is_forgotten(place: Place, event: int) -> None:
    found, other = place.find(REF), place.find(ref_of(thing("also", "domain")))
    by_name = place.find(Ref("domain", "name", "open-domain"))
    place.event(event=event)
    assert (found.valid, by_name.valid, other.valid) == (False, False, True)
    assert place.directory.known(REF) is None
    assert place.watching.told == ["opened", ("domain", found.thing.uuid)]


@pytest.mark.parametrize("event", [2, 3, 4, 6, 7])
def test_what_goes_on_under_its_name_is_remembered(place: Place, event: int) -> None:
    found = place.find(REF)
    place.event(event=event)
    assert found.valid
    place.event(event=event, name="another")
    assert not found.valid


def test_events_of_other_kinds(place: Place) -> None:
    network = place.find(ref_of(thing("open", "network")))
    device = place.find(ref_of(thing("open", "node_device")))
    secret = place.find(ref_of(thing("open", "secret")))
    pool = place.find(ref_of(thing("open", "storage_pool")))
    assert network.valid and device.valid and secret.valid and pool.valid
    emit = place.host.emit
    emit(remote.NETWORK_EVENT_LIFECYCLE, remote.NetworkEventLifecycleMsg(1, thing("open", "network"), 2, 0))
    assert network.valid
    emit(remote.NETWORK_EVENT_LIFECYCLE, remote.NetworkEventLifecycleMsg(1, thing("open", "network"), 1, 0))
    emit(remote.NODE_DEVICE_EVENT_LIFECYCLE, remote.NodeDeviceEventLifecycleMsg(1, thing("open", "node_device"), 1, 0))
    emit(remote.SECRET_EVENT_LIFECYCLE, remote.SecretEventLifecycleMsg(1, thing("open", "secret"), 1, 0))
    emit(
        remote.STORAGE_POOL_EVENT_LIFECYCLE,
        remote.StoragePoolEventLifecycleMsg(1, thing("open", "storage_pool"), 1, 0),
    )
    assert not (network.valid or device.valid or secret.valid or pool.valid)


@pytest.mark.parametrize("kind", ["nwfilter", "nwfilter_binding", "interface"])
def test_what_has_no_events_is_not_remembered(place: Place, kind: str) -> None:
    ref = ref_of(thing("open", kind))
    assert not place.find(ref).valid
    assert place.directory.known(ref) is None


def test_a_volume_is_asked_for_in_its_pool(place: Place) -> None:
    pool = place.find(Ref("storage_pool", "name", "open-storage_pool"))
    found = place.find(ref_of(thing("open", "storage_vol")), pool.thing)
    assert not found.valid
    details = dict(found.thing.details)
    assert details["pool_uuid"] == pool.thing.uuid
    assert (details["vol_name"], details["vol_key"]) == ("open-storage_vol", "/open-storage_vol")


def test_a_lost_connection_forgets_everything_and_is_opened_again(place: Place) -> None:
    found = place.find(REF)
    backend = place.host.backends[0]
    backend.client.backend_lost(backend, VirtError(1, "lost"))
    assert not found.valid
    assert place.find(REF).valid
    assert place.watching.told == ["opened", "opened"]


def test_an_answer_that_an_event_overtook_is_not_relied_on(place: Place) -> None:
    place.find(ref_of(thing("also", "domain")))
    backend = place.host.backends[0]
    answer = backend.call

    def overtaken(frame: Any) -> None:
        place.event()
        answer(frame)

    backend.call = overtaken  # type: ignore[method-assign]
    assert not place.find(REF).valid
    assert place.directory.known(REF) is None


def test_a_daemon_that_does_not_answer_is_not_waited_for(place: Place) -> None:
    place.find(REF)
    place.host.backends[0].call = lambda frame: None  # type: ignore[method-assign]
    asked = ensureDeferred(place.directory.find(ref_of(thing("also", "domain"))))
    place.clock.advance(ASK_SECONDS)
    with pytest.raises(VirtError, match="did not answer in time") as caught:
        result_of(asked)
    assert caught.value.code == ErrorCode.OPERATION_TIMEOUT


def test_who_leaves_while_a_daemon_is_opened_takes_nobody_along() -> None:
    host, clock = Host("open"), Clock()
    opened: Deferred[None] = Deferred()

    class Slow(HostBackend):
        async def open(self) -> None:
            await opened

    def opener(target: Target, flags: int, identity: Identity, client: Any) -> HostBackend:
        host.backends.append(Slow(host, client))
        return host.backends[-1]

    reactor: Any = clock
    directory = Directory(Router(reactor, "system", {}, {"qemu": opener}), Target("qemu", "qemu:///system"))
    first, second = (ensureDeferred(directory.find(REF)) for _ in range(2))
    first.addErrback(lambda failure: failure.trap(CancelledError))
    first.cancel()
    assert not second.called
    opened.callback(None)
    assert result_of(second).thing.name == OPEN.name
    directory.close()


def test_no_more_is_remembered_than_there_is_room_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "THINGS_MAX", 1)
    first = place.find(REF)
    second = place.find(ref_of(thing("also", "domain")))
    assert (first.valid, second.valid) == (False, True)


def test_a_directory_is_open_while_it_is_used(place: Place) -> None:
    directories = Directories(place.router)
    first = directories.of(Target("qemu", "qemu:///system"), "ann")
    assert directories.of(Target("qemu", "qemu:///system?x=1"), "bob") is first
    assert directories.of(Target("network", "network:///system"), "ann") is not first
    directories.leave("ann")
    assert directories.of(Target("qemu", "qemu:///system"), "bob") is first
    directories.leave("bob")
    assert directories.of(Target("qemu", "qemu:///system"), "ann") is not first
    directories.leave("ann")


def test_a_daemon_that_cannot_be_opened_is_an_error() -> None:
    clock: Any = Clock()
    router = Router(clock, "system", {}, {})
    directory = Directory(router, Target("qemu", "qemu:///system"))
    for _ in range(2):
        with pytest.raises(VirtError, match="no socket is configured"):
            at_once(directory.find(REF))
