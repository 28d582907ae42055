# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's devices: found, added, replaced and taken out, with libvirt's words where that cannot be."""

from __future__ import annotations

import pytest

from virtproxy.documents.domain import INACTIVE, SECURE, Device, DomainDocument
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

DOMAIN = """<domain type='test'><name>d</name><memory unit='MiB'>1</memory><vcpu>4</vcpu><os><type>hvm</type></os>
<devices><disk><source file='/a'/><target dev='vda'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
<graphics type='vnc' passwd='hidden'/><unknown><inner/></unknown></devices></domain>"""


@pytest.fixture
def domain() -> DomainDocument:
    """A domain with one disk, one interface and a display."""
    return DomainDocument(DOMAIN)


def test_devices_are_found_by_what_they_are_told_apart_by(domain: DomainDocument) -> None:
    assert [disk.target for disk in domain.devices("disk")] == ["vda"]
    (interface,) = domain.devices("interface")
    assert (interface.mac, interface.source, interface.target) == ("52:54:00:00:00:01", "default", "testnet0")
    assert domain.find_disk("/a") is not None
    assert domain.find_disk("vda") is not None
    assert domain.find_disk("") is None


def test_a_device_is_added_in_libvirts_order_and_taken_out_again(domain: DomainDocument) -> None:
    before = domain.format()
    disk = Device.parse("<disk type='file'><source file='/b'/><target dev='sdb'/></disk>")
    domain.attach(disk)
    kinds = [device.kind for device in domain.devices()]
    assert kinds == ["disk", "disk", "interface", "graphics", "video", "unknown"]
    assert disk.address == {"type": "drive", "controller": "0", "bus": "0", "target": "0", "unit": "1"}
    domain.detach(Device.parse("<disk><source file='/other'/><target dev='sdb'/></disk>"))
    assert domain.format() == before


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            "<disk><source file='/b'/><target dev='vda'/></disk>",
            ErrorCode.OPERATION_INVALID,
            "target vda already exists",
        ),
        (
            "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>",
            ErrorCode.OPERATION_INVALID,
            "network device with mac 52:54:00:00:00:01 already exists",
        ),
    ],
)
def test_two_devices_in_one_place_are_refused(domain: DomainDocument, text: str, code: ErrorCode, message: str) -> None:
    with pytest.raises(VirtError, match=message) as caught:
        domain.attach(Device.parse(text))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<disk><source file='/b'/><target dev='vdb'/></disk>", "no target device vdb"),
        (
            "<interface type='user'><mac address='52:54:00:00:00:02'/></interface>",
            "no device matching MAC address 52:54:00:00:00:02 found",
        ),
        ("<watchdog model='itco'/>", "device not present in domain configuration"),
    ],
)
def test_what_is_not_there_is_not_taken_out(domain: DomainDocument, text: str, message: str) -> None:
    with pytest.raises(VirtError, match=message) as caught:
        domain.detach(Device.parse(text))
    assert caught.value.code == ErrorCode.DEVICE_MISSING


def test_a_disk_takes_the_place_of_the_one_with_its_target(domain: DomainDocument) -> None:
    domain.update(Device.parse("<disk><source file='/b'/><target dev='vda'/></disk>"))
    assert [disk.source for disk in domain.devices("disk")] == ["/b"]
    with pytest.raises(VirtError, match="target vdb doesn't exist") as caught:
        domain.update(Device.parse("<disk><source file='/b'/><target dev='vdb'/></disk>"))
    assert caught.value.code == ErrorCode.INVALID_ARG


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("<bogus/>", ErrorCode.CONFIG_UNSUPPORTED, "unknown device type 'bogus'"),
        ("<disk", ErrorCode.XML_DETAIL, "at line 1"),
        ("<disk><source file='/x'/></disk>", ErrorCode.NO_TARGET, "missing target information for device /x"),
        ("<disk><target dev='vdb'/></disk>", ErrorCode.NO_SOURCE, "missing source information for device vdb"),
        (
            "<interface type='x'/>",
            ErrorCode.XML_ERROR,
            "Invalid value for attribute 'type' in element 'interface': 'x'.",
        ),
    ],
)
def test_a_device_that_is_none_is_refused(text: str, code: ErrorCode, message: str) -> None:
    with pytest.raises(VirtError, match=message) as caught:
        Device.parse(text)
    assert caught.value.code == code


def test_passwords_are_for_those_who_may_see_them(domain: DomainDocument) -> None:
    assert "passwd='hidden'" in domain.format(flags=SECURE)
    assert "hidden" not in domain.format(flags=0)
    assert "passwd='hidden'" in domain.format(flags=SECURE), "the document itself keeps it"


def test_a_running_domains_own_names_are_not_in_its_definition(domain: DomainDocument) -> None:
    text = "<disk><source file='/b'/><target dev='vdb'/><alias name='{}'/></disk>"
    for name in ("virtio-disk1", "ua-mine"):
        device = Device.parse(text.format(name), active=True)
        device.element.child("target").attributes["dev"] = f"vd{name[0]}"
        domain.attach(device)
    running, defined = domain.format(7), domain.format(7, SECURE | INACTIVE)
    assert "id='7'" in running
    assert "virtio-disk1" in running
    assert "id='7'" not in defined
    assert "virtio-disk1" not in defined
    assert "ua-mine" in defined


def test_what_is_not_known_stays(domain: DomainDocument) -> None:
    assert "<unknown>\n      <inner/>\n    </unknown>" in domain.format()
