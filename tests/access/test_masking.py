# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing that may be secret is left in a masked value, and what is left is a value of the same type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from virtproxy.access.masking import MASK, masked, scrubbed
from virtproxy.protocol import qemu, remote
from virtproxy.wire.codec import decode_exact, encode

DOMAIN = remote.NonnullDomain(name="web", uuid=bytes(range(16)), id=3)
SECRET = remote.NonnullSecret(uuid=bytes(16), usage_type=0, usage_id="/disk")
GRAPHICS = "<domain><name>web</name><devices><graphics type='vnc' passwd='hunter2'/></devices></domain>"
RECORDED = Path(__file__).parent.parent / "data" / "packets.jsonl"


def text_param(field: str, value: str) -> remote.TypedParam:
    return remote.TypedParam(field, remote.TypedParamValue(remote.TypedParameterType.STRING, value))


@pytest.mark.parametrize(
    "value",
    [
        remote.SecretSetValueArgs(secret=SECRET, value=b"hunter2", flags=0),
        remote.SecretGetValueRet(value=b"hunter2"),
        remote.AuthSaslStartArgs(mech="PLAIN", nil=0, data=b"\0joe\0hunter2"),
        remote.AuthSaslStepRet(complete=1, nil=0, data=b"hunter2"),
        remote.DomainSetUserPasswordArgs(dom=DOMAIN, user="root", password="hunter2", flags=0),
        remote.DomainDefineXmlArgs(xml=GRAPHICS),
        remote.DomainGetXmlDescRet(xml=GRAPHICS),
        remote.DomainDefineXmlArgs(xml="<domain passwd='hunter2'"),
        remote.ConnectOpenArgs(name="esx://joe:hunter2@host/", flags=0),
        remote.NodeSetMemoryParametersArgs(params=[text_param("new_thing", "hunter2")], flags=0),
        remote.DomainAuthorizedSshKeysSetArgs(dom=DOMAIN, user="root", keys=["hunter2"], flags=0),
        qemu.DomainMonitorCommandArgs(dom=DOMAIN, cmd='{"execute": "set_password", "x": "hunter2"}', flags=0),
        qemu.DomainMonitorCommandRet(result="hunter2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_secrets_are_masked(value: Any) -> None:
    hidden = masked(value, [])
    # Chars have three zeros before each.
    assert b"hunter2" in encode(value).replace(b"\0", b"")
    assert b"hunter2" not in encode(hidden).replace(b"\0", b"")
    assert type(hidden) is type(value)


def test_what_is_typed_into_a_guest_is_masked() -> None:
    args = remote.DomainSendKeyArgs(dom=DOMAIN, codeset=0, holdtime=0, keycodes=[35, 22], flags=0)
    assert masked(args, []).keycodes == [0, 0]


def test_names_and_numbers_stay() -> None:
    args = remote.DomainSetUserPasswordArgs(dom=DOMAIN, user="root", password="hunter2", flags=1)
    assert masked(args, []) == remote.DomainSetUserPasswordArgs(dom=DOMAIN, user="root", password=MASK, flags=1)
    stats = remote.DomainStatsRecord(dom=DOMAIN, params=[text_param("net.0.name", "vnet0")])
    assert masked(stats, []) == stats
    document = remote.DomainDefineXmlArgs(xml="<domain><name>web</name></domain>")
    assert masked(document, []) == document
    order = masked(qemu.DomainMonitorCommandArgs(dom=DOMAIN, cmd='{"execute": "query-status"}', flags=0), [])
    assert order.cmd == f"query-status {MASK}"


def test_an_error_does_not_repeat_secrets() -> None:
    secrets: list[str] = []
    masked(remote.DomainSetUserPasswordArgs(dom=DOMAIN, user="root", password="hunter2", flags=0), secrets)
    assert scrubbed("no hunter2 here\n<graphics passwd='other'/>", secrets) == f"no {MASK} here"


def test_recorded_packets_stay_what_they_are() -> None:
    """Whatever real clients and daemons sent can be masked, sent and read again."""
    programs = {"remote": remote.PROGRAM, "qemu": qemu.PROGRAM}
    rows = [row for line in RECORDED.read_text().splitlines() if (row := json.loads(line))["program"] in programs]
    seen = 0
    for row in rows:
        procedure = next(one for one in programs[row["program"]].procedures.values() if one.name == row["procedure"])
        declared = {"call": procedure.args, "event": procedure.args, "reply": procedure.ret}.get(row["kind"])
        if declared is not None:
            value = decode_exact(declared, bytes.fromhex(row["packet"])[28:])
            hidden = masked(value, [])
            assert decode_exact(declared, encode(hidden)) == hidden
            seen += 1
    assert seen > 700
