# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh's commands about domains, hundreds of them, at C libvirtd's test driver and at ours: equal output.

commands.txt has them in sections, each one session on a fresh host. What must differ is in differences.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.test.conftest import Peer
from tests.drivers.test.differences import COMMANDS, COMMANDS_OF_9_0, NEWER_SECTIONS
from tests.drivers.test.masks import masked

LIST = Path(__file__).with_name("commands.txt")
PROMPT = "virsh # "
MINIMAL = "<domain type='test'><name>{}</name>{}<memory>1024</memory>{}<os><type>hvm</type></os>{}</domain>"
UUID = "<uuid>{0}{0}{0}{0}-{0}{0}-{0}{0}-{0}{0}-{0}{0}{0}{0}{0}{0}</uuid>"
DISK = "<disk type='file' device='disk'><source file='{}'/><target dev='{}' bus='virtio'/></disk>"
NIC = "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>"
DOCUMENTS = {
    "one": MINIMAL.format("one", UUID.format("11"), "<vcpu>4</vcpu>", ""),
    "two": MINIMAL.format("two", UUID.format("22"), "", ""),
    "three": MINIMAL.format("three", UUID.format("33"), "", ""),
    "nothing": "<domain type='test'/>",
    "broken": "<unknown/>",
    "full": MINIMAL.format(
        "full", UUID.format("44"), "<title>t</title><metadata><q:a xmlns:q='urn:q' x='1'>text</q:a></metadata>",
        f"<devices>{DISK.format('/a', 'vda')}{DISK.format('/b', 'vdz')}{NIC}</devices>",
    ),
    "disk": DISK.format("/c", "vdz"),
    "hostdev": "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='1' slot='2' function='3'/>"
    "</source></hostdev>",
    "snapshot": "<domainsnapshot><name>made</name><description>by hand</description></domainsnapshot>",
    "checkpoint": "<domaincheckpoint><name>made</name><description>by hand</description></domaincheckpoint>",
}  # fmt: skip


def sections() -> dict[str, list[str]]:
    """The commands by the title of their section."""
    parts = (part.partition("\n") for part in LIST.read_text().removeprefix("# ").split("\n# "))
    return {title: [line for line in lines.split("\n") if line] for title, _, lines in parts}


def outputs(peer: Peer, uri: str, commands: list[str], place: Path) -> dict[str, str]:
    """What virsh printed for each command, errors included."""
    place.mkdir(exist_ok=True)
    for name, text in DOCUMENTS.items():
        (place / name).write_text(text)
    files = {"dir": place, "nofile": place / "nofile", **{name: place / name for name in DOCUMENTS}}
    ended = subprocess.run(
        ["stdbuf", "-oL", peer.virsh, "-c", uri], input="".join(f"{each.format(**files)}\n" for each in commands),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", **peer.environment},
    )  # fmt: skip
    found: dict[str, str] = {}
    parts = masked(ended.stdout.replace(str(place), "<dir>")).split(PROMPT)[1:-1]
    for command, part in zip(commands, parts, strict=True):
        text, label = part.partition("\n")[2], command
        while label in found:
            label += "'"
        # libvirt's order is that of a hash table.
        found[label] = "\n\n".join(sorted(text.split("\n\n"))) if label.startswith("domstats") else text
    return found


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("virsh")
@pytest.mark.timeout(90)
@pytest.mark.parametrize("title", sections())
def test_a_section_of_commands_prints_the_same(title: str, peer: Peer, uri: str, tmp_path: Path) -> None:
    commands = sections()[title]
    theirs = outputs(peer, peer.uri, commands, tmp_path / "c")
    ours = outputs(peer, uri, commands, tmp_path / "o")
    assert list(theirs) == list(ours)
    if peer.version == "9.0.0" and title in NEWER_SECTIONS:
        return
    differing = {f"{title}: {label}" for label, text in theirs.items() if ours[label] != text}
    listed = COMMANDS | (COMMANDS_OF_9_0 if peer.version == "9.0.0" else {})
    expected = {label for label in listed if label.partition(": ")[0] == title}
    print(f"virsh {peer.version}, {title}: {len(commands)} commands, {len(differing)} differ", file=sys.stderr)
    unlisted = [label.partition(": ")[2] for label in differing - expected]
    shown = "\n".join(f"$ {each}\n--- theirs\n{theirs[each]}--- ours\n{ours[each]}" for each in unlisted)
    assert differing == expected, f"not listed:\n{shown}\nlisted, but alike: {expected - differing}"


def test_there_are_hundreds_of_commands() -> None:
    assert sum(map(len, sections().values())) >= 500
