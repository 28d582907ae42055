# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logins by a real polkitd on a real system bus: virtproxyd lets in and refuses as libvirtd does, in the same words."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import BACKEND_SOCKETS, FAMILIES, Daemon, Lab, wait_until
from tests.support.polkit_host import PolkitHost

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(60)]

PROXY = "qemu:///system"
LIBVIRTD = f"qemu:///system?socket={BACKEND_SOCKETS}/libvirt-sock"
LIBVIRTD_RO = f"{LIBVIRTD}-ro"
ANYBODY = '"0777"'
# daemon may manage, bin may nothing, nobody may as far as nobody needs a password.
RULE = """polkit.addRule(function(action, subject) {
    if (action.id == "org.libvirt.unix.manage" && subject.user == "daemon") return polkit.Result.YES;
    if (subject.user == "bin") return polkit.Result.NO;
});
"""
AUTH_FAILED, AUTH_CANCELLED, AUTH_UNAVAILABLE, FROM_RPC, FROM_POLKIT = 45, 79, 94, 7, 60
AGENT = Path(__file__).parents[1] / "support" / "polkit_agent.py"


class Host:
    """A libvirtd that asks polkit, and a virtproxyd in front of it that does."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.polkit = PolkitHost(lab)
        self.polkit.rule("10-test.rules", RULE)
        self.polkitd = self.polkit.polkitd()
        shutil.copy(Path(__file__).parent / "scripts" / "polkit_client.py", lab.directory)
        asks = {"auth_unix_rw": '"polkit"', "auth_unix_ro": '"polkit"'}
        self.libvirtd = lab.libvirtd(BACKEND_SOCKETS, unix_sock_rw_perms=ANYBODY, **asks)
        socket = BACKEND_SOCKETS / "libvirt-sock"
        # unix_sock_rw_perms is left to its default.
        self.proxy = lab.virtproxyd(dict.fromkeys(FAMILIES, socket), polkit_timeout="2", **asks)

    def sees(self, user: str, *arguments: str) -> list[Any]:
        """What polkit_client.py says as that user, in the order of its URIs."""
        run = self.lab.run(*as_user(user), "/usr/bin/python3", "/run/lab/polkit_client.py", *arguments)
        return [json.loads(line) for line in run.stdout.splitlines()]


def as_user(user: str) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Lab() as lab:
        yield Host(lab)


@pytest.fixture
def polkitd(host: Host) -> Iterator[Daemon]:
    """The running polkitd; a test may end it."""
    yield host.polkitd
    if not host.polkitd.alive():
        host.polkitd = host.polkit.polkitd()


@pytest.mark.parametrize("user", ["root", "daemon"])
def test_allowed(host: Host, user: str) -> None:
    assert host.sees(user, LIBVIRTD, PROXY) == [[], []]


def test_watching_needs_no_password(host: Host) -> None:
    assert host.sees("nobody", "-r", LIBVIRTD_RO, PROXY) == [[], []]


def test_denied(host: Host) -> None:
    theirs, ours = host.sees("bin", LIBVIRTD, PROXY)
    assert ours == theirs
    assert ours["error"][:3] == [AUTH_FAILED, FROM_POLKIT, "authentication failed: access denied by policy"]
    theirs, ours = host.sees("bin", "-r", LIBVIRTD_RO, PROXY)
    assert ours == theirs
    assert "the login of uid 2 (bin), pid" in host.proxy.log_text()
    assert "failed: access denied by policy" in host.proxy.log_text()


def test_no_agent_to_ask_for_the_password(host: Host) -> None:
    theirs, ours = host.sees("nobody", LIBVIRTD, PROXY)
    assert ours == theirs
    assert ours["error"][:2] == [AUTH_UNAVAILABLE, FROM_POLKIT]


WAITING = """while [ ! -e /run/lab/go ]; do sleep 0.05; done
exec /usr/bin/python3 /run/lab/polkit_client.py "$@"
"""


def test_a_human_who_is_asked_and_says_no(host: Host) -> None:
    # One process for both: the agent stands for its human.
    client = host.lab.spawn("client", *as_user("nobody"), "bash", "-c", WAITING, "client", LIBVIRTD, PROXY)
    pid = host.lab.run("pgrep", "-u", "nobody", "-x", "bash").stdout.strip()
    agent = host.lab.spawn("agent", sys.executable, AGENT, pid)
    wait_until(lambda: agent.log_text() == "ready\n", "the agent")
    host.lab.write("go", "")
    client.wrapper.wait(20)
    agent.kill()
    theirs, ours = (json.loads(line) for line in client.log_text().splitlines())
    assert ours == theirs
    assert ours["error"][:2] == [AUTH_CANCELLED, FROM_POLKIT]


def test_virsh_says_the_same_and_starts_its_agent(host: Host) -> None:
    for user in ("bin", "nobody"):
        shown = [
            host.lab.run(*as_user(user), "virsh", "-c", uri, "list", check=False).stderr for uri in (LIBVIRTD, PROXY)
        ]
        assert shown[0] == shown[1] != ""


def refused(host: Host) -> str:
    """Why daemon cannot come in, after how long at most."""
    started = time.monotonic()
    (ours,) = host.sees("daemon", PROXY)
    assert time.monotonic() - started < 10
    code, domain, text = ours["error"][:3]
    assert (code, domain) == (AUTH_FAILED, FROM_RPC)
    assert text.startswith("authentication failed: polkit cannot be asked: ")
    assert "polkit cannot be asked" in host.proxy.log_text()
    assert "install polkitd and dbus" in host.proxy.log_text()
    return str(text)


def test_no_polkit(host: Host, polkitd: Daemon) -> None:
    polkitd.kill()
    assert "org.freedesktop.PolicyKit1" in refused(host)


def test_polkit_that_does_not_answer(host: Host, polkitd: Daemon) -> None:
    with polkitd.stopped():
        assert "no answer within 2 s" in refused(host)
    assert host.sees("daemon", PROXY) == [[]]


def test_polkit_killed_in_the_middle(host: Host, polkitd: Daemon) -> None:
    os.kill(polkitd.pid, signal.SIGSTOP)
    waiting = host.lab.spawn("waiting", *as_user("daemon"), "virsh", "-c", PROXY, "list")
    time.sleep(0.5)
    assert waiting.alive()
    polkitd.kill()
    waiting.wrapper.wait(10)
    assert "polkit cannot be asked" in waiting.log_text()
    host.polkitd = host.polkit.polkitd()
    assert host.sees("daemon", PROXY) == [[]]


def test_a_client_that_leaves_takes_its_question_back(host: Host, polkitd: Daemon) -> None:
    polkitd.kill()
    host.polkitd = host.polkit.recorder("--silent", "manage")
    waiting = host.lab.spawn("waiting", *as_user("nobody"), "virsh", "-c", PROXY, "list")
    wait_until(lambda: len(host.polkit.asked()) == 1, "the question")
    waiting.kill()
    wait_until(lambda: len(host.polkit.asked()) == 2, "its end")
    asked, taken_back = host.polkit.asked()
    assert (asked["action"], asked["details"], asked["flags"]) == ("org.libvirt.unix.manage", {}, 1)
    assert taken_back == {"cancel": asked["cancellation"]}
    host.polkitd.kill()


def test_no_bus_and_a_new_one(host: Host, polkitd: Daemon) -> None:
    # libvirtd ends with its bus; the proxy does not.
    host.polkit.bus.kill()
    polkitd.kill()
    assert "system bus" in refused(host)
    host.lab.run("rm", "-f", "/run/dbus/system_bus_socket")
    assert "No such file" in refused(host)
    host.polkit.bus = host.polkit.start_bus()
    host.polkitd = host.polkit.polkitd()
    host.libvirtd.kill()
    host.lab.libvirtd(BACKEND_SOCKETS)
    assert host.sees("daemon", PROXY) == [[]]
