# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real clients notice nothing of a trace, Wireshark reads what it writes, and stuck calls are seen at once."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.labs import HOST_UUID, SCRIPTS, TESTS, furnished, script
from tests.conformance.test_scripts import assert_same
from tests.conformance.test_tshark import PORT
from tests.support.lab import INSIDE, SYSTEM_SOCKETS, Lab, wait_until
from tests.support.raw import RawClient, raw_client
from tests.support.transcript import Step, Transcript, masked, parse
from virtproxy.cli.main import main
from virtproxy.protocol import remote

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(180)]

VIRTPROXY = Path(sys.executable).parent / "virtproxy"
ADMIN = SYSTEM_SOCKETS / "libvirt-admin-sock"
RECORDING = INSIDE / "trace.pcapng"
STEPS = 120
CLIENTS, CALLS = 200, 5
SOON = 1.0


@contextlib.contextmanager
def traced(lab: Lab) -> Iterator[None]:
    """Everything that passes while the block runs goes to trace.log, and to RECORDING."""
    trace = lab.spawn("trace", VIRTPROXY, "trace", "--json", "--socket", ADMIN, "--write", RECORDING)
    wait_until(lambda: "from now on" in trace.log_text(), "the trace")
    try:
        yield
        time.sleep(1)
    finally:
        os.kill(trace.pid, signal.SIGINT)
        assert trace.wrapper.wait(20) == 0, trace.log_text()


def output(steps: list[Step], *, proxied: bool) -> tuple[str, list[Any]]:
    """What virsh and a program over libvirt-python print, directly or traced, and the trace."""
    with furnished() as lab:
        if not proxied:
            lab.libvirtd(host_uuid=HOST_UUID)
            return said_by_clients(lab, steps), []
        lab.proxied(host_uuid=HOST_UUID)
        with traced(lab):
            said = said_by_clients(lab, steps)
        assert_readable(lab)
        secret = (TESTS / "data" / "conformance" / "passphrase").read_bytes().strip()
        for file in (RECORDING, INSIDE / "trace.log"):
            text = lab.outside(file).read_bytes().replace(b"\0", b"")
            assert secret not in text
            assert base64.b64encode(secret) not in text
        lines = (lab.directory / "trace.log").read_text().splitlines()
        return said, [json.loads(line) for line in lines if line.startswith("{")]


def said_by_clients(lab: Lab, steps: list[Step]) -> str:
    argv, env = script("api", "qemu:///system")
    python = masked(lab.run(*argv, env=env, timeout=100).stdout)
    return Transcript(lab, Path("/usr/bin/virsh"), {}).run(steps) + python


def assert_readable(lab: Lab) -> None:
    """Wireshark's dissector understands every packet of the recording."""
    options = ("-r", RECORDING, "-d", f"tcp.port=={PORT},libvirt", "-T", "fields", "-e", "libvirt.procedure")
    env = {"XDG_CONFIG_HOME": "/run/lab"}
    # It takes a stream packet with 1 to 27 bytes of data for malformed, such as those of a console.
    wrong = "(_ws.malformed || _ws.expert.severity == error) && !(libvirt.type == 3)"
    bad = lab.run("tshark", *options, "-Y", wrong, env=env).stdout
    assert bad == ""
    rows = lab.run("tshark", *options, "-Y", "libvirt", env=env).stdout.splitlines()
    assert len(rows) > 1000
    assert all(rows)


def test_clients_notice_nothing() -> None:
    steps = parse((SCRIPTS / "virsh.script").read_text())[:STEPS]
    with ThreadPoolExecutor(2) as pool:
        direct, proxied = (pool.submit(output, steps, proxied=flag) for flag in (False, True))
        said, trace = proxied.result()
        assert_same(direct.result()[0], said)
    calls = [line for line in trace if line["kind"] == "call"]
    assert len({line["procedure"] for line in calls}) > 80
    assert {"SECRET_SET_VALUE", "SECRET_GET_VALUE"} <= {line["procedure"] for line in calls}
    assert all("seconds" in line and ("result" in line or "error" in line) for line in calls)
    assert {line["subject"].split()[0] for line in trace} == {"uid:0"}


