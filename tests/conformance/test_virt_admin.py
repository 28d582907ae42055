# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-admin shows the same of virtproxyd as of libvirtd: every command it has, good and bad, of both releases.

What differs is listed here, and explained in docs/admin.md.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.lab import BACKEND_SOCKETS, FAMILIES, SYSTEM_SOCKETS, Daemon, Lab, fetched_tree, wait_until

pytestmark = [pytest.mark.root, pytest.mark.conformance]

# DAEMON is the name of the server; the clients 1 to 3 are a writer, a reader and one that came by TCP.
SCRIPT = """
uri
version
connect
connect libvirtd:///nowhere
server-list
srv-list
server-threadpool-info DAEMON
srv-threadpool-info DAEMON
server-threadpool-info nope
server-threadpool-set DAEMON --min-workers 2
server-threadpool-set DAEMON --min-workers 30
server-threadpool-set DAEMON --max-workers 1
server-threadpool-set DAEMON --max-workers 0
server-threadpool-set DAEMON --min-workers 3 --max-workers 10 --priority-workers 7
srv-threadpool-set DAEMON --max-workers 11
server-threadpool-info DAEMON
server-threadpool-set DAEMON
server-threadpool-set nope --max-workers 10
client-list DAEMON
srv-clients-list DAEMON
client-list admin
client-list nope
client-info DAEMON 1
client-info DAEMON 2
client-info DAEMON 3
client-info DAEMON 77
client-info nope 1
server-clients-info DAEMON
srv-clients-info DAEMON
server-clients-info admin
server-clients-info nope
server-clients-set DAEMON --max-clients 10
server-clients-set DAEMON --max-unauth-clients 100
server-clients-set DAEMON --max-clients 10 --max-unauth-clients 5
server-clients-set DAEMON --max-clients 3 --max-unauth-clients 10
server-clients-set DAEMON --max-clients 0
srv-clients-set DAEMON --max-unauth-clients 0
server-clients-set DAEMON
server-clients-set nope --max-clients 10
server-clients-set admin --max-clients 10
server-clients-info DAEMON
server-clients-info admin
client-disconnect DAEMON 77
client-disconnect nope 1
client-disconnect DAEMON 2
client-list DAEMON
daemon-log-filters
daemon-log-filters "1:qemu 3:rpc.foo"
daemon-log-filters
daemon-log-filters "1:+x"
daemon-log-filters
daemon-log-filters ""
daemon-log-filters
daemon-log-filters "9:x"
daemon-log-filters "1"
daemon-log-filters "1:"
daemon-log-outputs
daemon-log-outputs "1:file:/run/lab/x.log 3:stderr"
daemon-log-outputs
daemon-log-outputs "1:file:/nope/x.log"
daemon-log-outputs "1:bogus"
daemon-log-outputs "5:stderr"
daemon-log-outputs "1:stderr:x"
daemon-log-outputs "1:file"
daemon-log-outputs "1:syslog"
daemon-log-outputs "stderr"
daemon-log-outputs ""
daemon-log-outputs
server-update-tls DAEMON
server-update-tls admin
server-update-tls nope
srv-update-tls-file DAEMON
daemon-timeout --timeout 0
daemon-timeout --timeout 50
daemon-timeout --timeout 5000000000
"""

# What virt-admin does by itself, and what ends the daemon.
NOT_IN_SCRIPT = {"cd", "echo", "exit", "quit", "help", "pwd", "self-test", "complete", "daemon-shutdown"}

# What only virtproxyd answers like that, and the exit status.
OURS = {
    'daemon-log-outputs "1:file:relative"': (1, 'the file of the output "1:file:relative" must be an absolute path'),
    "daemon-timeout --timeout 5000000": (1, "a timeout is from 0 to 2147483 seconds, not 5000000"),
    "server-threadpool-info admin": (0, "nWorkers       : 0"),
}

