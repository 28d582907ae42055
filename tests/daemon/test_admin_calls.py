# SPDX-License-Identifier: LGPL-2.1-or-later
"""The admin program without a daemon around it: threads, TLS files, further programs, and hostile packets."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.fuzz.mutation import Mutator
from virtproxy.daemon.admin_calls import AdminCalls
from virtproxy.daemon.admin_servers import Server, Servers
from virtproxy.daemon.admin_session import AdminSession, Programs
from virtproxy.daemon.clients import Clients
from virtproxy.daemon.idle import IdleExit
from virtproxy.daemon.log import DaemonLog
from virtproxy.daemon.log_settings import Level, LogSettings
from virtproxy.daemon.workers import THREADS_MAX, Workers
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import admin
from virtproxy.protocol.common import TypedParam, TypedParamValue
from virtproxy.protocol.schema import NOT_APPLICABLE, Family, Procedure, Program
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.wire.frame import ERROR, REPLY, Frame
from virtproxy.wire.framer import Framer


class Pool:
    """Twisted's thread pool, as far as it is asked."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.waiters, self.working = [None] * 4, [None]
        self.q = self

    def qsize(self) -> int:
        return 3

    def adjustPoolsize(self, least: int, most: int) -> None:
        self.sizes.append((least, most))


class Files:
    """Certificates whose files are good or not."""

    def __init__(self, refused: str | None) -> None:
        self.refused = refused
        self.read = 0

    async def reload_tls(self) -> str:
        self.read += 1
        return "said"


class Life:
    def __init__(self) -> None:
        self.log: DaemonLog | None = None
        self.idle = IdleExit(Clock(), 0, lambda: True)  # type: ignore[arg-type]
        self.ended = 0

    def shut_down(self) -> None:
        self.ended += 1


class Log(DaemonLog):
    """Opens no file that chance has named."""

    def set_outputs(self, text: str) -> None:
        return None


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.frames: list[Frame] = []

    def write(self, data: Any) -> None:
        self.frames += self.framer.feed(bytes(data))

    def writeSequence(self, data: Any) -> None: ...
    def registerProducer(self, producer: Any, streaming: bool) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...


POOL = Pool()


def calls(life: Life | None = None, certificates: Any = None) -> AdminCalls:
    clients = Clients(10, 5, lambda accept: None)
    server = Server("main", clients, {}, Workers(5, 20, 5, POOL), certificates)
    return AdminCalls(Servers(server), life or Life())


def answer(of: AdminCalls, procedure: Procedure[Any, Any], args: Any) -> Any:
    """The result of a call; raises what it is refused with."""
    found: list[Any] = []
    Deferred.fromCoroutine(of.answers()[procedure](args)).addBoth(found.append)  # type: ignore[arg-type]
    (result,) = found
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


def threads(**numbers: int) -> admin.ServerSetThreadpoolParametersArgs:
    params = [TypedParam(field=name, value=TypedParamValue(type=2, value=n)) for name, n in numbers.items()]
    return admin.ServerSetThreadpoolParametersArgs(srv=admin.NonnullServer(name="main"), params=params, flags=0)


def test_every_procedure_of_the_program_is_answered() -> None:
    assert set(calls().answers()) == set(admin.PROGRAM.procedures.values())


def test_threads_are_those_that_there_are() -> None:
    args = admin.ServerGetThreadpoolParametersArgs(srv=admin.NonnullServer(name="main"), flags=0)
    found = answer(calls(), admin.SERVER_GET_THREADPOOL_PARAMETERS, args)
    numbers = {param.field: param.value.value for param in found.params}
    assert numbers == {
        "minWorkers": 5, "maxWorkers": 20, "nWorkers": 5, "freeWorkers": 4, "prioWorkers": 5, "jobQueueDepth": 3,
    }  # fmt: skip


