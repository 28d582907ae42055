# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every call of libvirt-python about storage, with whole errors and events: our virtstoraged beside libvirt 11.3."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.drivers.storage.test_against_libvirt import Server, ours, theirs
from tests.support.lab import fetched_tree

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(120)]
SCRIPT = Path(__file__).with_name("api_script.py")
# What differs, by the call's label, with the reason.
DIFFERENCES = {"sources flags": "the error names a function of libvirt's own"}


def answers(opened: Callable[[Path | None], AbstractContextManager[Server]]) -> dict[str, str]:
    """What the program prints, by the call's label."""
    with opened(fetched_tree()) as server:
        server.host.run("mkdir", "/run/lab/api")
        ended = server.host.run("/usr/bin/python3", SCRIPT, server.uri, "/run/lab/api", check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, str] = {}
    for line in ended.stdout.splitlines():
        label, _, answer = line.partition(" -> ")
        while label in found:
            label += "'"
        found[label] = re.sub(r"\d{9,}", "<bytes>", answer).replace("\\n'", "'").replace('\\n"', '"')
    return found


def test_every_call_of_libvirt_python_is_answered_alike() -> None:
    expected, found = answers(theirs), answers(ours)
    assert len(expected) > 150
    differing = {label for label in expected.keys() | found.keys() if expected.get(label) != found.get(label)}
    shown = "\n".join(
        f"{label}\n  theirs {expected.get(label)}\n  ours   {found.get(label)}" for label in sorted(differing)
    )
    assert differing == set(DIFFERENCES), shown
