# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules for calls that make and rename things, take up saved guests, and migrate guests to here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from tests.routing.rules.deciders import WrittenDecider
from tests.routing.rules.hosts import Host, Wire, thing
from tests.support.values import least
from virtproxy.access.decision import Thing
from virtproxy.access.objects import about
from virtproxy.access.owners import Owned, Owners
from virtproxy.access.rules import rules_of
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.access import AccessRule
from virtproxy.routing.rules.ownership import ends
from virtproxy.wire.frame import CALL, CALL_WITH_FDS, ERROR, OK, pack
from virtproxy.wire.limits import PACKET_MIN

SUBJECT = Identity(uid=1000, user_name="ann", pid=1, process_start_time=1)
URI = "qemu:///system"
MAKING = [
    procedure
    for procedure in remote.PROGRAM.procedures.values()
    if not procedure.event and rules_of(procedure.acl) and about(procedure).makes and about(procedure).made
]
DOCUMENTS = {
    "domain": "<domain><name>{name}</name>{uuid}</domain>",
    "network": "<network><name>{name}</name>{uuid}</network>",
    "network_port": "<networkport>{uuid}</networkport>",
    "node_device": "<device><name>{name}</name></device>",
    "nwfilter": "<filter name='{name}'>{uuid}</filter>",
    "nwfilter_binding": "<filterbinding><portdev name='{name}'/></filterbinding>",
    "secret": "<secret>{uuid}<usage type='ceph'><name>{name}</name></usage></secret>",
    "storage_pool": "<pool><name>{name}</name>{uuid}</pool>",
    "storage_vol": "<volume><name>{name}</name></volume>",
    "interface": "<interface name='{name}'/>",
}


def rule(permission: str, subject: Thing) -> bool:
    """Nothing that is called hush is granted."""
    return not any("hush" in str(word) for word in (subject.name, *(value for _, value in subject.details)))


def owned_only(permission: str, subject: Thing) -> bool:
    """The connection, and what somebody owns."""
    return subject.kind == "connect" or subject.owner is not None or subject.name == "open-storage_pool"


class Setting:
    """A host, its owners, and a client."""

    def __init__(self, decides: Any, owners: Owners | None = None) -> None:
        self.host = Host("hush", "open")
        self.decider = WrittenDecider(decides)
        self.client = Wire(self.host, (AccessRule(self.decider, hides=True, owners=owners),), SUBJECT)

    def refusal(self, procedure: Procedure[Any, Any], args: Any) -> str:
        """The words of a refusal, which the daemon never heard of."""
        self.host.served.clear()
        with pytest.raises(VirtError) as caught:
            self.client.call(procedure, args)
        assert caught.value.code == ErrorCode.ACCESS_DENIED
        assert procedure not in self.host.served
        return str(caught.value.message)


@pytest.fixture
def setting() -> Iterator[Setting]:
    made = Setting(rule)
    yield made
    made.client.close()


def arguments(procedure: Procedure[Any, Any], name: str, uuid: bytes | None = None) -> Any:
    """Arguments that make a thing of this name."""
    what = about(procedure)
    assert procedure.args is not None and what.made is not None and what.kind is not None
    element = f"<uuid>{UUID(bytes=uuid)}</uuid>" if uuid else ""
    document: Any = DOCUMENTS[what.kind].format(name=name, uuid=element)
    if what.made == "params":
        string = remote.TypedParameterType.STRING
        value = remote.TypedParamValue(string, document)
        document = [remote.TypedParam("destination_xml", value)]
    given = {what.made: document}
    for field in procedure.args.__match_args__:
        if field in ("pool", "network"):
            given[field] = thing("open", "storage_pool" if field == "pool" else "network")
        if field == "clonevol":
            given[field] = thing("open", "storage_vol")
    return least(procedure.args, **given)


@pytest.mark.parametrize("procedure", MAKING, ids=lambda procedure: procedure.name)
def test_what_a_thing_will_be_called_is_judged(setting: Setting, procedure: Procedure[Any, Any]) -> None:
    what = about(procedure)
    if what.kind != "network_port":
        assert "hush-new" in setting.refusal(procedure, arguments(procedure, "hush-new"))
    setting.client.call(procedure, arguments(procedure, "free"))
    assert procedure in setting.host.served
    wanted = {rule.permission for rule in rules_of(procedure.acl)}
    assert wanted <= {permission for permission, subject in setting.decider.asked if subject.kind == what.kind}