def test_the_number_of_threads_changes_at_once_and_never_ruins_the_host() -> None:
    of = calls()
    answer(of, admin.SERVER_SET_THREADPOOL_PARAMETERS, threads(minWorkers=2, maxWorkers=3))
    assert POOL.sizes[-1] == (2, 3)
    answer(of, admin.SERVER_SET_THREADPOOL_PARAMETERS, threads(minWorkers=2**32 - 1, maxWorkers=2**32 - 1))
    assert POOL.sizes[-1] == (THREADS_MAX, THREADS_MAX)
    with pytest.raises(VirtError, match="minWorkers cannot be larger than maxWorkers"):
        answer(of, admin.SERVER_SET_THREADPOOL_PARAMETERS, threads(minWorkers=2, maxWorkers=1))


def test_tls_files_that_cannot_be_used_are_an_error() -> None:
    args = admin.ServerUpdateTlsFilesArgs(srv=admin.NonnullServer(name="main"), flags=0)
    good, bad = Files(None), Files("the key does not fit")
    answer(calls(certificates=good), admin.SERVER_UPDATE_TLS_FILES, args)
    assert good.read == 1
    with pytest.raises(VirtError, match="not taken over: the key does not fit"):
        answer(calls(certificates=bad), admin.SERVER_UPDATE_TLS_FILES, args)


def connection(programs: Programs, clock: Clock) -> tuple[ServerConnection, Transport]:
    made = ServerConnection(clock, ServerSettings(), lambda client: AdminSession(client, programs, Identity(), 1))
    transport = Transport()
    made.makeConnection(transport)
    return made, transport


def test_a_further_program_is_answered_and_its_failure_is_no_news_to_clients() -> None:
    program = Program(0x77, 1, "own", Family.DAEMON)
    ask = program.procedure(1, "ASK", None, admin.ConnectGetLibVersionRet, readonly=NOT_APPLICABLE, acl=())
    broken = program.procedure(2, "BROKEN", None, None, readonly=NOT_APPLICABLE, acl=())

    async def seven(args: None) -> admin.ConnectGetLibVersionRet:
        return admin.ConnectGetLibVersionRet(lib_ver=7)

    client, transport = connection({0x77: (program, {ask: seven})}, clock := Clock())
    client.dataReceived(bytes(ask.call_frame(1, None).raw) + bytes(broken.call_frame(2, None).raw))
    clock.advance(1)
    good, bad = transport.frames
    assert ask.decode_ret(good).lib_ver == 7
    assert bad.status == ERROR


def packets() -> list[bytes]:
    """A good call of every procedure."""
    srv = admin.NonnullServer(name="main")
    client = admin.NonnullClient(srv=srv, id=1, timestamp=0, transport=0)
    params = [TypedParam(field="nclients_max", value=TypedParamValue(type=2, value=9))]
    values = {
        "srv": srv, "clnt": client, "params": params, "name": "main", "outputs": "1:stderr", "filters": "1:x",
    }  # fmt: skip
    made = []
    for procedure in admin.PROGRAM.procedures.values():
        fields = procedure.args.__annotations__ if procedure.args is not None else {}
        args = None if procedure.args is None else procedure.args(**{name: values.get(name, 0) for name in fields})
        made.append(bytes(procedure.call_frame(1, args).raw))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_hostile_packets_are_answered_or_end_the_connection(seed: int) -> None:
    life = Life()
    life.log = Log(LogSettings(Level.ERROR), "test", None)
    programs: Programs = {admin.PROGRAM.number: (admin.PROGRAM, calls(life).answers())}
    mutator, clock = Mutator(Random(seed), packets()), Clock()
    client, transport = connection(programs, clock)
    answered = 0
    for _ in range(2000):
        if client.closed:
            client, transport = connection(programs, clock)
        client.dataReceived(mutator.packet())
        clock.advance(1)  # the next turn, on a host that is slow
        assert client.in_flight == 0
        assert all(frame.type == REPLY for frame in transport.frames)
        answered += len(transport.frames)
        transport.frames.clear()
    assert answered > 200
