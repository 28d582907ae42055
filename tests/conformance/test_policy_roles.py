# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ready-made roles in front of libvirtd: every command of the table, as a holder of every role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.labs import HOST_UUID, backend_uri, furnished
from tests.conformance.policy_roles import CLEAR, FILES, MAKE, ROLES, UIDS, as_markdown, rows
from tests.support.lab import INSIDE, Lab

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

DOCS = Path(__file__).parents[2] / "docs" / "policy.md"
PROMPT = "virsh # "
DENIED = "access denied: "
# What virsh says of a thing that it does not find.
ABSENT = re.compile(r"error: (failed to get|Domain not found|Network not found|Storage pool not found)")


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """libvirtd behind virtproxyd with the policy, and the files that the commands need."""
    with furnished() as lab:
        for name, text in FILES.items():
            (lab.directory / name).write_text(text)
            (lab.directory / name).chmod(0o644)
        lab.run("mkdir", "-p", "/var/lib/libvirt/store", "/var/lib/libvirt/other")
        policy = f'"{INSIDE / "policy.toml"}"'
        lab.proxied(host_uuid=HOST_UUID, policy_file=policy, unix_sock_rw_perms='"0777"')
        yield lab


def virsh(lab: Lab, uid: int, commands: str, uri: str = "qemu:///system") -> list[str]:
    """What virsh prints for each of some commands, typed in one after another."""
    file = lab.write("commands", commands.strip() + "\n")
    (lab.directory / "commands").chmod(0o644)
    user = f"setpriv --reuid={uid} --regid={uid} --clear-groups" if uid else ""
    # Readline would break long lines.
    shell = f"COLUMNS=500 {user} stdbuf -o0 virsh -q -c '{uri}' < {file} 2>&1"
    said = lab.run("sh", "-c", shell, check=False, timeout=100).stdout.split(PROMPT)[1:-1]
    lines = commands.strip().splitlines()
    assert [text.partition("\n")[0] for text in said] == lines
    return [text.partition("\n")[2] for text in said]


@pytest.mark.parametrize("role", ROLES.values())
def test_each_role_may_what_the_table_says(host: Lab, role: str) -> None:
    virsh(host, 0, CLEAR, backend_uri())
    maker = (UIDS["owner"], "qemu:///system") if role == "owner" else (0, backend_uri())
    made = virsh(host, maker[0], MAKE, maker[1])
    assert "error" not in "".join(made), made
    table = rows()
    wrong = []
    for row, said in zip(table, virsh(host, UIDS[role], "\n".join(row.command for row in table)), strict=True):
        may = role in row.roles
        if (DENIED in said) is may or (may and not row.shaky and ABSENT.search(said)):
            wrong.append((row.command, "allowed" if may else "denied", said))
        elif role == "admin" and "error:" in said and not row.shaky:
            wrong.append((row.command, "done", said))
    assert not wrong, "\n".join(f"{command}: expected to be {expected}: {said}" for command, expected, said in wrong)


def test_the_table_is_as_long_as_it_should_be_and_the_one_of_the_documentation() -> None:
    assert len(rows()) >= 60
    assert as_markdown() in DOCS.read_text()


def test_to_a_stranger_nothing_of_it_is_there(host: Lab) -> None:
    virsh(host, 0, CLEAR, backend_uri())
    made = virsh(host, UIDS["owner"], MAKE)
    assert "error" not in "".join(made), made
    lists = "list --all\nnet-list --all\npool-list --all\nsecret-list\nnwfilter-list\ndomstats"
    for said in virsh(host, UIDS["stranger"], lists):
        assert not said.strip()
    by_name = "dominfo web\ndumpxml web\nstart web\nundefine web\nnet-dumpxml lab\npool-info store\nvol-list store"
    for said in virsh(host, UIDS["stranger"], by_name):
        assert ABSENT.search(said), said
        assert DENIED not in said


def test_who_is_not_named_cannot_even_connect(host: Lab) -> None:
    ended = host.run("setpriv", "--reuid=61999", "--clear-groups", "virsh", "-c", "qemu:///system", "uri", check=False)
    assert ended.returncode != 0
    assert "access denied: connect:getattr on connection qemu:///system is not granted" in ended.stderr
