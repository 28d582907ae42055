# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshot and checkpoint documents: completed for their domain, and refused in libvirt's words."""

from __future__ import annotations

import re

import pytest

from virtproxy.documents.domain import CheckpointDocument, DomainDocument, SnapshotDocument
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

DOMAIN = """<domain type='test'><name>d</name><memory>1</memory><os><type>hvm</type></os><devices>
<disk><source file='/x.img'/><target dev='vda'/></disk><disk device='cdrom'><target dev='hdc'/></disk>
<disk type='block'><source dev='/dev/y'/><target dev='vdb'/></disk></devices></domain>"""


@pytest.fixture
def domain() -> DomainDocument:
    """A domain with two disks and an empty drive."""
    return DomainDocument(DOMAIN)


def without_domain(text: str) -> str:
    """The document but for the definition in it."""
    return re.sub(r"\n  <domain .*</domain>", "", text, flags=re.DOTALL)


def test_a_snapshot_says_what_becomes_of_memory_and_disks(domain: DomainDocument) -> None:
    made = SnapshotDocument("<domainsnapshot><description>b</description></domainsnapshot>", domain, now=5)
    made.parent = "older"
    assert (
        without_domain(made.format())
        == """<domainsnapshot>
  <name>5</name>
  <description>b</description>
  <state>shutoff</state>
  <parent>
    <name>older</name>
  </parent>
  <creationTime>5</creationTime>
  <memory snapshot='no'/>
  <disks>
    <disk name='vda' snapshot='internal'/>
    <disk name='vdb' snapshot='internal'/>
    <disk name='hdc' snapshot='no'/>
  </disks>
</domainsnapshot>
"""
    )
    again = SnapshotDocument(made.format(), domain, redefine=True)
    assert again.format() == made.format()
    assert SnapshotDocument("<domainsnapshot/>", domain, state="running").memory == "internal"


UUID_ = "00000000-0000-0000-0000-000000000001"
OTHER = DOMAIN.replace("<name>", f"<uuid>{UUID_}</uuid><name>")
WHOLE = "<domainsnapshot><name>r</name><state>shutoff</state><creationTime>5</creationTime>{}</domainsnapshot>"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("<x/>", ErrorCode.XML_ERROR, "expecting root element of 'domainsnapshot', not 'x'"),
        ("", ErrorCode.XML_DETAIL, "Document is empty"),
        ("<domainsnapshot><creationTime>5</creationTime></domainsnapshot>", ErrorCode.XML_ERROR, "must have a name"),
        (WHOLE.format(""), ErrorCode.INTERNAL_ERROR, "missing domain in snapshot"),
        (WHOLE.format(OTHER), ErrorCode.INVALID_ARG, "definition for snapshot r must use uuid"),
        (WHOLE.replace("shutoff", "x").format(DOMAIN), ErrorCode.CONFIG_UNSUPPORTED, "Invalid state 'x'"),
        (WHOLE.replace("5", "").format(DOMAIN), ErrorCode.INTERNAL_ERROR, "missing creationTime"),
    ],
)
def test_a_snapshot_that_is_told_of_must_be_whole(
    domain: DomainDocument, text: str, code: ErrorCode, message: str
) -> None:
    with pytest.raises(VirtError, match=message) as caught:
        SnapshotDocument(text, domain, redefine=True)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ("<disks><disk name='vdz'/></disks>", "no disk named 'vdz'"),
        ("<disks><disk/></disks>", "missing name from disk snapshot element"),
        ("<disks><disk name='vda'/><disk name='/x.img'/></disks>", "disk 'vda' specified twice"),
        ("<disks><disk name='vda' snapshot='no'/></disks>", "disk 'vda' must use snapshot mode 'internal'"),
        ("<disks><disk name='vda' snapshot='x'/></disks>", "attribute 'snapshot' in element 'disk': 'x'."),
        ("<memory snapshot='x'/>", "attribute 'snapshot' in element 'memory': 'x'."),
        ("<memory snapshot='external'/>", "external memory snapshots require a filename"),
        ("<memory snapshot='internal' file='/m'/>", "memory filename '/m' requires external snapshot"),
        ("<memory file='/m'/>", "source for disk 'vda' is not a regular file"),
    ],
)
def test_what_a_snapshot_cannot_be(domain: DomainDocument, inner: str, message: str) -> None:
    with pytest.raises(VirtError, match=message):
        SnapshotDocument(f"<domainsnapshot>{inner}</domainsnapshot>", domain)


def test_a_checkpoint_watches_the_disks_that_hold_something(domain: DomainDocument) -> None:
    made = CheckpointDocument("<domaincheckpoint><name>c</name></domaincheckpoint>", domain, now=7)
    assert (
        without_domain(made.format())
        == """<domaincheckpoint>
  <name>c</name>
  <creationTime>7</creationTime>
  <disks>
    <disk name='vda' checkpoint='bitmap' bitmap='c'/>
    <disk name='vdb' checkpoint='bitmap' bitmap='c'/>
    <disk name='hdc' checkpoint='no'/>
  </disks>
</domaincheckpoint>
"""
    )
    assert made.format(with_domain=False) == without_domain(made.format())
    one = "<domaincheckpoint><disks><disk name='vdb' bitmap='z'/></disks></domaincheckpoint>"
    disks = [disk.attributes for disk in CheckpointDocument(one, domain).disks]
    assert disks[:2] == [
        {"name": "vda", "checkpoint": "no"},
        {"name": "vdb", "checkpoint": "bitmap", "bitmap": "z"},
    ]


def test_a_redefined_checkpoint_may_have_no_domain(domain: DomainDocument) -> None:
    text = "<domaincheckpoint>\n  <name>z</name>\n  <creationTime>7</creationTime>\n</domaincheckpoint>\n"
    assert CheckpointDocument(text, domain, redefine=True).format() == text
    whole = CheckpointDocument(
        text.replace("</domaincheckpoint>", f"{DOMAIN}</domaincheckpoint>"), domain, redefine=True
    )
    assert whole.domain is not None
    assert whole.domain.name == "d"
    assert len(whole.disks) == 3
