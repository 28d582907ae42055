# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our virtstoraged beside libvirt's libvirtd: the same commands, the same answers, the same files on disk and modes.

Both run in labs of their own. What must differ is in DIFFERENCES, with the reason, and in docs/differences.md.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from tests.drivers.storage.commands import DOCUMENTS, SESSIONS
from tests.support.lab import SYSTEM_SOCKETS, Lab, fetched_tree, lab

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.programs("virsh"), pytest.mark.timeout(180)]

# What differs from run to run: sizes of the host's file system, times, random UUIDs.
MASKS = (
    (re.compile(r"<(allocation|available|capacity) unit='bytes'>\d{10,}<"), r"<\1 <bytes><"),
    (re.compile(r"<([acm]time)>[\d.]+<"), r"<\1><time><"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"(Allocation|Available|Capacity):( +)\d+\.\d+ GiB"), r"\1 <size>"),
    (re.compile(r"(Allocation|Available|Capacity):( +)\d{10,}"), r"\1 <bytes>"),
    (re.compile(r"\d+\.\d+ GiB"), "<size>"),
    # Debian has these backends of libvirt in packages of their own, which the lab has not.
    (re.compile(r"<pool type='(logical|disk|iscsi)' supported='\w+'>"), r"<pool type='\1'>"),
)


class Server:
    """One daemon of a lab, as virsh sees it."""

    def __init__(self, host: Lab, socket: str) -> None:
        self.host = host
        self.uri = f"storage+unix:///system?socket={SYSTEM_SOCKETS}/{socket}"

    def says(self, commands: list[str], *, shell: bool) -> list[str]:
        """What some commands print, masked, and then what they complain of."""
        if shell:
            done = self.host.run("sh", "-c", "\n".join(commands), check=False)
        else:
            done = self.host.run("virsh", "-q", "-c", self.uri, "; ".join(commands), check=False)
        text = f"{done.stdout}\n{done.stderr}"
        for pattern, mask in MASKS:
            text = pattern.sub(mask, text)
        # libvirt ends a program's complaints with the program's own newline.
        return [f"$ {commands}", *filter(None, text.splitlines())]

    def session(self, commands: list[str]) -> list[str]:
        """What the commands print one after the other; those of one kind that follow each other are one program."""
        paths = {name: self.host.write(f"documents/{name}", text) for name, text in DOCUMENTS.items()}
        said = []
        for shell, group in groupby(commands, lambda command: command.startswith("!")):
            words = [command[1:] if shell else command.format(**paths) for command in group]
            said += self.says(words, shell=shell)
        return said


@contextmanager
def theirs(tree: Path | None) -> Iterator[Server]:
    """libvirt's own."""
    with lab(tree) as host:
        host.libvirtd()
        yield Server(host, "libvirt-sock")


@contextmanager
def ours(tree: Path | None) -> Iterator[Server]:
    """virtproxy's."""
    with lab(tree) as host:
        config = host.write("virtstoraged.conf", 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n')
        daemon = host.spawn("virtstoraged", sys.executable, "-m", "virtproxy.cli.daemons", "virtstoraged", "-f", config)
        host.wait_for_socket(daemon, SYSTEM_SOCKETS / "virtstoraged-sock")
        yield Server(host, "virtstoraged-sock")


@pytest.mark.parametrize("session", SESSIONS)
def test_a_virsh_session_looks_alike(session: str) -> None:
    commands = SESSIONS[session]
    tree = fetched_tree()
    with theirs(tree) as server:
        expected = server.session(commands)
    with ours(tree) as server:
        found = server.session(commands)
    difference = "\n".join(difflib.unified_diff(expected, found, "theirs", "ours", lineterm=""))
    assert not difference, difference


def test_there_are_enough_commands() -> None:
    assert sum(not command.startswith("!") for commands in SESSIONS.values() for command in commands) > 200
