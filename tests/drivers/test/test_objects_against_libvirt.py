# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that can be asked of the test driver about anything but domains, at C libvirtd's and at ours.

object_calls.txt is run by libvirt-python against both, through real sockets. What must differ is in differences.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drivers.test.conftest import Peer
from tests.drivers.test.differences import OBJECT_CALLS, OBJECT_CALLS_OF_9_0
from tests.drivers.test.masks import masked

HERE = Path(__file__).parent
SCRIPT, CALL_LIST = HERE / "object_script.py", HERE / "object_calls.txt"
CLASSES = ("virNetwork", "virInterface", "virNodeDevice", "virStoragePool", "virStorageVol")
# What is no call, and what is one that is there in another form.
NOT_CALLED = {"c_pointer", "connect", "UUID", "portLookupByUUID", "streamBufSize"}


def answers(peer: Peer, uri: str) -> dict[str, str]:
    """What each call gave, by its section and text; a dash for each time it was made before."""
    command = ["/usr/bin/python3", str(SCRIPT), uri, "", str(CALL_LIST)]
    environment = {**os.environ, **peer.environment}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, str] = {}
    section = ""
    for line in masked(ended.stdout).splitlines():
        if line.startswith("# "):
            section = line.removeprefix("# ")
            continue
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
def test_every_call_about_other_objects_is_answered_alike(peer: Peer, uri: str) -> None:
    theirs, ours = answers(peer, peer.uri), answers(peer, uri)
    assert list(theirs) == list(ours)
    assert len(theirs) > 340
    differing = {label for label, answer in theirs.items() if ours[label] != answer}
    expected = set(OBJECT_CALLS) | (set(OBJECT_CALLS_OF_9_0) if peer.version == "9.0.0" else set())
    print(f"libvirt-python at {peer.version}: {len(theirs)} calls, {len(differing)} differ", file=sys.stderr)
    unlisted = sorted(differing - expected)
    shown = "\n".join(f"{each}\n  theirs {theirs[each]}\n  ours   {ours[each]}" for each in unlisted)
    assert differing == expected, f"not listed:\n{shown}\nlisted, but alike: {expected - differing}"


@pytest.mark.programs("virsh")
def test_the_list_has_every_method_of_these_objects() -> None:
    classes = ", ".join(f"libvirt.{name}" for name in CLASSES)
    text = f"import libvirt; print(*(n for c in ({classes}) for n in vars(c) if n[0] != '_'))"
    known = subprocess.run(["/usr/bin/python3", "-c", text], capture_output=True, text=True, check=True).stdout.split()
    called = set(re.findall(r"\.(\w+)\(", CALL_LIST.read_text()))
    assert not set(known) - called - NOT_CALLED
