# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon counts, and the port that shows it: to scrapers, to the curious, and to the hostile."""

from __future__ import annotations

import contextlib
import http.client
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from tests.daemon.test_lifecycle import started
from tests.support.daemon_process import DaemonProcess, configuration, environment
from virtproxy.daemon import metrics_web
from virtproxy.daemon import queued as queued_module
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.clients import Clients
from virtproxy.daemon.config import parse
from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.loop_lag import BOUNDS, EVERY_SECONDS, LoopLag
from virtproxy.daemon.metrics import Metrics, declare_daemon
from virtproxy.daemon.metrics_port import CONNECTIONS_MAX, MetricsPort, metrics_endpoint, metrics_warnings
from virtproxy.daemon.metrics_web import REQUEST_MAX
from virtproxy.daemon.queued import queued
from virtproxy.daemon.settings import Settings


def shown(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name and labels."""
    return samples(metrics.text())


def samples(text: bytes) -> dict[str, float]:
    """The same of a page, as a scraper reads it."""
    families = text_string_to_metric_families(text.decode())
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_and_gauges() -> None:
    metrics, level = Metrics(), [1.5]
    counter = metrics.counter("t_refused", "Refused.", "why")
    metrics.number("t_level", "Level.", lambda: level[0])
    counter.inc('odd "label"\n')
    counter.inc("plain")
    counter.inc("plain")
    assert shown(metrics) == {'t_refused_total why=odd "label"\n': 1, "t_refused_total why=plain": 2, "t_level": 1.5}
    level[0] = 2
    assert shown(metrics)["t_level"] == 2


def test_histograms() -> None:
    metrics = Metrics()
    metrics.histogram("t_seconds", "Took.", (0.00005, 1.0), lambda: [(('a"\\n\n',), [1, 2, 3], 7.5)], "what")
    metrics.histogram("u_seconds", "Took.", (1.0,), lambda: [((), [1, 0], 0.5)])
    odd = 'what=a"\\n\n'
    assert shown(metrics) == {
        f"t_seconds_bucket le=5e-05 {odd}": 1, f"t_seconds_bucket le=1.0 {odd}": 3,
        f"t_seconds_bucket le=+Inf {odd}": 6, f"t_seconds_count {odd}": 6, f"t_seconds_sum {odd}": 7.5,
        "u_seconds_bucket le=1.0": 1, "u_seconds_bucket le=+Inf": 1, "u_seconds_count": 1, "u_seconds_sum": 0.5,
    }  # fmt: skip


def test_a_name_has_one_meaning() -> None:
    metrics = Metrics()
    metrics.counter("t", "Once.")
    with pytest.raises(ValueError, match="declared twice"):
        metrics.number("t", "Twice.", lambda: 0)


def test_what_every_daemon_has() -> None:
    metrics, refusals = Metrics(), Counter[str]()
    clients = Clients(10, 10, lambda accept: None)
    declare_daemon(metrics, "virtproxyd", clients, refusals, None)
    first, _ = clients.joined(), clients.joined()
    assert first is not None
    clients.authenticated(first)
    refusals["readonly"] += 3
    found = shown(metrics)
    assert found["virtproxy_clients"] == 2
    assert found["virtproxy_clients_anonymous"] == 1
    assert found["virtproxy_calls_refused_total rule=readonly"] == 3
    assert any(name.startswith("virtproxy_build_info daemon=virtproxyd") for name in found)


def endpoint(value: str) -> UnixEndpoint | InetEndpoint | None:
    return metrics_endpoint(settings(value))


def settings(value: str) -> Settings:
    return Settings(ROWS["virtproxyd"], "f.conf", parse(f'metrics_listen = "{value}"\n', "f.conf"))


def test_addresses() -> None:
    four, six, unix = map(endpoint, ("127.0.0.1:9177", "[::1]:0", "unix:/run/m"))
    assert isinstance(four, InetEndpoint)
    assert isinstance(six, InetEndpoint)
    assert isinstance(unix, UnixEndpoint)
    assert (four.address, six.address) == (("127.0.0.1", 9177), ("::1", 0))
    assert (unix.path, unix.mode) == ("/run/m", 0o660)
    assert metrics_endpoint(Settings(ROWS["virtproxyd"], "f.conf")) is None


@pytest.mark.parametrize(
    "value",
    ["9177", ":9177", "*:9177", "localhost:9177", "127.0.0.1", "127.0.0.1:65536", "::1:9177", "[127.0.0.1]:1", "unix:m",
     "127.1:80", "127.0.0.1:", "127.0.0.1:-1", "", "unix:", "127.0.0.1:1 ", "[::1%lo]:1"],
)  # fmt: skip
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(StartupError, match=r"f\.conf:1: metrics_listen must be"):
        endpoint(value)


def test_another_address_is_warned_of() -> None:
    for value, warned in (("127.0.0.2:1", 0), ("[::1]:1", 0), ("unix:/m", 0), ("0.0.0.0:1", 1), ("192.0.2.1:1", 1)):
        assert len(metrics_warnings(settings(value), endpoint(value))) == warned


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StartupError, match=r"pip install 'virtproxy\[metrics\]'.*python3-prometheus-client"):
        endpoint("127.0.0.1:1")


def test_a_daemon_loads_only_what_it_is_asked_for() -> None:
    code = (
        "import sys, virtproxy.daemon.lifecycle, virtproxy.daemon.run\n"
        "assert not {'prometheus_client', 'OpenSSL'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.fixture
def port(place: Path) -> Iterator[int]:
    """The port of a daemon's metrics."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    daemon = started(place, f'metrics_listen = "127.0.0.1:{number}"\n')
    yield number
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()
    assert "127.0.0.1 - -" not in daemon.said()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as client:
        client.request(method, path, body)
        with client.getresponse() as answer:
            return answer.status, dict(answer.getheaders()), answer.read()


def test_the_page_and_nothing_else(port: int, place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "libvirt-sock"))
        status, headers, body = ask(port, "GET", "/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert headers["Connection"] == "close"
        assert b"\nvirtproxy_clients 1.0\n" in body
    assert ask(port, "HEAD", "/metrics")[0] == 200
    for path in ("/", "/metrics/", "/metrics/x", "/favicon.ico", "/..//metrics"):
        assert (path, ask(port, "GET", path)[0]) == (path, 404)
    assert ask(port, "GET", "/metrics?name[]=x")[0] == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert (method, ask(port, method, "/metrics", b"x" * 100)[0]) == (method, 405)


@pytest.mark.programs("virsh")
def test_a_refused_call_is_counted(port: int, place: Path) -> None:
    assert b"virtproxy_calls_refused_total{" not in ask(port, "GET", "/metrics")[2]
    command = ["virsh", "-c", f"test+unix:///default?socket={place}/libvirt-sock-ro", "destroy", "test"]
    assert subprocess.run(command, capture_output=True, timeout=15).returncode != 0
    assert b'virtproxy_calls_refused_total{rule="readonly"} 1.0' in ask(port, "GET", "/metrics")[2]


@pytest.mark.programs("virsh")
def test_what_clients_do_is_counted_and_timed(port: int, place: Path) -> None:
    uri = f"test+unix:///default?socket={place}/libvirt-sock"
    subprocess.run(["virsh", "-c", uri, "list; " * 8], capture_output=True, timeout=15, check=True)
    refused = subprocess.run(["virsh", "-c", uri, "domstate", "nobody"], capture_output=True, timeout=15)
    assert refused.returncode == 1
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "libvirt-sock"))
        found = samples(ask(port, "GET", "/metrics")[2])
    assert found["virtproxy_calls_total backend=test procedure=connect_list_all_domains"] == 8
    assert found["virtproxy_call_errors_total backend=test procedure=domain_lookup_by_name"] == 1
    assert found["virtproxy_calls_total backend=virtproxy procedure=connect_open"] == 2
    timed = "virtproxy_backend_seconds{} backend=test{} procedure="
    counts = [number for name, number in found.items() if name.startswith(timed.format("_count", ""))]
    assert 1 <= sum(counts) <= 4  # one call in eight of each client is timed
    assert 0 < sum(number for name, number in found.items() if name.startswith(timed.format("_sum", ""))) < 5
    assert found["virtproxy_client_bytes_total direction=in"] > 200
    assert found["virtproxy_sessions auth=none transport=unix"] == 1
    assert found["virtproxy_limit limit=max_clients"] == 5000
    assert found["virtproxy_limit_used limit=max_clients"] == found["virtproxy_accepting"] == 1
    assert found["process_resident_memory_bytes"] > 10_000_000


