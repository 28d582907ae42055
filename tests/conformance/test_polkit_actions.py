# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of actions that virtproxy writes: a real polkitd takes them, with the defaults of libvirt's own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.polkit_host import PolkitHost
from virtproxy.access.acl import KINDS, LOGIN_ACTIONS

pytestmark = [pytest.mark.conformance, pytest.mark.root]

SCRIPT = Path(__file__).parents[2] / "conf" / "polkit" / "write_actions.py"
ACTIONS = Path("/usr/share/polkit-1/actions")
# What libvirt 11.3 has and grants otherwise than 9.0.0, whose files this host has.
CHANGED = {"org.libvirt.api.node-device.save": None, "org.libvirt.api.node-device.read": "no"}


def defaults(lab: Lab) -> dict[str, str]:
    """What polkitd says of each of libvirt's actions."""
    shown = lab.run("pkaction", "--verbose").stdout
    found = re.findall(r"^(org\.libvirt\.\S+):\n(.*?)(?:\n\n|\Z)", shown, re.MULTILINE | re.DOTALL)
    values = {action: set(re.findall(r"implicit \w+: +(\w+)", text)) for action, text in found}
    assert all(len(value) == 1 for value in values.values())
    return {action: value.pop() for action, value in values.items()}


def test_polkit_takes_them_and_grants_what_libvirts_grant() -> None:
    with Lab() as lab:
        host = PolkitHost(lab)
        first = host.polkitd()
        theirs = defaults(lab)
        first.kill()
        lab.run("mount", "-t", "tmpfs", "polkit", ACTIONS)
        written = lab.run(sys.executable, SCRIPT, ACTIONS).stdout
        assert written.count("wrote ") == 2
        host.polkitd()
        ours = defaults(lab)
        again = lab.run(sys.executable, SCRIPT, ACTIONS).stdout
        assert again.count("is there already, and stays") == 2
        refused = lab.run(sys.executable, SCRIPT, "/nonexistent", check=False)
    assert (refused.returncode, refused.stderr.count("No such file or directory")) == (1, 1)
    assert len(ours) == sum(len(kind.permissions) for kind in KINDS.values()) + len(LOGIN_ACTIONS)
    expected = {**ours, **CHANGED}
    assert {action: default for action, default in expected.items() if default is not None} == theirs
