# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of a call is recorded: of every procedure there is, and never a secret."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.values import values_of
from virtproxy.access.audit import arguments
from virtproxy.access.audit.arguments import described, has_secrets, scrubbed
from virtproxy.protocol import programs, remote
from virtproxy.protocol import qemu as qemu_program
from virtproxy.protocol.remote import NonnullDomain, TypedParam, TypedParamValue
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import encode
from virtproxy.wire.plan import Array, Choice, Member, Node, Opaque, Optional, Record, Text, plan_of
from virtproxy.wire.xdr import Chars, Length, Number

MARK = "hush7xq"
DOCUMENT = (
    f"<domain xmlns:qemu='q'><name>seen</name><graphics passwd='{MARK}'/><q>{{}}</q>"
    f"<qemu:commandline><qemu:arg value='-{MARK}'/></qemu:commandline><cookie>{MARK}</cookie></domain>"
)
PROCEDURES = [
    procedure
    for program in programs.BY_NUMBER.values()
    for procedure in program.procedures.values()
    if not procedure.event and procedure.args is not None
]


def marked(name: str, node: Node) -> Any:
    """A value with a secret wherever there can be one."""
    match node:
        case Number():
            return 104
        case Text() if name == "cmd":
            return f"change vnc password {MARK}"
        case Text():
            return DOCUMENT if name in arguments.DOCUMENTS else "safe" if name in arguments.SAFE_TEXTS else MARK
        case Opaque() | Chars():
            fixed = isinstance(node.limit, Length)
            return b"u" * node.limit.size if fixed else MARK.encode()
        case Member():
            return next(iter(node.enum))
        case Optional():
            return marked(name, node.item)
        case Array() if isinstance(node.item, Record) and node.item.cls is TypedParam:
            secret = TypedParam(field="sev-secret", value=TypedParamValue(7, MARK))
            document = TypedParam(field="destination_xml", value=TypedParamValue(7, DOCUMENT))
            return [secret, document, TypedParam(field="bandwidth", value=TypedParamValue(4, 7))]
        case Array(item, limit):
            # Keys of a keyboard spell what is typed.
            values = [ord(c) for c in MARK] if name == "keycodes" else [marked(name, item)] * 2
            return values * (limit.size // 2) if isinstance(limit, Length) else values
        case Record():
            return node.cls(*(marked("ref", item) if isinstance(item, Text) else marked(field, item)
                              for field, item in node.fields))  # fmt: skip
        case Choice():
            raise AssertionError("no union but that of typed parameters is known here")


def call_of(procedure: Procedure[Any, Any]) -> Any:
    plan = plan_of(procedure.args)  # type: ignore[arg-type]  # it has arguments
    assert isinstance(plan, Record)
    return plan.cls(*(marked(name, node) for name, node in plan.fields))


def forms(secret: str) -> list[str]:
    """The secret and what it could be told from."""
    raw = secret.encode()
    digests = [hashlib.new(kind, raw).hexdigest() for kind in ("md5", "sha1", "sha256")]
    return [secret, raw.hex(), base64.b64encode(raw).decode().rstrip("="), *digests]


@pytest.mark.parametrize("whole", [False, True])
def test_no_procedure_leaks_a_secret(whole: bool) -> None:
    assert len(PROCEDURES) > 350
    for procedure in PROCEDURES:
        args = call_of(procedure)
        encode(args)  # it can be sent
        text = described(procedure, args, whole=whole).text()
        json.loads(f"{{{text.rstrip(',')}}}")
        # In a reference MARK is a name, and must be seen; everywhere else it is a secret.
        without_names = json.dumps({"args": json.loads(f"{{{text.rstrip(',')}}}").get("args")})
        for form in forms(MARK):
            assert form not in without_names, procedure.name
        assert json.dumps([ord(c) for c in MARK])[1:-1] not in text


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_is_called_makes_a_line(data: st.DataObject) -> None:
    procedure = data.draw(st.sampled_from(PROCEDURES))
    args = data.draw(values_of(procedure.args))
    text = described(procedure, args, whole=data.draw(st.booleans())).text()
    assert text.isascii() and text.isprintable()
    assert set(json.loads(f"{{{text.rstrip(',')}}}")) <= {"objects", "args"}


def test_names_are_recorded_where_they_are_names() -> None:
    args = remote.DomainGetInfoArgs(dom=NonnullDomain(name="web", uuid=bytes(range(16)), id=3))
    assert json.loads(f"{{{described(remote.DOMAIN_GET_INFO, args).text()[:-1]}}}") == {
        "objects": [{"kind": "domain", "name": "web", "uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f"}]
    }


@pytest.mark.parametrize(
    ("procedure", "args", "objects"),
    [
        (remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="a"), [{"kind": "domain", "name": "a"}]),
        (
            remote.SECRET_LOOKUP_BY_UUID,
            remote.SecretLookupByUuidArgs(uuid=b"\1" * 16),
            [{"kind": "secret", "uuid": "01010101-0101-0101-0101-010101010101"}],
        ),
        (
            remote.STORAGE_VOL_DELETE,
            remote.StorageVolDeleteArgs(vol=remote.NonnullStorageVol(pool="p", name="v", key="/k"), flags=0),
            [{"kind": "storage_vol", "name": "v", "pool": "p", "key": "/k"}],
        ),
        (
            remote.NETWORK_DEFINE_XML,
            remote.NetworkDefineXmlArgs(xml="<network><name>n</name></network>"),
            [{"kind": "network", "name": "n"}],
        ),
    ],
)
def test_what_a_call_is_about(procedure: Procedure[Any, Any], args: Any, objects: list[dict[str, str]]) -> None:
    assert json.loads(f"{{{described(procedure, args).text()[:-1]}}}")["objects"] == objects


def test_an_order_to_an_agent_is_recorded_by_its_name() -> None:
    order = '{"execute":"guest-set-user-password","arguments":{"username":"root","password":"hush"}}'
    dom = NonnullDomain(name="web", uuid=bytes(16), id=3)
    args = qemu_program.DomainAgentCommandArgs(dom=dom, cmd=order, timeout=5, flags=0)
    description = described(qemu_program.DOMAIN_AGENT_COMMAND, args)
    assert '"cmd":{"command":"guest-set-user-password"' in description.text()
    assert "hush" not in description.text()
    error = 'unable to execute QEMU agent command "guest-set-user-password": hush is too short'
    assert scrubbed(error, description.secrets) == error.replace("hush", "***")


def test_an_error_does_not_quote_the_document() -> None:
    error = "(domain_definition):1: Unescaped '<'\n<graphics passwd='hush'\n----^"
    assert scrubbed(error, []) == "(domain_definition):1: Unescaped '<'"
    args = remote.DomainDefineXmlArgs(xml="<domain><graphics passwd='hush' <")
    secrets = described(remote.DOMAIN_DEFINE_XML, args).secrets
    assert scrubbed("near hush in the document", secrets) == "near *** in the document"


def test_what_may_hold_secrets_is_known() -> None:
    assert has_secrets(remote.SECRET_SET_VALUE)
    assert has_secrets(remote.DOMAIN_DEFINE_XML)
    assert not has_secrets(remote.DOMAIN_GET_INFO)
    assert not has_secrets(remote.CONNECT_GET_TYPE)


def test_a_password_in_a_uri_is_not_recorded() -> None:
    args = remote.ConnectOpenArgs(name="qemu+tcp://fred:hush@host/system", flags=0)
    assert "qemu+tcp://fred:***@host/system" in described(remote.CONNECT_OPEN, args).text()