def test_what_tcpdump_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    with furnished() as lab:
        lab.proxied(listen_tcp="1", auth_tcp='"none"')
        capture = INSIDE / "tcpdump.pcap"
        tcpdump = lab.spawn("tcpdump", "tcpdump", "-i", "any", "-U", "-w", capture, f"tcp port {PORT}")
        wait_until(lambda: "listening on" in tcpdump.log_text(), "tcpdump")
        commands = "list --all; capabilities; dominfo nosuch; secret-list; vol-list nosuch; pool-list"
        lab.run("virsh", "-c", "qemu+tcp://127.0.0.1/system", commands, check=False)
        time.sleep(1)
        os.kill(tcpdump.pid, signal.SIGINT)
        tcpdump.wrapper.wait(20)
        assert main(["trace", "--read", str(lab.outside(capture)), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    calls = [json.loads(line) for line in said.out.splitlines()]
    assert [calls[0]["procedure"], calls[-1]["procedure"]] == ["AUTH_LIST", "CONNECT_CLOSE"]
    assert all("result" in call or "error" in call for call in calls)
    found = {call["procedure"]: call for call in calls}
    assert found["DOMAIN_LOOKUP_BY_NAME"]["error"]["name"] == "NO_DOMAIN"
    assert found["CONNECT_GET_CAPABILITIES"]["result"]["capabilities"].startswith("<capabilities>")
    assert 0 < found["CONNECT_OPEN"]["seconds"] < 30


def ask(lab: Lab, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, float]:
    """What ``virtproxy top`` prints, and after how many seconds; the start of another Python does not count."""
    begin = time.monotonic()
    assert main(["top", "--socket", str(of_lab(lab, ADMIN)), *arguments]) == 0
    return capsys.readouterr().out, time.monotonic() - begin


def of_lab(lab: Lab, path: Path) -> Path:
    """Where a socket of a lab is seen from outside."""
    return Path(f"/proc/{lab.pid}/root") / path.relative_to("/")


def test_a_thousand_stuck_calls_in_under_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    with furnished() as lab, contextlib.ExitStack() as stack:
        backend, _ = lab.proxied()
        path = of_lab(lab, SYSTEM_SOCKETS / "libvirt-sock")
        clients = [stack.enter_context(raw_client(path)) for _ in range(CLIENTS)]
        for client in clients:
            client.open("qemu:///system")
        with backend.stopped():
            stick(clients)
            time.sleep(2)
            text, seconds = ask(lab, capsys, "--json")
            said = json.loads(text)
            assert said["total"] == len(said["calls"]) == CLIENTS * CALLS
            assert {call["procedure"] for call in said["calls"]} == {"CONNECT_NUM_OF_DOMAINS"}
            assert all(0.5 < call["age"] < 20 for call in said["calls"])
            assert sum(client["in_flight"] == CALLS for client in said["clients"]) == CLIENTS
            assert seconds < SOON
            table, seconds = ask(lab, capsys, "--once")
            assert table.count("CONNECT_NUM_OF_DOMAINS") == CLIENTS * CALLS
            assert seconds < SOON
            victim = said["calls"][0]["client"]
            ask(lab, capsys, "--kill", str(victim))
            left = json.loads(ask(lab, capsys, "--json")[0])
            assert left["total"] == (CLIENTS - 1) * CALLS
            assert victim not in {client["client"] for client in left["clients"]}
        gone = [client for client in clients if answers(client) < CALLS]
        assert len(gone) == 1


def stick(clients: list[RawClient]) -> None:
    """Let each make its calls, which nobody answers."""
    for client in clients:
        for serial in range(10, 10 + CALLS):
            client.send(remote.CONNECT_NUM_OF_DOMAINS.call_frame(serial, None))


def answers(client: RawClient) -> int:
    """How many answers a client gets, when the daemon goes on."""
    count = 0
    while count < CALLS and client.receive() is not None:
        count += 1
    return count
