# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit's stage: what is recorded of whom, and that nothing is answered before it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.access.audit.conftest import Log
from tests.routing.conftest import MakeProxy
from tests.routing.rules.deciders import WrittenDecider
from tests.routing.test_login import SlowLogin
from tests.support.proxy import Proxy, settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.access.audit.recorder import Recorder
from virtproxy.access.decision import Decision, Thing
from virtproxy.auth.gate import Gate, Phase
from virtproxy.auth.login import LoginRefused
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.access import AccessRule
from virtproxy.routing.rules.audit import AuditRules, AuditStage
from virtproxy.routing.stages import Request, Stage
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.frame import Frame

QEMU = "qemu:///system"
WEB = remote.NonnullDomain(name="web", uuid=bytes(range(16)), id=1)
UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"
INFO = remote.DomainGetInfoArgs(dom=WEB)
SUSPEND = remote.DomainSuspendArgs(dom=WEB)
Daemons = dict[str, ScriptedDaemon]
Record = dict[str, Any]


class Audited:
    """A proxy whose calls are recorded, and the records."""

    def __init__(self, make_proxy: MakeProxy, log: Log) -> None:
        self._make_proxy = make_proxy
        self.log = log
        self.recorder: Recorder
        self.proxy: Proxy

    async def client(
        self, recorded: Any, *stages: Any, rules: AuditRules | None = None, **more: Any
    ) -> ClientConnection:
        """A client that opened qemu:///system."""
        self.recorder = self.log.start()
        made = replace(rules or AuditRules("virtproxyd"), recorded=recorded)
        uri = more.pop("uri", QEMU)
        makers = [lambda session: AuditStage(session, made, self.recorder), *stages]
        self.proxy = self._make_proxy(stages=makers, **more)
        return await self.proxy.client(uri)

    def records(self, procedure: Procedure[Any, Any] | None = None) -> list[Record]:
        """Those of a procedure, or all."""
        return [r for r in self.log.records() if procedure is None or r.get("procedure") == procedure.name]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Made before the proxy and closed after it, whose clients are recorded until they have left."""
    made = Log(tmp_path / "audit.jsonl")
    yield made
    made.close()


@pytest.fixture
def audited(log: Log, make_proxy: MakeProxy) -> Audited:
    return Audited(make_proxy, log)


@pytest.fixture
def qemu(daemons: Daemons) -> ScriptedDaemon:
    daemon = daemons["qemu"]
    daemon.script.answers |= {
        remote.DOMAIN_GET_INFO: remote.DomainGetInfoRet(state=1, max_mem=1, memory=1, nr_virt_cpu=1, cpu_time=1),
        remote.DOMAIN_SUSPEND: None,
        remote.CONNECT_GET_TYPE: remote.ConnectGetTypeRet(type="QEMU"),
    }
    return daemon


def refusing(code: ErrorCode, text: str = "not you") -> Callable[[Any], Any]:
    def answer(args: Any) -> Any:
        raise VirtError.of(code, text)

    return answer


async def refused(client: ClientConnection, procedure: Procedure[Any, Any], args: Any) -> VirtError:
    with pytest.raises(VirtError) as caught:
        await client.call(procedure, args)
    return caught.value


@pytest_twisted.ensureDeferred
async def test_a_record_says_who_did_what_to_what(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("all")
    await client.call(remote.DOMAIN_GET_INFO, INFO)
    (record,) = audited.records(remote.DOMAIN_GET_INFO)
    assert record["event"] == "call" and record["time"].endswith("Z")
    assert record["subject"]["uid"] == os.getuid() and record["subject"]["pid"] == os.getpid()
    assert (record["transport"], record["daemon"], record["driver"], record["uri"]) == (
        "unix", "virtqemud", "qemu", QEMU,
    )  # fmt: skip
    assert record["objects"] == [{"kind": "domain", "name": "web", "uuid": UUID}]
    assert record["result"] == "ok" and record["ms"] > 0
    assert (record["received"], record["sent"]) == (28 + 4 + 4 + 16 + 4, 28 + 4 + 8 + 8 + 4 + 8)
    (opened,) = audited.records(remote.CONNECT_OPEN)
    assert opened["args"] == {"name": QEMU, "flags": 0} and opened["daemon"] == "virtproxyd"


@pytest_twisted.ensureDeferred
async def test_writes_are_recorded_and_reads_are_not(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("writes")
    await client.call(remote.DOMAIN_GET_INFO, INFO)
    await client.call(remote.DOMAIN_SUSPEND, SUSPEND)
    qemu.script.answers[remote.DOMAIN_GET_XML_DESC] = remote.DomainGetXmlDescRet(xml="<domain/>")
    for flags in (0, 1):  # with the secure flag it is no read any more
        await client.call(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=WEB, flags=flags))
    assert [(record["event"], record.get("procedure")) for record in audited.records()] == [
        ("connected", None), ("call", "CONNECT_OPEN"), ("call", "DOMAIN_SUSPEND"), ("call", "DOMAIN_GET_XML_DESC"),
    ]  # fmt: skip
    assert audited.records()[-1]["args"]["flags"] == 1


@pytest.mark.parametrize("recorded", ["denials", "writes", "all"])
@pytest.mark.parametrize("code", [ErrorCode.ACCESS_DENIED, ErrorCode.OPERATION_DENIED, ErrorCode.AUTH_FAILED])
@pytest_twisted.ensureDeferred
async def test_what_the_backend_denies_is_recorded(
    audited: Audited, qemu: ScriptedDaemon, recorded: str, code: ErrorCode
) -> None:
    client = await audited.client(recorded)
    qemu.script.answers[remote.DOMAIN_GET_INFO] = refusing(code)
    await refused(client, remote.DOMAIN_GET_INFO, INFO)
    (record,) = audited.records(remote.DOMAIN_GET_INFO)
    assert record["decision"] == "denied"
    assert record["objects"][0]["name"] == "web"
    assert (record["error"]["code"], record["error"]["name"]) == (code, code.name)
    assert "not you" in record["error"]["message"]


@pytest.mark.parametrize("recorded", ["denials", "writes"])
@pytest_twisted.ensureDeferred
async def test_other_errors_of_reads_are_not(audited: Audited, qemu: ScriptedDaemon, recorded: str) -> None:
    client = await audited.client(recorded)
    qemu.script.answers[remote.DOMAIN_GET_INFO] = refusing(ErrorCode.NO_DOMAIN)
    await refused(client, remote.DOMAIN_GET_INFO, INFO)
    assert audited.records(remote.DOMAIN_GET_INFO) == []


@pytest_twisted.ensureDeferred
async def test_denials_alone_leave_every_call_its_short_way(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("denials")
    (session,) = audited.proxy.sessions
    assert (remote.DOMAIN_GET_INFO.program.number, 1, remote.DOMAIN_GET_INFO.number) in session.pipeline.plain
    await client.call(remote.DOMAIN_GET_INFO, INFO)
    assert audited.records() == []


class Rule(Stage):
    """Stands for an access rule."""

    def __init__(self, decision: Decision, things: tuple[Thing, ...] = ()) -> None:
        self._decision, self._things = decision, things

    def profile(self) -> Any:
        return id(self)

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        return procedure is remote.DOMAIN_GET_INFO

    def call(self, request: Request) -> None:
        request.notes["decision"] = self._decision
        request.notes["things"] = self._things
        if not self._decision.granted:
            raise VirtError.of(ErrorCode.NO_DOMAIN, "web")


@pytest.mark.parametrize("recorded", ["denials", "writes", "all"])
@pytest_twisted.ensureDeferred
async def test_a_rule_that_hides_a_guest_is_recorded_as_what_it_is(
    audited: Audited, qemu: ScriptedDaemon, recorded: str
) -> None:
    thing = Thing("domain", "QEMU", QEMU, "web", UUID, owner="fred")
    rule = Rule(Decision(False, "policy.toml:3 viewer", "domain:read"), (thing,))
    client = await audited.client(recorded, lambda session: rule)
    assert (await refused(client, remote.DOMAIN_GET_INFO, INFO)).code == ErrorCode.NO_DOMAIN
    (record,) = audited.records(remote.DOMAIN_GET_INFO)
    assert (record["decision"], record["rule"], record["missing"]) == ("denied", "policy.toml:3 viewer", "domain:read")
    assert record["objects"] == [{"kind": "domain", "name": "web", "uuid": UUID, "owner": "fred"}]
    assert record["error"]["name"] == "NO_DOMAIN"


@pytest.mark.parametrize("recorded", ["denials", "writes", "all"])
@pytest.mark.parametrize("certain", [{}, {("domain", "getattr"): False}])
@pytest_twisted.ensureDeferred
async def test_who_asks_for_what_is_hidden_is_recorded_as_denied(
    audited: Audited, qemu: ScriptedDaemon, recorded: str, certain: dict[tuple[str, str], bool]
) -> None:
    qemu.script.answers[remote.DOMAIN_LOOKUP_BY_UUID] = remote.DomainLookupByUuidRet(dom=WEB)
    qemu.script.answers[remote.DOMAIN_LOOKUP_BY_NAME] = remote.DomainLookupByNameRet(dom=WEB)
    rule = AccessRule(WrittenDecider(lambda permission, thing: thing.kind == "connect", certain), hides=True)
    client = await audited.client(recorded, rule)
    calls: dict[Any, Any] = {
        remote.DOMAIN_GET_INFO: INFO,
        remote.DOMAIN_SUSPEND: SUSPEND,
        remote.DOMAIN_LOOKUP_BY_NAME: remote.DomainLookupByNameArgs(name="web"),
    }
    for procedure, args in calls.items():
        assert (await refused(client, procedure, args)).code == ErrorCode.NO_DOMAIN
        (record,) = audited.records(procedure)
        assert (record["decision"], record["rule"]) == ("denied", "the test's rule")
        assert record["missing"].startswith("domain:getattr on") and record["error"]["name"] == "NO_DOMAIN"


@pytest_twisted.ensureDeferred
async def test_what_is_hidden_is_answered_without_waiting_for_the_disk(audited: Audited, qemu: ScriptedDaemon) -> None:
    async def never() -> None:
        await Deferred[None]()

    rule = Rule(Decision(False, "policy.toml:3 viewer", "domain:read"))
    client = await audited.client("denials", lambda session: rule, rules=AuditRules("virtproxyd", synced=never))
    assert (await refused(client, remote.DOMAIN_GET_INFO, INFO)).code == ErrorCode.NO_DOMAIN


@pytest.mark.parametrize("recorded", ["denials", "writes", "all"])
@pytest_twisted.ensureDeferred
async def test_what_would_be_denied_is_recorded(audited: Audited, qemu: ScriptedDaemon, recorded: str) -> None:
    rule = Rule(Decision(True, "policy.toml:3", "domain:read", pretended=True))
    client = await audited.client(recorded, lambda session: rule)
    await client.call(remote.DOMAIN_GET_INFO, INFO)
    (record,) = audited.records(remote.DOMAIN_GET_INFO)
    assert (record["decision"], record["result"]) == ("would deny", "ok")


@pytest_twisted.ensureDeferred
async def test_a_granting_rule_is_named_where_all_is_recorded(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("all", lambda session: Rule(Decision(True, "policy.toml:9")))
    await client.call(remote.DOMAIN_GET_INFO, INFO)
    (record,) = audited.records(remote.DOMAIN_GET_INFO)
    assert (record["decision"], record["rule"]) == ("granted", "policy.toml:9")
    assert 0 < record["backend_ms"] <= record["ms"]


@pytest.mark.parametrize("recorded", ["denials", "writes", "all"])
@pytest_twisted.ensureDeferred
async def test_who_is_not_let_in_is_recorded(audited: Audited, qemu: ScriptedDaemon, recorded: str) -> None:
    client = await audited.client(recorded, phase=Phase.WAITING, uri=None)
    await refused(client, remote.CONNECT_GET_TYPE, None)
    (record,) = audited.records(remote.CONNECT_GET_TYPE)
    assert (record["decision"], record["error"]["message"]) == ("denied", "authentication required")


@pytest_twisted.ensureDeferred
async def test_an_unknown_procedure_is_recorded_by_its_number(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("all")
    unknown: Procedure[Any, Any] = Procedure(
        remote.DOMAIN_GET_INFO.program, 9999, "X", None, None, readonly=remote.DOMAIN_GET_INFO.readonly, acl=()
    )
    await refused(client, unknown, None)
    record = audited.records()[-1]
    assert record["procedure"] == "9999" and "unknown procedure" in record["error"]["message"]


@pytest_twisted.ensureDeferred
async def test_connections_are_recorded(audited: Audited, qemu: ScriptedDaemon, loop: Any) -> None:
    client = await audited.client("writes")
    client.abort("gone")
    await settle(loop)
    first, _, last = audited.records()
    assert (first["event"], first["authenticated"]) == ("connected", True)
    assert last["event"] == "disconnected" and last["subject"]["pid"] == os.getpid()


@pytest_twisted.ensureDeferred
async def test_a_call_whose_client_left_is_recorded(audited: Audited, qemu: ScriptedDaemon, loop: Any) -> None:
    client = await audited.client("writes")
    qemu.script.answers[remote.DOMAIN_SUSPEND] = lambda args: LATER
    pending = client.call(remote.DOMAIN_SUSPEND, SUSPEND)
    await settle(loop)
    client.abort("gone")
    with pytest.raises(Exception, match="gone"):
        await pending
    await settle(loop)
    assert audited.records()[-2]["result"] == "unanswered"


@pytest_twisted.ensureDeferred
async def test_whoever_is_somebody_else_now_is_recorded(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("writes", uid=0)
    fred = remote.TypedParam(field="user-name", value=remote.TypedParamValue(7, "fred"))
    await client.call(remote.CONNECT_SET_IDENTITY, remote.ConnectSetIdentityArgs(params=[fred], flags=0))
    await client.call(remote.DOMAIN_SUSPEND, SUSPEND)
    assert [record["event"] for record in audited.records()] == ["connected", "call", "identity", "call", "call"]
    assert audited.records()[-1]["subject"] == {"user": "fred"}


@pytest_twisted.ensureDeferred
async def test_a_secret_does_not_come_back_in_an_error(audited: Audited, qemu: ScriptedDaemon) -> None:
    client = await audited.client("all")
    qemu.script.answers[remote.DOMAIN_SET_USER_PASSWORD] = refusing(ErrorCode.INVALID_ARG, "'hush' is no password")
    args = remote.DomainSetUserPasswordArgs(dom=WEB, user="root", password="hush", flags=0)
    await refused(client, remote.DOMAIN_SET_USER_PASSWORD, args)
    assert "'***' is no password" in audited.records()[-1]["error"]["message"]
    assert b"hush" not in Path(audited.log.path).read_bytes()


@pytest_twisted.ensureDeferred
async def test_arguments_that_cannot_be_read_are_recorded(audited: Audited, qemu: ScriptedDaemon, loop: Any) -> None:
    client = await audited.client("all")
    good = remote.DOMAIN_GET_INFO.call_frame(77, INFO)
    qemu.script.answers[remote.DOMAIN_GET_INFO] = None
    raw = good.raw[:28] + b"\xff" * 8
    raw = len(raw).to_bytes(4, "big") + raw[4:]
    (session,) = audited.proxy.sessions
    session.call(Frame(raw, good.program, good.version, good.procedure, good.type, 77, 0))
    client.abort("enough")
    await settle(loop)
    assert audited.records()[-2]["args"] == {"undecodable": True}


@pytest.mark.parametrize("recorded", ["denials", "writes", "all"])
@pytest_twisted.ensureDeferred
async def test_logins_are_recorded_with_the_reason_why_they_failed(
    audited: Audited, qemu: ScriptedDaemon, recorded: str, loop: Any
) -> None:
    login = SlowLogin()
    client = await audited.client(recorded, uri=None, gate=lambda: Gate("polkit", login=login, admitted=lambda: None))
    first = client.call(remote.AUTH_POLKIT, None)
    await settle(loop)
    login.asked[-1].errback(LoginRefused("the moon is full"))
    with pytest.raises(VirtError):
        await first
    second: Deferred[Any] = client.call(remote.AUTH_POLKIT, None)
    await settle(loop)
    login.admit(sasl_user="mary@HOME")
    await second
    failed, *rest = [record for record in audited.records() if record["event"] != "connected"]
    assert (failed["event"], failed["reason"], failed["decision"]) == ("login", "the moon is full", "denied")
    if recorded == "denials":
        assert rest == []
        return
    assert [record["event"] for record in rest] == ["authenticated", "login"]
    assert rest[0]["subject"]["sasl"] == "mary@HOME" and rest[0]["subject"]["realm"] == "HOME"
    assert rest[1]["result"] == "ok"
