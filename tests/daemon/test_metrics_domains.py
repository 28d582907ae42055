# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of hosts and domains: what is shown, and that nobody is asked more than once at a time for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from tests.daemon.test_lifecycle import started
from tests.daemon.test_metrics import ask, samples
from tests.routing.conftest import Timed, run
from tests.support.proxy import settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.metrics import Metrics
from virtproxy.daemon.metrics_domains import AT_ONCE, Host, declare_domains, merged
from virtproxy.daemon.metrics_figures import NAMES, Figures, page
from virtproxy.daemon.metrics_port import metrics_endpoint
from virtproxy.daemon.settings import Settings
from virtproxy.errors import internal
from virtproxy.protocol import remote
from virtproxy.routing.families import Target
from virtproxy.routing.router import Router

KINDS = remote.TypedParameterType
INFO = remote.NodeGetInfoRet(
    model=b"x86_64".ljust(32, b"\0"), memory=1000, cpus=4, mhz=1, nodes=1, sockets=1, cores=4, threads=1
)


def domain(number: int, name: str | None = None) -> remote.NonnullDomain:
    return remote.NonnullDomain(name=name or f"d{number}", uuid=number.to_bytes(16, "big"), id=number)


def record(dom: remote.NonnullDomain) -> remote.DomainStatsRecord:
    numbers = {
        "state.state": 1, "cpu.time": 2_500_000_000, "balloon.current": 8, "balloon.maximum": 16, "net.count": 2,
        "net.0.rx.bytes": 5, "net.1.rx.bytes": 6, "net.0.tx.bytes": 7, "block.count": 1, "block.0.rd.bytes": 9,
    }  # fmt: skip
    params = [
        remote.TypedParam(field=field, value=remote.TypedParamValue(type=KINDS.ULLONG, value=number))
        for field, number in numbers.items()
    ]
    name = remote.TypedParam(field="net.0.name", value=remote.TypedParamValue(type=KINDS.STRING, value="vnet0"))
    return remote.DomainStatsRecord(dom=dom, params=[*params, name])


def test_what_is_told() -> None:
    found = samples(page("qemu:///system", Figures(INFO, 77, [record(domain(1)), record(domain(2))])))
    labels = " domain=d2 uri=qemu:///system"
    assert found["virtproxy_host_cpus uri=qemu:///system"] == 4
    assert found["virtproxy_host_memory_bytes uri=qemu:///system"] == 1000 * 1024
    assert found["virtproxy_host_memory_free_bytes uri=qemu:///system"] == 77
    assert found["virtproxy_domains state=running uri=qemu:///system"] == 2
    assert found["virtproxy_domain_state" + labels] == 1
    assert found["virtproxy_domain_cpu_seconds_total" + labels] == 2.5
    assert found["virtproxy_domain_memory_max_bytes" + labels] == 16 * 1024
    assert found["virtproxy_domain_net_receive_bytes_total" + labels] == 11
    assert found["virtproxy_domain_block_read_bytes_total" + labels] == 9
    assert "virtproxy_domain_memory_resident_bytes" + labels not in found
    assert {name.split(" ")[0] for name in found} <= NAMES


def test_pages_of_several_hosts_are_one() -> None:
    odd = 'x"\n# HELP virtproxy_clients forged\n# TYPE a\nvirtproxy_clients 99\\'
    pages = [page(uri, Figures(INFO, 1, [record(domain(1, odd))])) for uri in ("qemu:///system", "lxc:///system")]
    text = merged(pages)
    assert text.count(b"\n# TYPE virtproxy_domain_state gauge") == 1
    found = samples(text)
    assert "virtproxy_clients" not in found
    for uri in ("qemu:///system", "lxc:///system"):
        assert found[f"virtproxy_domain_state domain={odd} uri={uri}"] == 1
    assert merged([b"", pages[0]]) == pages[0]


@pytest.fixture
def qemu() -> Iterator[ScriptedDaemon]:
    """A daemon with more domains than are asked for at a time."""
    from twisted.internet import reactor

    daemon = ScriptedDaemon(reactor)
    domains = [domain(number) for number in range(AT_ONCE + 1)]
    daemon.script.answers.update(
        {
            remote.CONNECT_SET_IDENTITY: None,
            remote.NODE_GET_INFO: INFO,
            remote.NODE_GET_FREE_MEMORY: remote.NodeGetFreeMemoryRet(free_mem=5),
            remote.CONNECT_LIST_ALL_DOMAINS: remote.ConnectListAllDomainsRet(domains=domains, ret=len(domains)),
            remote.CONNECT_GET_ALL_DOMAIN_STATS: lambda args: remote.ConnectGetAllDomainStatsRet(
                ret_stats=[record(dom) for dom in args.doms]
            ),
        }
    )
    yield daemon
    daemon.close()
    run(settle(reactor))


class Watched:
    """A host's figures with a pretended clock."""

    def __init__(self, daemon: ScriptedDaemon) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.clock = Clock()
        router = Router(Timed(reactor, self.clock), "system", {"qemu": daemon.path})
        self.host = Host(router, Target("qemu", "qemu:///system"), 15, _at_once)
        self.metrics = Metrics()
        declare_domains(self.metrics, [self.host])

    async def look(self, seconds: float = 0) -> dict[str, float]:
        """What a scrape shows after so much time."""
        self.clock.advance(seconds)
        found = samples(self.metrics.text())
        await settle(self.reactor, 20)
        return found


async def _at_once(function: Any) -> Any:
    return function()


