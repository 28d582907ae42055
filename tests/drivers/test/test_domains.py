# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens to the pretended domains beyond their lives: saved, snapshotted, tuned, and who hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.toy import error_of, result_of
from virtproxy.driver import ErrorCode, ErrorDomain, Type, param, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.test import TestDriver
from virtproxy.protocol.schema import Procedure

LIVE, CONFIG = 1, 2
METADATA, DEVICE_ADDED, DEVICE_REMOVED = 23, 19, 15
XML = "<domain type='test'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
DISK = "<disk type='file'><source file='/new'/><target dev='vdb' bus='virtio'/></disk>"


@pytest.fixture
def harness() -> DriverHarness:
    return DriverHarness(TestDriver(now=lambda: 1_700_000_000.25))


@pytest.fixture
def dom(harness: DriverHarness) -> remote.NonnullDomain:
    """The domain "test", which runs."""
    return result_of(harness.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test"))).dom


def ask(harness: DriverHarness, procedure: Procedure[Any, Any], *args: Any) -> Any:
    """Make a call with these arguments in order."""
    return result_of(harness.call(procedure, procedure.args(*args)))  # type: ignore[misc]


def refusal(harness: DriverHarness, procedure: Procedure[Any, Any], *args: Any) -> tuple[int, str | None]:
    """The code and detail of the error that a call gets."""
    error = error_of(harness, procedure, procedure.args(*args))  # type: ignore[misc]
    return error.code, error.str2


def listen(harness: DriverHarness, *events: int) -> None:
    """Register for these domain events."""
    for event in events:
        ask(harness, remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, event, None)


def xml(harness: DriverHarness, dom: remote.NonnullDomain, flags: int = 0) -> str:
    """The domain's document."""
    text: str = ask(harness, remote.DOMAIN_GET_XML_DESC, dom, flags).xml
    return text


def test_a_saved_domain_comes_back_under_another_number(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    listen(harness, 0)
    ask(harness, remote.DOMAIN_SAVE, dom, "/image")
    assert "<name>test</name>" in ask(harness, remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC, "/image", 0).xml
    ask(harness, remote.DOMAIN_RESTORE, "/image")
    assert [(told.msg.event, told.msg.detail) for _, told in harness.events] == [(5, 4), (2, 2)]
    assert ask(harness, remote.DOMAIN_GET_STATE, dom, 0) == remote.DomainGetStateRet(state=1, reason=3)
    code, _ = refusal(harness, remote.DOMAIN_RESTORE, "/nowhere")
    assert code == ErrorCode.SYSTEM_ERROR


def test_saved_images_are_gone_with_the_last_client(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    driver = harness.backend.driver
    ask(harness, remote.DOMAIN_SAVE, dom, "/image")
    harness.close()
    code, _ = refusal(DriverHarness(driver), remote.DOMAIN_RESTORE, "/image")
    assert code == ErrorCode.SYSTEM_ERROR


def snapshot(harness: DriverHarness, dom: remote.NonnullDomain, name: str) -> remote.NonnullDomainSnapshot:
    """Take a snapshot of that name."""
    text = f"<domainsnapshot><name>{name}</name></domainsnapshot>"
    made: remote.NonnullDomainSnapshot = ask(harness, remote.DOMAIN_SNAPSHOT_CREATE_XML, dom, text, 0).snap
    return made


def test_a_deleted_snapshot_leaves_its_children_to_its_parent(
    harness: DriverHarness, dom: remote.NonnullDomain
) -> None:
    first, second, third = (snapshot(harness, dom, name) for name in ("first", "second", "third"))
    ask(harness, remote.DOMAIN_SNAPSHOT_DELETE, second, 0)
    assert ask(harness, remote.DOMAIN_SNAPSHOT_GET_PARENT, third, 0).snap.name == "first"
    ask(harness, remote.DOMAIN_SNAPSHOT_DELETE, first, 1)
    assert ask(harness, remote.DOMAIN_SNAPSHOT_NUM, dom, 0).num == 0
    assert ask(harness, remote.DOMAIN_HAS_CURRENT_SNAPSHOT, dom, 0).result == 0


def test_a_chain_of_many_snapshots_is_listed_from_its_root(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    root, *_ = [snapshot(harness, dom, f"s{number}") for number in range(1200)]
    assert ask(harness, remote.DOMAIN_SNAPSHOT_NUM_CHILDREN, root, 1).num == 1199
    assert ask(harness, remote.DOMAIN_SNAPSHOT_NUM, dom, 4).num == 1


def test_a_revert_brings_the_document_of_then(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    then = snapshot(harness, dom, "then")
    ask(harness, remote.DOMAIN_SET_MEMORY, dom, 4096)
    ask(harness, remote.DOMAIN_REVERT_TO_SNAPSHOT, then, 2)
    assert ask(harness, remote.DOMAIN_GET_INFO, dom).memory == 2097152
    assert ask(harness, remote.DOMAIN_GET_STATE, dom, 0) == remote.DomainGetStateRet(state=3, reason=7)


def test_snapshots_and_checkpoints_exclude_each_other(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    snapshot(harness, dom, "one")
    code, detail = refusal(harness, remote.DOMAIN_CHECKPOINT_CREATE_XML, dom, "<domaincheckpoint/>", 0)
    assert (code, detail) == (ErrorCode.OPERATION_UNSUPPORTED, "cannot create checkpoint while snapshot exists")


def test_settings_stand_in_the_document_they_are_for(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    ask(harness, remote.DOMAIN_PIN_VCPU, dom, 1, b"\x06")
    ask(harness, remote.DOMAIN_ADD_IOTHREAD, dom, 7, CONFIG)
    ask(harness, remote.DOMAIN_SET_MEMORY_PARAMETERS, dom, [param("hard_limit", 4096, Type.ULLONG)], LIVE)
    live, config = xml(harness, dom), xml(harness, dom, 2)
    assert "<vcpupin vcpu='1' cpuset='1-2'/>" in live
    assert "<hard_limit unit='KiB'>4096</hard_limit>" in live
    assert "<iothread id='7'/>" in config
    assert "hard_limit" not in config
    assert "iothread" not in live


def test_parameters_that_nobody_knows_are_refused(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    args = dom, [param("softness", 1, Type.ULLONG)], LIVE
    code, detail = refusal(harness, remote.DOMAIN_SET_MEMORY_PARAMETERS, *args)
    assert (code, detail) == (ErrorCode.ARGUMENT_UNSUPPORTED, "parameter 'softness' not supported")


def test_metadata_and_devices_are_told_of(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    listen(harness, METADATA, DEVICE_ADDED, DEVICE_REMOVED)
    ask(harness, remote.DOMAIN_SET_METADATA, dom, 2, "<a/>", "k", "urn:k", LIVE)
    ask(harness, remote.DOMAIN_ATTACH_DEVICE, dom, DISK)
    ask(harness, remote.DOMAIN_DETACH_DEVICE_ALIAS, dom, "virtio-disk1", LIVE)
    assert [event.name for event, _ in harness.events] == [
        "DOMAIN_EVENT_CALLBACK_METADATA_CHANGE",
        "DOMAIN_EVENT_CALLBACK_DEVICE_ADDED",
        "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED",
    ]
    assert '<k:a xmlns:k="urn:k"/>' in xml(harness, dom)


def test_file_systems_are_frozen_once(harness: DriverHarness, dom: remote.NonnullDomain) -> None:
    assert ask(harness, remote.DOMAIN_FSFREEZE, dom, [], 0).filesystems == 2
    assert ask(harness, remote.DOMAIN_FSFREEZE, dom, ["/"], 0).filesystems == 0
    assert ask(harness, remote.DOMAIN_FSTHAW, dom, [], 0).filesystems == 2
    error = error_of(harness, remote.DOMAIN_FSTRIM, remote.DomainFstrimArgs(dom, "/none", 0, 0))
    assert (error.code, error.domain) == (ErrorCode.OPERATION_INVALID, ErrorDomain.TEST)


def test_thousands_of_domains_are_defined_and_found(harness: DriverHarness) -> None:
    for number in range(2000):
        ask(harness, remote.DOMAIN_DEFINE_XML, XML.format(f"d{number}"))
    assert ask(harness, remote.DOMAIN_LOOKUP_BY_NAME, "d1999").dom.id == -1
    assert ask(harness, remote.CONNECT_LIST_ALL_DOMAINS, 1, 2).ret == 2000
