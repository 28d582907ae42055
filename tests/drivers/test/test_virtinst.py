# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-install, virt-clone and virt-xml at C libvirtd's test driver and at ours: what they say, and what they make."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.drivers.test.conftest import Peer

SCRIPT = Path(__file__).with_name("virtinst_script.py")
COMMANDS = {name: Path(__file__).with_name(f"virtinst_{name}.txt") for name in ("commands", "volumes")}
MASKS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"test\+unix:\S+socket=\S+?(?=['\"\s]|$)"), "<uri>"),
    (re.compile(r"\b(52:54:00|00:16:3e)(:[0-9a-f]{2}){3}"), "<mac>"),
    (re.compile(r"\d+ B/s|[\d:]+ *\|.*|\r.*"), "<progress>"),
)


def answers(uri: str, commands: Path, home: Path) -> list[str]:
    """What each command said, without what changes from run to run."""
    home.mkdir()
    env = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "XDG_CACHE_HOME": str(home)}
    command = ["/usr/bin/python3", str(SCRIPT), uri, str(commands)]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=False)
    assert ended.returncode == 0, ended.stderr
    found: list[str] = json.loads(ended.stdout)
    return [masked(text) for text in found]


def masked(text: str) -> str:
    """Without identifiers that are made up, addresses of this run and bars of progress."""
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    # libvirt's order is that of a hash table.
    return re.sub(r"guests \[(.*?)\]", lambda found: f"guests {sorted(found[1].split(', '))}", text)


@pytest.mark.conformance
@pytest.mark.programs("virt-install")
@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("peer", ["11.3.0"], indirect=True)
def test_virtinst_sees_no_difference(name: str, peer: Peer, uri: str, tmp_path: Path) -> None:
    lines = COMMANDS[name].read_text().splitlines()
    theirs = answers(peer.uri, COMMANDS[name], tmp_path / "theirs")
    ours = answers(uri, COMMANDS[name], tmp_path / "ours")
    assert sum(answer.endswith("status 0") for answer in theirs) > len(lines) // 2
    shown = [
        "\n".join([line, *difflib.unified_diff(one.splitlines(), other.splitlines(), "theirs", "ours", lineterm="")])
        for line, one, other in zip(lines, theirs, ours, strict=True)
        if one != other
    ]
    assert not shown, "\n\n".join(shown)