@pytest.mark.parametrize(
    "procedure",
    [p for p in MAKING if about(p).kind in ("domain", "network", "storage_pool", "nwfilter", "secret")],
    ids=lambda procedure: procedure.name,
)
def test_somebody_elses_uuid_tells_no_name(setting: Setting, procedure: Procedure[Any, Any]) -> None:
    kind = about(procedure).kind or ""
    said = setting.refusal(procedure, arguments(procedure, "free", thing("hush", kind).uuid))
    assert "hush" not in said
    assert "'free'" in said


def test_a_migration_is_judged_by_the_name_that_it_brings(setting: Setting) -> None:
    args = least(
        remote.DomainMigratePrepare3Args, dname="hush-new", dom_xml=DOCUMENTS["domain"].format(name="free", uuid="")
    )
    assert "hush-new" in setting.refusal(remote.DOMAIN_MIGRATE_PREPARE3, args)
    string = remote.TypedParameterType.STRING
    params = [
        remote.TypedParam("destination_xml", remote.TypedParamValue(string, "<domain><name>free</name></domain>")),
        remote.TypedParam("destination_name", remote.TypedParamValue(string, "hush-new")),
    ]
    args = least(remote.DomainMigratePrepare3ParamsArgs, params=params)
    assert "hush-new" in setting.refusal(remote.DOMAIN_MIGRATE_PREPARE3_PARAMS, args)


def test_a_document_that_cannot_be_read_is_refused(setting: Setting) -> None:
    for document in ("<domain>", "<!DOCTYPE a []><domain/>", "<?xml version='1.0' encoding='utf-16'?><domain/>"):
        with pytest.raises(VirtError) as caught:
            setting.client.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=document))
        assert caught.value.code == ErrorCode.XML_ERROR
    assert remote.DOMAIN_DEFINE_XML not in setting.host.served


@pytest.mark.parametrize("name", ["hush-new", "hush-domain"])
def test_a_guest_is_not_renamed_out_of_reach_or_over_another(setting: Setting, name: str) -> None:
    args = remote.DomainRenameArgs(dom=thing("open", "domain"), new_name=name, flags=0)
    assert name in setting.refusal(remote.DOMAIN_RENAME, args)
    free = remote.DomainRenameArgs(dom=thing("open", "domain"), new_name="free", flags=0)
    setting.client.call(remote.DOMAIN_RENAME, free)


SAVED = [procedure for procedure in remote.PROGRAM.procedures.values() if not procedure.event and about(procedure).file]


@pytest.mark.parametrize("procedure", SAVED, ids=lambda procedure: procedure.name)
def test_a_saved_guest_is_the_one_that_is_in_the_file(setting: Setting, procedure: Procedure[Any, Any]) -> None:
    what = about(procedure)
    path: Any = "/save/a"
    if what.file == "params":
        path = [remote.TypedParam("file", remote.TypedParamValue(remote.TypedParameterType.STRING, path))]
    args = least(procedure.args or pytest.fail("no arguments"), **{what.file or "": path})
    files: dict[str, Any] = {"xml": "<domain><name>hush-saved</name></domain>"}
    answer = setting.host.answer

    def saved(asked: Procedure[Any, Any], asked_args: Any) -> Any:
        if asked is remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC and asked_args.file == "/save/a":
            return remote.DomainSaveImageGetXmlDescRet(xml=files["xml"])
        return answer(asked, asked_args)

    setting.host.answering = saved
    with pytest.raises(VirtError) as caught:
        setting.client.call(procedure, args)
    assert "the guest saved in '/save/a'" in str(caught.value.message)
    assert "hush" not in str(caught.value.message)
    files["xml"] = "<domain><name>open-saved</name></domain>"
    setting.client.call(procedure, args)