# The sentence of 9.0 says the opposite of what it means; 11.3 mended it.
MENDED = (
    "The overall maximum number of clients waiting for authentication must not be less than the overall maximum number "
    "of clients",
    "The overall maximum number of clients must not be less than the number of clients waiting for authentication",
)
MASKS = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+0000", "TIME"),
    (r"(unix_process_id: )\d+", r"\1PID"),
    (r"(sock_addr +: 127\.0\.0\.1:)\d+", r"\1PORT"),
    (r"(Running against daemon: )\S+", r"\1VERSION"),
    # How many administrators came before is in the numbers of the admin server's clients.
    (r"(?m)^ \d+ +(unix +TIME)$", r" N \1"),
    (r"(?m)^-+$", "---"),
)


@contextmanager
def daemon(lab: Lab, name: str) -> Iterator[Daemon]:
    """The daemon, with three clients."""
    tcp = {"listen_tls": "0", "listen_tcp": "1", "auth_tcp": '"none"', "listen_addr": '"127.0.0.1"'}
    if name == "libvirtd":
        served = lab.libvirtd(SYSTEM_SOCKETS, "--listen", **tcp)
    else:
        lab.libvirtd(BACKEND_SOCKETS)
        served = lab.virtproxyd(dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock"), **tcp)
    for number, client in enumerate((["qemu:///system"], ["-r", "qemu:///system"], ["qemu+tcp://127.0.0.1/system"]), 1):
        *options, uri = client
        quiet: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        lab.popen("virsh", *options, "-c", uri, "event", "--all", "--loop", **quiet)
        wait_until(lambda number=number: f"\n {number} " in run(lab, name, "client-list DAEMON")[1], "the client")  # type: ignore[misc]
    yield served


def run(lab: Lab, name: str, line: str) -> tuple[int, str]:
    """The exit status of a command, and what it printed."""
    command = shlex.split(line.replace("DAEMON", name))
    done = lab.run("virt-admin", "-c", "libvirtd:///system", *command, check=False)
    return done.returncode, done.stdout + done.stderr


def masked(name: str, line: str, answer: tuple[int, str]) -> str:
    """What must be the same, as one text."""
    text = answer[1].replace(name, "DAEMON").replace("DAEMON:///", "libvirtd:///")
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    if line in {"server-list", "srv-list"}:  # in no order
        text = " ".join(sorted(re.findall("DAEMON|admin", text)))
    text = text.replace(*MENDED)
    text = "\n".join(part.rstrip() for part in text.splitlines())
    return f"$ {line}\n{text}\n[{answer[0]}]"


def transcript(lab: Lab, name: str) -> list[str]:
    """What every line of the script gives."""
    return [masked(name, line, run(lab, name, line)) for line in SCRIPT.strip().splitlines()]


@pytest.mark.parametrize("version", ["9.0.0", "11.3.0"])
def test_virt_admin_shows_the_same(version: str) -> None:
    tree = fetched_tree() if version == "11.3.0" else None
    with Lab(tree) as lab, daemon(lab, "libvirtd"):
        theirs = transcript(lab, "libvirtd")
    with Lab(tree) as lab, daemon(lab, "virtproxyd") as served:
        assert "\n".join(transcript(lab, "virtproxyd")) == "\n".join(theirs)
        for line, (status, said) in OURS.items():
            answer = run(lab, "virtproxyd", line)
            assert answer[0] == status and said in answer[1]
        commands = set(re.findall(r"(?m)^    (\S+) ", lab.run("virt-admin", "help").stdout))
        assert commands - {line.split()[0] for line in SCRIPT.strip().splitlines()} - NOT_IN_SCRIPT == set()
        if version == "11.3.0":
            assert run(lab, "virtproxyd", "daemon-shutdown --preserve")[0] == 0
            wait_until(lambda: not served.alive(), "the end of the daemon")
            assert served.wrapper.returncode == 0
