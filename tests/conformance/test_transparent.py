# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is granted everything, but thing by thing, notices nothing of the access rules that every call passes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.labs import HOST_UUID, SCRIPTS, furnished
from tests.conformance.test_scripts import assert_same
from tests.support.transcript import Step, Transcript, parse

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(300)]

# A condition on things makes the rules look at each of them.
POLICY = """
[[grant]]
to = "user:root"
permissions = "*:*"
on = { uri = "*" }

[[documents]]
to = "user:root"
all = true
"""
# What is no XML is refused before libvirt sees it, in other words.
UNREADABLE = "broken.xml"


def transcript(steps: list[Step], *, judged: bool) -> str:
    """What virsh prints, direct or through a proxy whose rules are asked about everything."""
    with furnished() as lab:
        if judged:
            policy = lab.write("policy.toml", POLICY)
            lab.outside(policy).chmod(0o600)
            owners = '"/run/lab/owners.json"'
            lab.proxied(host_uuid=HOST_UUID, policy_file=f'"{policy}"', policy_owners_file=owners)
        else:
            lab.libvirtd(host_uuid=HOST_UUID)
        return Transcript(lab, Path("/usr/bin/virsh"), {}).run(steps)


def test_virsh_prints_the_same() -> None:
    steps = [step for step in parse((SCRIPTS / "virsh.script").read_text()) if UNREADABLE not in repr(step)]
    assert len(steps) > 300
    with ThreadPoolExecutor(2) as pool:
        direct, judged = (pool.submit(transcript, steps, judged=flag) for flag in (False, True))
        assert_same(direct.result(), judged.result())
