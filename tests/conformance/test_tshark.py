# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wireshark's dissector reads what our two ends put on the wire, without a malformed packet."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.labs import SCRIPTS, TESTS, furnished
from tests.support.lab import INSIDE, SYSTEM_SOCKETS, Lab, wait_until
from tests.support.transcript import Transcript, parse

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

URI = "qemu+tcp://127.0.0.1/system"
CAPTURE = INSIDE / "capture.pcapng"
PORT = 16509


@contextlib.contextmanager
def captured(lab: Lab) -> Iterator[None]:
    """Everything on the port while the block runs goes to CAPTURE."""
    options = ("-q", "-i", "lo", "-s", "0", "-f", f"tcp port {PORT}", "-w", CAPTURE)
    dumpcap = lab.spawn("dumpcap", "dumpcap", *options)
    wait_until(lambda: "File: " in dumpcap.log_text(), "dumpcap")
    try:
        yield
        lab.run("sleep", "0.5")
    finally:
        os.kill(dumpcap.pid, signal.SIGINT)
        dumpcap.wrapper.wait(20)


def dissect(lab: Lab, display_filter: str, *fields: str) -> list[list[str]]:
    """The fields of each packet that the filter lets through."""
    wanted = [word for field in fields for word in ("-e", field)]
    options = ("-o", "tcp.desegment_tcp_streams:TRUE", "-d", f"tcp.port=={PORT},libvirt", "-T", "fields", *wanted)
    done = lab.run("tshark", "-r", CAPTURE, *options, "-Y", display_filter, env={"XDG_CONFIG_HOME": "/run/lab"})
    return [line.split("\t") for line in done.stdout.splitlines()]


def assert_readable(lab: Lab) -> None:
    """Every packet was understood, of every kind there is a number of them."""
    assert dissect(lab, "_ws.malformed || _ws.expert.severity == error", "frame.number", "_ws.col.info") == []
    kinds = [kind for row in dissect(lab, "libvirt", "libvirt.type") for kind in row[0].split(",")]
    assert {"0", "1", "2", "3"} <= set(kinds), "calls, replies, messages and stream packets"
    assert len(kinds) > 30
    procedures = [name for row in dissect(lab, "libvirt", "libvirt.procedure") for name in row[0].split(",")]
    assert all(procedures)


def test_our_server_end() -> None:
    with furnished() as lab:
        lab.proxied(listen_tcp="1", auth_tcp='"none"')
        # The dissector takes a stream packet with 1 to 27 bytes of data for malformed, as libvirtd sends them at the
        # end of each 256 KiB that it reads; so the volume is smaller.
        steps = parse((SCRIPTS / "transport.script").read_text().replace("3000000", "200000"))
        with captured(lab):
            Transcript(lab, Path("/usr/bin/virsh"), {}, URI).run(steps)
        assert_readable(lab)


def test_our_client_end() -> None:
    with furnished() as lab:
        listening = {"listen_tls": "0", "listen_tcp": "1", "auth_tcp": '"none"', "listen_addr": '"127.0.0.1"'}
        lab.libvirtd(SYSTEM_SOCKETS, "--listen", **listening)
        env = {"PYTHONPATH": str(TESTS.parent)}
        with captured(lab):
            done = lab.run(sys.executable, "-m", "tests.conformance.our_client", URI, env=env)
        said = done.stdout.splitlines()[1:]
        assert said == ["Network not found: no network with matching name 'nosuch'", "0", "1", "True"]
        assert_readable(lab)
