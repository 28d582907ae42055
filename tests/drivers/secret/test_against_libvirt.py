# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our virtsecretd beside libvirt 11.3's libvirtd: the same clients and calls, the same answers and files on disk.

Both run in one lab, one after the other on the same sockets and directories. What must differ is in DIFFERENCES, with
the reason, and in docs/differences.md.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.drivers.secret.commands import COMMANDS, DOCUMENTS, LAST
from tests.support.lab import INSIDE, SYSTEM_SOCKETS, Daemon, Lab, fetched_tree, lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.programs("virsh"), pytest.mark.timeout(180)]
SCRIPT = Path(__file__).with_name("api_script.py")
SECRETS = Path("/etc/libvirt/secrets")
# What differs, by the call's label in api_script.py.
PARSER = "the text is the XML parser's own, and ours is another parser"
DIFFERENCES = {
    "define cut": PARSER,
    "define unclosed": PARSER,
    "define two roots": PARSER,
    "define entity": PARSER,
    "define doctype": "we take no document type declaration, so that there are no entities to expand",
}
EARLY = "12121212-2222-3333-4444-555555555550"
RANDOM_ONE = re.compile(r"\b(?!1111|12345678|99999999)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Server:
    """One daemon of a lab, as its clients see it."""

    def __init__(self, host: Lab, daemon: Daemon, socket: str) -> None:
        self.host = host
        self.daemon = daemon
        self.uri = f"secret+unix:///system?socket={SYSTEM_SOCKETS}/{socket}"

    def virsh(self, *words: str, stdin: str = "") -> str:
        """What a virsh command says, with its status."""
        process = self.host.popen(
            "virsh", "-q", "-c", self.uri, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        said, _ = process.communicate(stdin, timeout=30)
        return f"{said}status {process.returncode}"


@contextmanager
def theirs(host: Lab) -> Iterator[Server]:
    """libvirt's own."""
    daemon = host.libvirtd()
    try:
        yield Server(host, daemon, "libvirt-sock")
    finally:
        # Told to end as soon as it has started, it now and then stays.
        daemon.kill()


@contextmanager
def ours(host: Lab, settings: str = "") -> Iterator[Server]:
    """virtproxy's."""
    config = host.write("virtsecretd.conf", f'auth_unix_rw = "none"\nauth_unix_ro = "none"\n{settings}')
    host.run("mkdir", "-p", SYSTEM_SOCKETS)
    daemon = host.spawn("virtsecretd", sys.executable, "-m", "virtproxy.cli.daemons", "virtsecretd", "-f", config)
    host.wait_for_socket(daemon, SYSTEM_SOCKETS / "virtsecretd-sock")
    try:
        yield Server(host, daemon, "virtsecretd-sock")
    finally:
        daemon.kill(15)


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """A host with libvirt 11.3 and no secrets yet."""
    with lab(fetched_tree()) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_secrets(host: Lab) -> None:
    host.run("rm", "-rf", SECRETS)


def files(host: Lab) -> str:
    """Every file with its mode, owner and content."""
    shell = f'cd {SECRETS}; for f in . *; do stat -c "%n %A %U:%G" "$f"; [ -d "$f" ] || cat "$f"; echo; done'
    return host.run("sh", "-c", shell).stdout


def answers(server: Server) -> dict[str, str]:
    """What the libvirt-python program sees, by the call's label."""
    ended = server.host.run("/usr/bin/python3", SCRIPT, server.uri, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = {}
    for line in ended.stdout.splitlines():
        label, _, answer = line.partition(" -> ")
        while label in found:
            label += "'"
        found[label] = re.sub(r"'<(?!1{8}|a{8})[-0-9a-f]{36}>'", "<random>", answer)
    return found


def test_every_call_of_libvirt_python_is_answered_alike_and_leaves_the_same_files(host: Lab) -> None:
    with theirs(host) as server:
        expected = answers(server)
        # libvirt leaves the document of a secret that became ephemeral, and has it back when it starts again.
        host.run("rm", SECRETS / "11111111-2222-3333-4444-555555555502.xml")
        left = files(host)
    host.run("rm", "-rf", SECRETS)
    with ours(host) as server:
        found = answers(server)
    assert len(expected) > 150
    assert list(expected) == list(found)
    differing = {label for label, answer in expected.items() if found[label] != answer}
    shown = "\n".join(f"{label}\n  theirs {expected[label]}\n  ours   {found[label]}" for label in sorted(differing))
    assert differing == set(DIFFERENCES), shown
    assert files(host) == left


def watching(server: Server, event: str) -> Daemon:
    """A virsh that tells of events, line by line: otherwise it would tell a file of them when it ends."""
    words = ("virsh", "-q", "-c", server.uri, "secret-event", "--event", event, "--loop")
    watcher = server.host.spawn(event, "stdbuf", "--output=L", *words)
    server.host.write("early", f"<secret><uuid>{EARLY}</uuid></secret>")

    # It does not say when it has registered: sooner or later it hears something.
    def hears() -> bool:
        server.virsh("secret-define", f"{INSIDE}/early")
        server.virsh("secret-set-value", EARLY, "eA==")
        return EARLY in watcher.log_text()

    wait_until(hears, f"{event} events")
    server.virsh("secret-undefine", EARLY)
    return watcher


def session(server: Server) -> list[str]:
    """What virsh says to every command, and what it hears of events meanwhile."""
    for name, text in DOCUMENTS.items():
        server.host.write(name, text)
    watchers = [watching(server, event) for event in ("lifecycle", "value-changed")]
    said = []
    for command in COMMANDS:
        words, _, stdin = command.partition(" < ")
        said.append(f"$ {command}")
        told = server.virsh(*(word.replace("@", f"{INSIDE}/") for word in words.split()), stdin=stdin)
        said += told.replace(server.uri, "<uri>").split("\n")
    server.virsh("secret-define", f"{INSIDE}/last")
    server.virsh("secret-set-value", LAST, "eA==")
    wait_until(lambda: all(LAST in watcher.log_text() for watcher in watchers), "the last events")
    for watcher in watchers:
        watcher.kill()
        said += [line for line in watcher.log_text().splitlines() if EARLY not in line]
        watcher.log.unlink()
    return [RANDOM_ONE.sub("<random>", line) for line in said]


def test_a_virsh_session_looks_alike(host: Lab) -> None:
    with theirs(host) as server:
        expected = session(server)
    host.run("rm", "-rf", SECRETS)
    with ours(host) as server:
        found = session(server)
    assert len(expected) > 2 * len(COMMANDS)
    difference = "\n".join(difflib.unified_diff(expected, found, "theirs", "ours", lineterm=""))
    assert not difference, difference


def everything(server: Server) -> str:
    """What a client can know of all secrets."""
    known = server.virsh("secret-list")
    for uuid in sorted(RANDOM.findall(known)):
        known += server.virsh("secret-dumpxml", uuid) + server.virsh("secret-get-value", uuid)
    return known


def test_a_host_goes_over_to_us_and_back_without_converting_a_file(host: Lab) -> None:
    with theirs(host) as server:
        answers(server)
        server.virsh("secret-set-value", "11111111-2222-3333-4444-555555555508", "--base64", "YSBsYXRlciB2YWx1ZQ==")
        left = files(host)
    with theirs(host) as server:
        before = everything(server)
    with ours(host) as server:
        assert everything(server) == before
        assert files(host) == left
        for words in (
            ("secret-set-value", "11111111-2222-3333-4444-555555555508", "--base64", "ZnJvbSB1cw=="),
            ("secret-set-value", "11111111-2222-3333-4444-555555555511", "--base64", "bmV3"),
            ("secret-undefine", "11111111-2222-3333-4444-555555555509"),
        ):
            assert server.virsh(*words).endswith("status 0")
        after = everything(server)
    with theirs(host) as server:
        assert everything(server) == after != before
