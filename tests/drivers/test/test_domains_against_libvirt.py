# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that can be asked of domains, at C libvirtd's test driver and at ours: results, errors, documents, events.

domain_calls.txt is run by libvirt-python against both, through real sockets. What must differ is in differences.py.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.test.conftest import Peer
from tests.drivers.test.differences import CALLS, CALLS_OF_9_0, CALLS_OF_11_3, NEWER_SECTIONS
from tests.drivers.test.masks import masked

HERE = Path(__file__).parent
SCRIPT, CALL_LIST = HERE / "domain_script.py", HERE / "domain_calls.txt"
# Of virDomain: what opens descriptors or other connections, what is about one's own end, and what is not a call.
NOT_CALLED = {
    "c_pointer", "connect", "ID", "UUID", "name", "get_name", "FDAssociate", "openGraphics", "migrate", "migrate2",
    "migrate3", "migrateToURI2", "migrateToURI3", "saveParams", "UUIDString", "OSType",
}  # fmt: skip


def answers(peer: Peer, uri: str, place: Path) -> dict[str, str]:
    """What each call gave, by its section and text; a dash for each time it was made before."""
    place.mkdir(exist_ok=True)
    command = ["/usr/bin/python3", str(SCRIPT), uri, str(place), str(CALL_LIST)]
    environment = {**os.environ, **peer.environment}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, str] = {}
    section = ""
    for line in masked(ended.stdout.replace(str(place), "<tmp>")).splitlines():
        if line.startswith("# "):
            section = line.removeprefix("# ")
        else:
            call, _, answer = line.partition(" -> ")
            label = f"{section}: {call}"
            while label in found:
                label += "'"
            found[label] = answer
    return found


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("virsh")
@pytest.mark.timeout(120)
def test_every_call_about_domains_is_answered_alike(peer: Peer, uri: str, tmp_path: Path) -> None:
    theirs, ours = answers(peer, peer.uri, tmp_path / "c"), answers(peer, uri, tmp_path / "ours")
    assert list(theirs) == list(ours)
    assert len(theirs) > 900
    expected = CALLS | (CALLS_OF_9_0 if peer.version == "9.0.0" else CALLS_OF_11_3)
    if peer.version == "9.0.0":
        theirs = {label: answer for label, answer in theirs.items() if label.partition(":")[0] not in NEWER_SECTIONS}
    differing = {label for label, answer in theirs.items() if ours[label] != answer}
    listed = set(expected) & set(theirs)
    print(f"libvirt-python at {peer.version}: {len(theirs)} calls, {len(differing)} differ", file=sys.stderr)
    shown = "\n".join(f"{each}\n  theirs {theirs[each]}\n  ours   {ours[each]}" for each in differing - listed)
    assert differing == listed, f"not listed:\n{shown}\nlisted, but alike: {listed - differing}"


@pytest.mark.programs("virsh")
def test_the_list_has_every_method_of_a_domain() -> None:
    text = "import libvirt; print(*(n for c in (libvirt.virDomain, libvirt.virDomainSnapshot, "
    text += "libvirt.virDomainCheckpoint) for n in vars(c) if n[0] != '_'))"
    known = subprocess.run(["/usr/bin/python3", "-c", text], capture_output=True, text=True, check=True).stdout.split()
    called = set(re.findall(r"\.(\w+)\(", CALL_LIST.read_text()))
    missing = set(known) - called - NOT_CALLED - {"getConnect", "getDomain", "domain"}
    assert not missing, difflib.context_diff(sorted(known), sorted(called))
