# SPDX-License-Identifier: LGPL-2.1-or-later
"""A pretended host with things of every kind, served at once and in this process, and a client of a session before it.

What exists answers with a text of its own, so that an answer that should not have come is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_type_hints
from uuid import UUID

from twisted.internet.task import Clock

from tests.support.values import least
from virtproxy.access.objects import about, fields_of
from virtproxy.auth.gate import Gate
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import programs, remote
from virtproxy.protocol.schema import Procedure, error_frame
from virtproxy.routing.families import DRIVERS, Target
from virtproxy.routing.questions import ABSENT
from virtproxy.routing.router import LocalOpener, Router
from virtproxy.routing.session import Session
from virtproxy.routing.stages import StageMaker
from virtproxy.rpc.client import error_of
from virtproxy.wire.frame import MESSAGE, OK, Frame

KINDS = ("domain", "network", "network_port", "storage_pool", "storage_vol", "secret", "nwfilter", "nwfilter_binding",
         "interface", "node_device")  # fmt: skip


def uuid_of(word: str, kind: str) -> bytes:
    """The UUID of the thing of a kind that is called by `word`."""
    return UUID(int=int.from_bytes(f"{word[:7]}/{kind[:7]}".encode().ljust(16, b"."), "big")).bytes


def thing(word: str, kind: str) -> Any:
    """A reference to the thing of a kind that is called by `word`."""
    name, uuid = f"{word}-{kind}", uuid_of(word, kind)
    makers: dict[str, Callable[[], Any]] = {
        "domain": lambda: remote.NonnullDomain(name=name, uuid=uuid, id=uuid[0]),
        "network": lambda: remote.NonnullNetwork(name=name, uuid=uuid),
        "network_port": lambda: remote.NonnullNetworkPort(net=thing(word, "network"), uuid=uuid),
        "storage_pool": lambda: remote.NonnullStoragePool(name=name, uuid=uuid),
        "storage_vol": lambda: remote.NonnullStorageVol(pool=f"{word}-storage_pool", name=name, key=f"/{name}"),
        "secret": lambda: remote.NonnullSecret(uuid=uuid, usage_type=2, usage_id=name),
        "nwfilter": lambda: remote.NonnullNwfilter(name=name, uuid=uuid),
        "nwfilter_binding": lambda: remote.NonnullNwfilterBinding(portdev=name, filtername="f"),
        "interface": lambda: remote.NonnullInterface(name=name, mac=f"52:54:00:{word}"),
        "node_device": lambda: remote.NonnullNodeDevice(name=name),
    }
    return makers[kind]()


KIND_OF = {type(thing("open", kind)): kind for kind in KINDS}


def result_type(procedure: Procedure[Any, Any]) -> Any:
    """The type of a procedure's result, which has one."""
    return procedure.ret


class Host:
    """A host that has the things called by each of `words`."""

    def __init__(self, *words: str) -> None:
        self.things = {kind: [thing(word, kind) for word in words] for kind in KINDS}
        self.backends: list[HostBackend] = []
        self.served: list[Procedure[Any, Any]] = []
        # A test may put another way to answer in its place.
        self.answering: Callable[[Procedure[Any, Any], Any], Any] = self.answer

    def opener(self, target: Target, flags: int, identity: Identity, client: Any) -> HostBackend:
        """A `routing.router.LocalOpener`."""
        self.backends.append(HostBackend(self, client))
        return self.backends[-1]

    def emit(self, event: Procedure[Any, Any], message: Any) -> None:
        """Send an event to every client."""
        for backend in list(self.backends):
            backend.client.send(event.event_frame(message))

    def remove(self, kind: str, word: str) -> None:
        """A thing ceases to exist, without a word."""
        self.things[kind].remove(thing(word, kind))

    def answer(self, procedure: Procedure[Any, Any], args: Any) -> Any:
        """What a call returns; VirtError if it is about a thing that is not here."""
        what = about(procedure)
        for ref in what.refs(args):
            self._must_have(ref)
        if what.lookup is not None:
            return self._looked_up(procedure, what.looked_up(args))
        if procedure.edge == "event-register" and procedure.ret is not None:
            return least(procedure.ret)
        if procedure.aclfilter and procedure.edge is None:
            return self._listed(procedure, args)
        return None if procedure.ret is None else self._told(procedure)

    def _told(self, procedure: Procedure[Any, Any]) -> Any:
        """A result with texts that give away that a thing is there."""
        told: dict[str, Any] = {}
        for name, hint in get_type_hints(procedure.ret).items():
            if hint in (str, str | None):
                told[name] = "<told/>"
            elif hint in KIND_OF:
                told[name] = thing("open", KIND_OF[hint])
        return least(result_type(procedure), **told)

    def _must_have(self, ref: Any) -> None:
        if ref.within is not None:
            self._must_have(ref.within)
        if not any(_fits(each, ref) for each in self.things[ref.kind]):
            raise VirtError.of(ABSENT[ref.kind], f"the daemon has no {ref.kind} {ref.value!r}")

    def _looked_up(self, procedure: Procedure[Any, Any], ref: Any) -> Any:
        found = next((each for each in self.things[ref.kind] if _fits(each, ref)), None)
        if found is None:
            raise VirtError.of(ABSENT[ref.kind], f"the daemon finds no {ref.kind} {ref.value!r}")
        (name,) = result_type(procedure).__match_args__
        return result_type(procedure)(**{name: found})

    def _listed(self, procedure: Procedure[Any, Any], args: Any) -> Any:
        if procedure is remote.CONNECT_GET_ALL_DOMAIN_STATS:
            asked = {each.uuid for each in args.doms} or {each.uuid for each in self.things["domain"]}
            records = [remote.DomainStatsRecord(each, []) for each in self.things["domain"] if each.uuid in asked]
            return remote.ConnectGetAllDomainStatsRet(ret_stats=records)
        if procedure is remote.NODE_LIST_DEVICES:
            return remote.NodeListDevicesRet(names=[each.name for each in self.things["node_device"]])
        (field,) = [field for field in fields_of(procedure.ret) if field.many]
        found = self.things[field.kind]
        named = result_type(procedure).__match_args__
        return least(result_type(procedure), **{field.name: found, **({"ret": len(found)} if "ret" in named else {})})