def test_what_a_caller_makes_is_its_own_until_it_is_gone() -> None:
    owners = Owners(None, lambda identity: identity.user_name)
    setting = Setting(owned_only, owners)
    setting.host.remove("domain", "open")
    client = setting.client
    document = DOCUMENTS["domain"].format(name="new", uuid="")
    dom = client.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=document)).dom
    assert list(owners) == [(Owned(URI, "domain", str(UUID(bytes=dom.uuid))), "ann")]
    setting.host.things["domain"].append(dom)
    client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom))
    assert len(list(owners)) == 1
    setting.host.remove("domain", "open")
    with pytest.raises(VirtError):
        client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=thing("gone", "domain")))
    setting.host.things["domain"].append(dom)
    answer = setting.host.answer

    def undefined(asked: Procedure[Any, Any], args: Any) -> Any:
        result = answer(asked, args)
        if asked is remote.DOMAIN_UNDEFINE:
            setting.host.remove("domain", "open")
        return result

    setting.host.answering = undefined
    client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=dom))
    assert list(owners) == []
    client.close()


def test_a_guest_that_migrates_to_here_belongs_to_who_let_it_in() -> None:
    owners = Owners(None, lambda identity: identity.user_name)
    setting = Setting(owned_only, owners)
    setting.host.remove("domain", "open")
    document = DOCUMENTS["domain"].format(name="open-domain", uuid="")
    prepare = least(remote.DomainMigratePrepare3Args, dom_xml=document)
    setting.client.call(remote.DOMAIN_MIGRATE_PREPARE3, prepare)
    setting.host.things["domain"].append(thing("open", "domain"))
    owners_before = list(owners)
    setting.decider.rule = lambda permission, subject: True
    finish = least(remote.DomainMigrateFinish3Args, dname="open-domain")
    setting.client.call(remote.DOMAIN_MIGRATE_FINISH3, finish)
    uuid = str(UUID(bytes=thing("open", "domain").uuid))
    assert (owners_before, list(owners)) == ([], [(Owned(URI, "domain", uuid), "ann")])
    setting.client.close()


def test_what_may_end_things_is_known_by_its_permission() -> None:
    found = {
        procedure.name for procedure in remote.PROGRAM.procedures.values() if not procedure.event and ends(procedure)
    }
    assert {
        "DOMAIN_UNDEFINE",
        "DOMAIN_DESTROY",
        "STORAGE_VOL_DELETE",
        "NWFILTER_UNDEFINE",
        "NODE_DEVICE_DESTROY",
    } <= found
    assert not {"DOMAIN_GET_INFO", "DOMAIN_DEFINE_XML", "CONNECT_LIST_ALL_DOMAINS", "DOMAIN_LOOKUP_BY_NAME"} & found


def test_a_judgement_is_not_taken_for_one_of_a_call_with_descriptors(setting: Setting) -> None:
    """Its arguments begin four bytes later, so that the same bytes name another guest."""
    client = setting.client
    inner = remote.DOMAIN_GET_INFO.call_frame(1, remote.DomainGetInfoArgs(dom=thing("hush", "domain")))
    # As plain arguments: an empty name, then a UUID that begins with the length and the name of the hidden guest.
    payload = bytes(4) + bytes(inner.payload)
    outer = pack(inner.program, 1, inner.procedure, CALL, 50, 0, payload)
    dom = remote.DOMAIN_GET_INFO.decode_args(outer).dom
    setting.host.things["domain"].append(remote.NonnullDomain("open-odd", dom.uuid, 1))
    carrying = pack(inner.program, 1, inner.procedure, CALL_WITH_FDS, 50, 0, bytes(inner.payload))
    assert carrying.raw[PACKET_MIN:] == outer.raw[PACKET_MIN:]
    for call, status in ((outer, OK), (carrying, ERROR)):
        client.sent.clear()
        client.session.call(call)
        assert [frame.status for frame in client.sent] == [status]


@pytest.mark.parametrize("reporting", [False, True])
def test_a_document_that_cannot_be_read_passes_where_rules_only_report(reporting: bool) -> None:
    decider = WrittenDecider(lambda permission, subject: True)
    decider.reporting = reporting  # type: ignore[attr-defined]
    host = Host("open")
    client = Wire(host, (AccessRule(decider, hides=True, owners=Owners(None, lambda identity: "ann")),), SUBJECT)
    host.served.clear()
    call = remote.DomainDefineXmlArgs(xml="<!DOCTYPE domain []><domain><name>a</name></domain>")
    answer = client.frame(remote.DOMAIN_DEFINE_XML, call)
    assert (answer.status == OK) is reporting is (remote.DOMAIN_DEFINE_XML in host.served)
    client.close()
