# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host without sockets: what it is at the start, what its clients share, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.toy import error_of, result_of
from virtproxy.documents.domain import CheckpointDocument, SnapshotDocument
from virtproxy.documents.markup import Element
from virtproxy.documents.storage import POOL_TYPES
from virtproxy.documents.storage_volume import parse
from virtproxy.driver import ErrorCode, Identity, VirtError, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.test import TestDriver
from virtproxy.drivers.test.volume import VolumeThing
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.frame import ERROR, OK

NOW = 1_700_000_000.25
XML = "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"


@pytest.fixture
def driver() -> TestDriver:
    return TestDriver(now=lambda: NOW)


@pytest.fixture
def harness(driver: TestDriver) -> DriverHarness:
    return DriverHarness(driver)


def domain(harness: DriverHarness, name: str = "test") -> remote.NonnullDomain:
    """Look a domain up."""
    args = remote.DomainLookupByNameArgs(name=name)
    return result_of(harness.call(remote.DOMAIN_LOOKUP_BY_NAME, args)).dom


def test_the_well_known_domain_runs_at_the_start(harness: DriverHarness) -> None:
    dom = domain(harness)
    assert (dom.name, dom.uuid.hex(), dom.id) == ("test", "6695eb01f6a4830479aa97f2502e193f", 1)
    info = result_of(harness.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=dom)))
    assert info == remote.DomainGetInfoRet(
        state=1, max_mem=8388608, memory=2097152, nr_virt_cpu=2, cpu_time=1_700_000_000_250_000_000
    )


def test_its_clients_share_one_host(driver: TestDriver) -> None:
    first, second = DriverHarness(driver), DriverHarness(driver)
    result_of(first.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=domain(first))))
    args = remote.DomainGetStateArgs(dom=domain(second), flags=0)
    assert result_of(second.call(remote.DOMAIN_GET_STATE, args)).state == 3


def suspended(harness: DriverHarness) -> bool:
    args = remote.DomainGetStateArgs(dom=domain(harness), flags=0)
    return result_of(harness.call(remote.DOMAIN_GET_STATE, args)).state == 3


@pytest.mark.parametrize("keep_state", [False, True])
def test_the_last_client_to_leave_puts_everything_back(keep_state: bool) -> None:
    driver = TestDriver(keep_state=keep_state)
    first, second = DriverHarness(driver), DriverHarness(driver)
    result_of(first.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=domain(first))))
    first.close()
    assert suspended(second)
    second.close()
    assert suspended(DriverHarness(driver)) is keep_state


@pytest.mark.parametrize("uri", ["test:///default", "test:///default?x=y", "test+unix:///default"])
def test_the_uris_it_serves(driver: TestDriver, uri: str) -> None:
    harness = DriverHarness(driver, uri=uri)
    assert result_of(harness.call(remote.CONNECT_GET_URI, None)).uri == uri


@pytest.mark.parametrize("uri", ["test:///", "test:///etc/passwd", "test:///default/", "qemu:///system"])
def test_no_other_uri_is_served(driver: TestDriver, uri: str) -> None:
    with pytest.raises(VirtError):
        DriverHarness(driver, uri=uri)


def test_an_event_tells_of_each_move(harness: DriverHarness) -> None:
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None)
    result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args))
    dom = domain(harness)
    for procedure in (remote.DOMAIN_SUSPEND, remote.DOMAIN_RESUME, remote.DOMAIN_SHUTDOWN, remote.DOMAIN_CREATE):
        result_of(harness.call(procedure, procedure.args(dom=dom)))  # type: ignore[misc]
    told = [(message.msg.dom.id, message.msg.event, message.msg.detail) for _, message in harness.events]
    assert told == [(1, 3, 0), (1, 4, 0), (-1, 5, 0), (2, 2, 0)]


def test_a_transient_domain_is_gone_when_it_stops(harness: DriverHarness) -> None:
    args = remote.DomainCreateXmlArgs(xml_desc=XML.format("short"), flags=0)
    dom = result_of(harness.call(remote.DOMAIN_CREATE_XML, args)).dom
    result_of(harness.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom)))
    error = error_of(harness, remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=dom))
    assert error.code == ErrorCode.NO_DOMAIN


