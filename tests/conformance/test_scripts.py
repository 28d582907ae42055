# SPDX-License-Identifier: LGPL-2.1-or-later
"""A long script of commands over all families gives the same output direct and through virtproxyd."""

from __future__ import annotations

import difflib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.conformance.labs import SCRIPTS, running, script
from tests.support.lab import client_environment, fetched_tree
from tests.support.transcript import Step, Transcript, masked, parse

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(300)]


def virsh_transcript(steps: list[Step], client: Path | None, daemon: Path | None, *, proxied: bool) -> str:
    """The masked output of all steps; client and daemon: an unpacked libvirt, or None for the system's."""
    virsh = Path("/usr/bin/virsh") if client is None else client / "usr/bin/virsh"
    with running(proxied, daemon) as lab:
        return Transcript(lab, virsh, client_environment(client)).run(steps)


def api_transcript(client: Path | None, *, proxied: bool) -> str:
    """What scripts/api.py prints."""
    with running(proxied) as lab:
        argv, env = script("api", "qemu:///system", env=client_environment(client))
        return masked(lab.run(*argv, env=env, timeout=200).stdout)


def assert_same(direct: str, proxied: str) -> None:
    """Fails with a unified diff."""
    lines = difflib.unified_diff(direct.splitlines(), proxied.splitlines(), "direct", "proxied", lineterm="", n=4)
    difference = "\n".join(lines)
    assert not difference, difference


@pytest.mark.parametrize(
    ("client", "daemon"),
    [
        pytest.param(False, False, id="virsh-9.0.0"),
        pytest.param(True, False, id="virsh-11.3.0"),
        pytest.param(True, True, id="virsh-11.3.0-libvirtd-11.3.0"),
    ],
)
def test_script_same_direct_and_proxied(client: bool, daemon: bool) -> None:
    tree = fetched_tree()
    steps = parse((SCRIPTS / "virsh.script").read_text())
    assert sum(step.kind != "shell" for step in steps) >= 150
    once = partial(virsh_transcript, steps, tree if client else None, tree if daemon else None)
    with ThreadPoolExecutor(2) as pool:
        direct, proxied = (pool.submit(once, proxied=flag) for flag in (False, True))
        assert_same(direct.result(), proxied.result())


@pytest.mark.parametrize("client", [pytest.param(False, id="9.0.0"), pytest.param(True, id="11.3.0")])
def test_python_same_direct_and_proxied(client: bool) -> None:
    once = partial(api_transcript, fetched_tree() if client else None)
    with ThreadPoolExecutor(2) as pool:
        direct, proxied = (pool.submit(once, proxied=flag) for flag in (False, True))
        assert_same(direct.result(), proxied.result())