def test_who_waits_to_be_accepted(place: Path) -> None:
    path, client = str(place / "s"), contextlib.ExitStack()
    with client, socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
        unix.bind(path)
        unix.listen()
        assert (queued(unix), queued(tcp)) == (0, 0)
        for _ in range(3):
            client.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        for _ in range(2):
            client.enter_context(socket.create_connection(tcp.getsockname()))
        assert (queued(unix), queued(tcp)) == (3, 2)
        with unix.accept()[0]:
            assert queued(unix) == 2
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(queued_module, "_NETLINK_SOCK_DIAG", 99)
            assert queued(unix) == 1


def test_how_late_the_loop_is() -> None:
    clock = Clock()
    lag = LoopLag(clock)
    lag.start()
    clock.advance(EVERY_SECONDS)
    clock.advance(EVERY_SECONDS + 0.2)
    assert lag.last == lag.seconds == pytest.approx(0.2)
    assert [bound for bound, number in zip([*BOUNDS, None], lag.counts, strict=True) if number] == [BOUNDS[0], 0.25]
    lag.stop()
    assert clock.getDelayedCalls() == []


def answer_to(port: int, data: bytes) -> bytes:
    """All that is answered to these bytes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), 15) as client:
        client.sendall(data)
        found = b""
        with contextlib.suppress(ConnectionResetError):  # what it did not read is a reset to it
            while piece := client.recv(65536):
                found += piece
        return found


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"\0" * REQUEST_MAX + b"\0", b"HTTP/1.1 431"),
        (b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 1362, b"HTTP/1.1 431"),
        (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200"),
        (b"GET /metrics HTTP/1.0\n\n", b"HTTP/1.1 200"),
        (b"GET /metrics HTTP/1.1\r\n\r\n" * 50, b"HTTP/1.1 200"),
        (b"GET http://x/metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /metrics\r\n\r\n", b"HTTP/1.1 400"),
        (b"PRI * HTTP/2.0\r\n\r\n", b"HTTP/1.1 400"),
        (b"\r\n\r\n", b"HTTP/1.1 400"),
        (b"\xff\n\n", b"HTTP/1.1 400"),
    ],
)
def test_what_is_odd_ends_with_one_answer(port: int, data: bytes, answer: bytes) -> None:
    found = answer_to(port, data)
    assert found.startswith(answer)
    assert found.count(b"HTTP/1.1 ") <= 1


@pytest_twisted.ensureDeferred
async def test_who_is_slow_is_cut_off_and_keeps_nobody_else_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_web, "CONNECTION_SECONDS", 1.0)
    opened = MetricsPort(
        reactor, InetEndpoint(socket.AF_INET, ("127.0.0.1", 0), "tcp", "metrics_listen", False), Metrics()
    )
    opened.open()
    opened.start()
    port = int(opened.listeners.addresses[0][1].rpartition(":")[2])
    status = await deferToThread(_be_slow, port)
    assert status == 200
    opened.close()


def _be_slow(port: int) -> int:
    """Take every place and send a piece now and then, which buys no time; the status of who comes later."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 15)) for _ in range(CONNECTIONS_MAX)]
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask(port, "GET", "/metrics")
        while time.monotonic() - began < 0.8:
            slow[0].sendall(b"G")
            time.sleep(0.1)
        for client in slow:
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    assert 0.9 < time.monotonic() - began < 5
    return ask(port, "GET", "/metrics")[0]


def test_on_a_unix_socket(place: Path) -> None:
    daemon = started(place, f'metrics_listen = "unix:{place}/m"\n')
    assert stat.S_IMODE((place / "m").stat().st_mode) == 0o660
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "m"))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.")
    assert daemon.stop() == 0
    assert not (place / "m").exists()


def test_a_taken_port_is_told_before_anything_is_opened(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = f'metrics_listen = "127.0.0.1:{taken.getsockname()[1]}"\n'
        arguments = ["-f", str(configuration(place, text)), "-p", str(place / "d.pid")]
        daemon = DaemonProcess(place, arguments, environ=environment(place))
        daemon.wait_for("the port is taken; stop what listens there or set metrics_listen")
        assert daemon.process.wait(15) == 6
    DaemonProcess.running.remove(daemon)
    assert sorted(path.name for path in place.iterdir()) == ["d.conf", "output"]