def test_a_screenshot_is_a_picture(harness: DriverHarness) -> None:
    args = remote.DomainScreenshotArgs(dom=domain(harness), screen=0, flags=0)
    ret, stream = result_of(harness.open(remote.DOMAIN_SCREENSHOT, args))
    assert (ret.mime, result_of(stream.read_all())[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")


def implemented() -> list[Procedure[Any, Any]]:
    """What the driver serves itself without a stream."""
    served = (remote.PROGRAM.procedures[number] for _, number in TestDriver.methods)
    return [procedure for procedure in served if procedure.stream is None]


NETWORK_UUID = bytes.fromhex("dd8fe8846c02601e7551cca97df1c5df")
POOL_UUID = bytes.fromhex("dfe224cb28fb8dd0c4b264eb3f0f4566")
WORDS = (
    "test", "default", "default-pool", "eth1", "computer", "aa:bb:cc:dd:ee:ff", "vda", "", XML.format("made"),
    "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/></disk>",
    "<disk type='file'><source file='/a'/><target dev='vdb' bus='virtio'/></disk>",
    "<domaincheckpoint/>", "<domainsnapshot/>", "<network><name>made</name></network>", "<txt name='a' value='b'/>",
    "<interface type='ethernet' name='made'/>", "<volume><name>made</name><capacity>1</capacity></volume>",
    "<pool type='dir'><name>made</name><target><path>/made</path></target></pool>", "logical", "vol", "/vol",
    "<device><capability type='scsi_host'><host>1</host><capability type='fc_host'/></capability></device>",
)  # fmt: skip


def furnished(driver: TestDriver) -> TestDriver:
    """The driver with one of everything that is not there at the start, called "test"."""
    guest = driver.guests.by_name("test")
    name = "<name>test</name>"
    guest.snapshots.add(SnapshotDocument(f"<domainsnapshot>{name}</domainsnapshot>", guest.document))
    guest.checkpoints.add(CheckpointDocument(f"<domaincheckpoint>{name}</domaincheckpoint>", guest.document))
    for document in (guest.live, guest.config):
        assert document is not None
        document.root.children.append(Element("iothreads", text="1"))
        document.root.child("devices").child("disk").children.append(Element("alias", {"name": "test"}))
    volume = parse("<volume><name>vol</name><capacity>1</capacity></volume>", POOL_TYPES["dir"])
    driver.pools.by_name("default-pool").volumes["vol"] = VolumeThing(volume, "default-pool", "/default-pool")
    driver.images["test"] = XML.format("saved")
    return driver


def plain_arguments(harness: DriverHarness, procedure: Procedure[Any, Any], word: str, number: int) -> Any:
    """Arguments that name what is there: `word` for every text, `number` for every number."""
    if procedure.args is None:
        return None
    dom = domain(harness)
    known = {
        "dom": dom,
        "net": remote.NonnullNetwork(name=word, uuid=NETWORK_UUID),
        "network": remote.NonnullNetwork(name="default", uuid=NETWORK_UUID),
        "command": 3,
        "section": 11,
        "pool": remote.NonnullStoragePool(name="default-pool" if "VOL_" in procedure.name else word, uuid=POOL_UUID),
        "vol": remote.NonnullStorageVol(pool="default-pool", name="vol", key="/default-pool/vol"),
        "clonevol": remote.NonnullStorageVol(pool="default-pool", name="vol", key="/default-pool/vol"),
        "src_spec": None,
        "iface": remote.NonnullInterface(name=word, mac=word),
        "doms": [],
        "pages": [4],
        "snap": remote.NonnullDomainSnapshot(name=word, dom=dom),
        "snapshot": remote.NonnullDomainSnapshot(name=word, dom=dom),
        "checkpoint": remote.NonnullDomainCheckpoint(name=word, dom=dom),
        "dxml": None if procedure is not remote.DOMAIN_SAVE_IMAGE_DEFINE_XML else XML.format("saved"),
        "file": "test",
        "arch": "aarch64",
        "mount_point": None,
        "pid_value": 1,
        "iothread_id": 2 if procedure is remote.DOMAIN_ADD_IOTHREAD else 1,
        "uuid": dom.uuid,
    }
    values = []
    for field, hint in procedure.args.__annotations__.items():
        plain: Any = word if hint in ("String", "NonnullString") else 1 if field.startswith("max") else number
        if hint.startswith("Annotated"):
            plain = b"\1" if "bytes" in hint else []
        values.append(known.get(field, plain))
    return procedure.args(*values)


@pytest.mark.parametrize("procedure", implemented(), ids=lambda procedure: procedure.name)
def test_every_method_checks_what_its_procedure_declares(procedure: Procedure[Any, Any]) -> None:
    """None forgets to authorize or to filter, and none breaks on an object that is there or is not."""
    asked: list[tuple[str, str]] = []

    class Noting:
        def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
            asked.append((kind, permission))
            return True

    served = 0
    for word, number in product(WORDS, (0, 1)):
        driver = furnished(TestDriver())
        if procedure is remote.DOMAIN_CHECKPOINT_CREATE_XML:
            driver.guests.by_name("test").snapshots.clear()
        elif procedure is remote.DOMAIN_SNAPSHOT_CREATE_XML:
            driver.guests.by_name("test").checkpoints.clear()
        harness = DriverHarness(driver, access=Noting())
        args = plain_arguments(harness, procedure, word, number)
        asked.clear()
        frame = result_of(harness.call_raw(procedure.call_frame(99, args)))
        if frame.status == OK:
            served += 1
            declared = {rule.partition(":")[0] for rule in (*procedure.acl, *procedure.aclfilter)} - {"none"}
            assert declared >= {kind for kind, _ in asked}
            assert asked or not declared
        else:
            assert "without call." not in (decode_error(frame).message or "")
        harness.close()
    never = (
        remote.DOMAIN_RESUME,
        remote.DOMAIN_RENAME,
        remote.DOMAIN_CREATE,
        remote.DOMAIN_CREATE_WITH_FLAGS,
        remote.DOMAIN_CREATE_WITH_FILES,
        remote.DOMAIN_SNAPSHOT_GET_PARENT,
        remote.DOMAIN_CHECKPOINT_GET_PARENT,
        remote.DOMAIN_SET_NUMA_PARAMETERS,
    )
    assert served or "LOOKUP" in procedure.name or procedure in (
        *never, remote.NETWORK_CREATE, remote.NETWORK_UNDEFINE, remote.INTERFACE_CREATE, remote.STORAGE_POOL_CREATE,
        remote.STORAGE_POOL_UNDEFINE, remote.DOMAIN_SET_MAX_MEMORY, remote.DOMAIN_GET_METADATA,
        remote.NETWORK_GET_METADATA,
        remote.DOMAIN_SET_VCPUS_FLAGS, remote.INTERFACE_CHANGE_COMMIT, remote.INTERFACE_CHANGE_ROLLBACK,
        remote.STORAGE_POOL_BUILD, remote.STORAGE_POOL_DELETE,
    )  # fmt: skip


@settings(deadline=None)
@given(number=st.sampled_from([procedure.number for procedure in implemented()]), payload=st.binary(max_size=200))
def test_garbage_gets_an_answer_and_breaks_nothing(number: int, payload: bytes) -> None:
    harness = DriverHarness(TestDriver())
    assert result_of(harness.call_bytes(remote.PROGRAM.number, number, payload)).status in (OK, ERROR)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_as_a_document_is_taken_or_refused_with_an_error(text: str) -> None:
    harness = DriverHarness(TestDriver())
    try:
        args = remote.DomainDefineXmlArgs(xml=text.replace("\0", ""))
        result_of(harness.call(remote.DOMAIN_DEFINE_XML, args))
    except VirtError as error:
        assert error.code in (ErrorCode.XML_DETAIL, ErrorCode.XML_ERROR)


ELEMENTS = st.sampled_from(["name", "uuid", "memory", "currentMemory", "vcpu", "os", "type", "devices", "disk", "zz"])
ATTRIBUTES = st.dictionaries(st.sampled_from(["type", "unit", "current", "dev", "id"]), st.text("ab1-", max_size=4))


def element(name: str, attributes: dict[str, str], inside: str) -> str:
    """One element as text."""
    written = "".join(f" {key}='{value}'" for key, value in attributes.items())
    return f"<{name}{written}>{inside}</{name}>"


@settings(deadline=None)
@given(
    st.recursive(
        st.text("ab1k ", max_size=5),
        lambda inner: st.builds(element, ELEMENTS, ATTRIBUTES, st.lists(inner, max_size=5).map("".join)),
        max_leaves=20,
    )
)
def test_any_domain_is_taken_or_refused_with_libvirts_codes(inside: str) -> None:
    text = f"<domain type='test'><name>n</name>{inside}<memory>1</memory><os><type>hvm</type></os></domain>"
    harness = DriverHarness(TestDriver())
    try:
        dom = result_of(harness.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=text))).dom
    except VirtError as error:
        assert error.code != ErrorCode.INTERNAL_ERROR or "malformed uuid" in (error.message or "")
        return
    xml = result_of(harness.call(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=dom, flags=0))).xml
    again = result_of(harness.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=xml))).dom
    args = remote.DomainGetXmlDescArgs(dom=again, flags=0)
    assert result_of(harness.call(remote.DOMAIN_GET_XML_DESC, args)).xml == xml
