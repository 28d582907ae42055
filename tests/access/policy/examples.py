# SPDX-License-Identifier: LGPL-2.1-or-later
"""Policies, callers and things that the tests of this directory share."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from virtproxy.access.claims.model import Claim
from virtproxy.access.decision import Thing
from virtproxy.access.policy.decider import PolicyDecider
from virtproxy.access.policy.document import compile_policy
from virtproxy.identity import Identity

PATH = "/etc/virtproxy/policy.toml"
GROUPS = {"alice": {"staff", "ops"}, "bob": {"staff"}}
ALICE = Identity(user_name="alice", uid=1001, pid=1, group_name="alice")
BOB = Identity(user_name="bob", uid=1002, pid=2)
ROOT = Identity(user_name="root", uid=0, pid=3)
CAROL = Identity(
    transport="tls", address="192.0.2.7:40000", x509_dname="O=Example,CN=carol", x509_sans=("DNS:c.example",)
)
DAVE = Identity(
    transport="tcp", address="[::ffff:10.1.2.3]:40000", sasl_user="dave@EXAMPLE.COM", sasl_mechanism="GSSAPI"
)
NOBODY = Identity(transport="tcp", address="198.51.100.9:1")

CONNECTION = Thing("connect", "QEMU", "qemu:///system")
WEB = Thing("domain", "QEMU", "qemu:///system", "web1", "8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b10")
DB = Thing("domain", "QEMU", "qemu:///system", "db1", "8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b11")
VOLUME = Thing("storage_vol", "storage", "storage:///system", "a.img", details=(("pool_name", "guests"),))


def decider(text: str) -> PolicyDecider:
    """The decider of a policy, where the users are in the groups of `GROUPS`."""
    content = textwrap.dedent(text).encode()
    policy = compile_policy(PATH, content, lambda identity: frozenset(GROUPS.get(identity.user_name or "", ())))
    return PolicyDecider(policy)


def may(rules: PolicyDecider, identity: Identity, permission: str, thing: Thing) -> bool:
    """Whether the permission is granted; what `always` says must agree."""
    granted = rules.decide(identity, permission, thing).granted
    assert rules.always(identity, thing.kind, permission) in (None, granted)
    return granted


def owned(thing: Thing, owner: str | None) -> Thing:
    """The thing as one that somebody owns."""
    return replace(thing, owner=owner)


def claim(kind: str, value: str, written: str | None = None) -> Claim:
    """A claim of a document."""
    return Claim(kind, value, value if written is None else written, "devices/disk[1]")
