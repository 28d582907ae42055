# SPDX-License-Identifier: LGPL-2.1-or-later
"""Perl's Sys::Virt at C libvirtd's test driver and at ours: every call of a script has the same result, or error."""

from __future__ import annotations

import difflib
import os
import subprocess
from pathlib import Path

import pytest

from tests.drivers.test.conftest import Peer

SCRIPT = Path(__file__).with_name("sys_virt.pl")


def lines(uri: str) -> list[str]:
    """What the script prints."""
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    ended = subprocess.run(["perl", str(SCRIPT), uri], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.conformance
@pytest.mark.programs("perl")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("peer", ["11.3.0"], indirect=True)
def test_sys_virt_sees_no_difference(peer: Peer, uri: str) -> None:
    theirs, ours = lines(peer.uri), lines(uri)
    assert sum(" -> " in line for line in theirs) > 35
    assert sum(" !! " in line for line in theirs) > 8
    difference = "\n".join(difflib.unified_diff(theirs, ours, "theirs", "ours", lineterm="", n=0))
    assert not difference, difference