def _fits(reference: Any, ref: Any) -> bool:
    if ref.by == "uuid":
        return bool(reference.uuid == ref.value)
    if ref.by == "name":
        within = None if ref.within is None else f"{_word(reference)}-storage_pool"
        named = (getattr(reference, "name", None), getattr(reference, "portdev", None))
        pool = uuid_of(_word(reference), "storage_pool")
        return ref.value in named and (ref.within is None or ref.within.value in (within, pool))
    fields = {"id": "id", "mac": "mac", "key": "key", "usage": "usage_id"}
    if ref.by in fields:
        return bool(getattr(reference, fields[ref.by]) == ref.value)
    return bool(ref.value == f"/{reference.name}")


def _word(reference: Any) -> str:
    return str(getattr(reference, "name", "")).partition("-")[0]


class HostBackend:
    """Implements `routing.backend.Backend`."""

    def __init__(self, host: Host, client: Any) -> None:
        self.host = host
        self.client = client

    @property
    def name(self) -> str:
        return "a host"

    def owed_calls(self) -> Iterator[Frame]:
        yield from ()

    @property
    def owed(self) -> int:
        """Every call is answered at once."""
        return 0

    async def open(self) -> None:
        """Nothing to do."""

    async def set_identity(self, identity: Identity) -> None:
        """Everybody is alike here."""

    def call(self, frame: Frame) -> None:
        """Answer at once."""
        procedure = programs.BY_NUMBER[frame.program].procedures[frame.procedure]
        self.host.served.append(procedure)
        try:
            reply = procedure.reply_frame(frame.serial, self.host.answering(procedure, procedure.decode_args(frame)))
        except VirtError as error:
            reply = error_frame(frame.program, frame.version, frame.procedure, frame.serial, error.to_net())
        self.client.reply(reply)

    def stream(self, frame: Frame) -> None:
        """Streams are not looked at."""

    def passage(self, head: Frame) -> Any:
        """Streams are not looked at."""
        return None

    def pause(self) -> None:
        """Nothing comes unasked."""

    def resume(self) -> None:
        """Nothing waited."""

    def close(self, error: VirtError | None = None) -> None:
        """The client is gone."""
        if self in self.host.backends:
            self.host.backends.remove(self)


class Wire:
    """A client of a session: the session's end of a connection, which keeps what was sent."""

    closed = False

    def __init__(self, host: Host, stages: Sequence[StageMaker], identity: Identity) -> None:
        local: dict[str, LocalOpener] = dict.fromkeys(DRIVERS, host.opener)
        clock: Any = Clock()
        router = Router(clock, "system", {}, local)
        self.host = host
        self.sent: list[Frame] = []
        self.session = Session(self, Gate("none"), router, identity, stages)  # type: ignore[arg-type]
        self.serial = 0
        self.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
        assert self.sent[-1].status == OK

    def frame(self, procedure: Procedure[Any, Any], args: Any = None) -> Frame:
        """The answer to a call."""
        self.serial += 1
        before = len(self.sent)
        self.session.call(procedure.call_frame(self.serial, args))
        replies = [frame for frame in self.sent[before:] if frame.type != MESSAGE]
        assert len(replies) == 1, (procedure, replies)
        return replies[0]

    def call(self, procedure: Procedure[Any, Any], args: Any = None) -> Any:
        """The result of a call; VirtError as it was refused."""
        frame = self.frame(procedure, args)
        if frame.status != OK:
            raise error_of(frame)
        return procedure.decode_ret(frame)

    def heard(self) -> list[Any]:
        """The messages of the events so far."""
        events = [frame for frame in self.sent if frame.type == MESSAGE]
        self.sent.clear()
        return [programs.BY_NUMBER[frame.program].procedures[frame.procedure].decode_args(frame) for frame in events]

    def close(self, reason: str = "") -> None:
        """The client leaves."""
        self.session.client_lost("it left")

    # What a session asks of its connection

    def reply(self, frame: Frame) -> None:
        self.sent.append(frame)

    def send(self, frame: Frame) -> None:
        self.sent.append(frame)

    def discard(self, frame: Frame) -> None:
        assert not frame.fds

    def hold(self, why: object) -> None:
        """Nothing more is read."""

    def release(self, why: object) -> None:
        """Reading goes on."""

    def held(self, why: object) -> bool:
        return False

    def start_keepalive(self) -> None:
        """Nobody is pinged."""