def asked(daemon: ScriptedDaemon) -> list[str]:
    """The questions that came."""
    own = {"AUTH_LIST", "CONNECT_OPEN", "CONNECT_SET_IDENTITY", "CONNECT_SUPPORTS_FEATURE", "CONNECT_CLOSE"}
    names = [procedure.name for session in daemon.script.sessions for procedure, _ in session.calls]
    return [name for name in names if name not in own]


@pytest_twisted.ensureDeferred
async def test_figures_are_asked_for_when_somebody_looks_and_are_remembered(qemu: ScriptedDaemon) -> None:
    watched = Watched(qemu)
    assert await watched.look() == {"virtproxy_domains_up uri=qemu:///system": 0}
    round_of_questions = ["NODE_GET_INFO", "NODE_GET_FREE_MEMORY", "CONNECT_LIST_ALL_DOMAINS",
                          "CONNECT_GET_ALL_DOMAIN_STATS", "CONNECT_GET_ALL_DOMAIN_STATS"]  # fmt: skip
    assert asked(qemu) == round_of_questions
    opened = [args for procedure, args in qemu.script.only.calls if procedure is remote.CONNECT_OPEN]
    assert [args.flags for args in opened] == [1]
    for _ in range(5):
        found = await watched.look(2)
    assert found["virtproxy_domains_up uri=qemu:///system"] == 1
    assert found["virtproxy_domains_age_seconds uri=qemu:///system"] == 10
    assert found["virtproxy_domains state=running uri=qemu:///system"] == AT_ONCE + 1
    assert asked(qemu) == round_of_questions
    await watched.look(5)
    assert asked(qemu) == round_of_questions * 2
    watched.host.close()


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_stuck_is_not_asked_again(qemu: ScriptedDaemon) -> None:
    watched = Watched(qemu)
    await watched.look()
    answer, qemu.script.answers[remote.NODE_GET_INFO] = INFO, lambda args: LATER
    for _ in range(50):
        found = await watched.look(20)
    assert asked(qemu).count("NODE_GET_INFO") == 2
    assert found["virtproxy_domains_age_seconds uri=qemu:///system"] == 1000
    assert found["virtproxy_host_cpus uri=qemu:///system"] == 4
    stuck = qemu.script.only
    owed = next(frame for frame in reversed(stuck.frames) if frame.procedure == remote.NODE_GET_INFO.number)
    stuck.connection.reply(remote.NODE_GET_INFO.reply_frame(owed.serial, replace_cpus(answer)))
    qemu.script.answers[remote.NODE_GET_INFO] = answer
    await settle(watched.reactor, 20)
    found = await watched.look()
    assert found["virtproxy_host_cpus uri=qemu:///system"] == 8
    assert found["virtproxy_domains_age_seconds uri=qemu:///system"] == 0
    watched.host.close()


def replace_cpus(info: remote.NodeGetInfoRet) -> remote.NodeGetInfoRet:
    values = {name: getattr(info, name) for name in ("model", "memory", "mhz", "nodes", "sockets", "cores", "threads")}
    return remote.NodeGetInfoRet(cpus=8, **values)


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_refuses_or_goes_away_is_down(qemu: ScriptedDaemon) -> None:
    watched = Watched(qemu)
    await watched.look()

    def refuse(args: object) -> None:
        raise internal("not now")

    qemu.script.answers[remote.CONNECT_LIST_ALL_DOMAINS] = refuse
    await watched.look(20)
    found = await watched.look(1)
    assert found["virtproxy_domains_up uri=qemu:///system"] == 0
    assert found["virtproxy_domains state=running uri=qemu:///system"] == AT_ONCE + 1
    qemu.script.only.connection.abort("gone")
    qemu.script.answers[remote.CONNECT_LIST_ALL_DOMAINS] = remote.ConnectListAllDomainsRet(domains=[], ret=0)
    await settle(watched.reactor)
    await watched.look(20)
    found = await watched.look(1)
    assert found["virtproxy_domains_up uri=qemu:///system"] == 1
    assert "virtproxy_domains state=running uri=qemu:///system" not in found
    watched.host.close()


LISTEN = 'metrics_listen = "127.0.0.1:1"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('metrics_domains = ["qemu:///system"]', "f.conf:1: metrics_domains needs metrics_listen"),
        (LISTEN + 'metrics_domains = ["network:///system"]', 'f.conf:2: metrics_domains takes URIs such as "qemu:///s'),
        (
            LISTEN + 'metrics_domains = ["qemu://host/system"]',
            'f.conf:2: metrics_domains takes URIs such as "qemu:///s',
        ),
        (LISTEN + 'metrics_domains = ["hello"]', 'f.conf:2: metrics_domains takes URIs such as "qemu:///s'),
    ],
)
def test_what_cannot_be_shown(text: str, problem: str) -> None:
    with pytest.raises(StartupError) as refused:
        metrics_endpoint(Settings(ROWS["virtproxyd"], "f.conf", parse(text, "f.conf")))
    assert refused.value.message.startswith(problem)


def test_a_daemon_shows_its_own_drivers_domains(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    text = f'metrics_listen = "127.0.0.1:{port}"\nmetrics_domains = [ "test:///default" ]\n'
    daemon = started(place, text)
    deadline = time.monotonic() + 10
    found: dict[str, float] = {}
    while "virtproxy_domain_state domain=test uri=test:///default" not in found:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        found = samples(ask(port, "GET", "/metrics")[2])
    assert found["virtproxy_domains state=running uri=test:///default"] == 1
    assert found["virtproxy_domains_up uri=test:///default"] == 1
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()
