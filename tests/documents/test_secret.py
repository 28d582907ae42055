# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets' documents: what is read, what is refused and how, and that what is written reads back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.documents.secret import SecretDocument, Usage, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

UUID = "11111111-2222-3333-4444-555555555555"
RAW = bytes.fromhex(UUID.replace("-", ""))
# As libvirt 11.3.0 wrote them for virsh secret-dumpxml.
FORMATTED = [
    f"<secret ephemeral='no' private='no'>\n  <uuid>{UUID}</uuid>\n</secret>\n",
    f"<secret ephemeral='no' private='yes'>\n  <uuid>{UUID}</uuid>\n"
    "  <description>A &lt;b&gt; &apos;x&apos;</description>\n"
    "  <usage type='volume'>\n    <volume>/v/a</volume>\n  </usage>\n</secret>\n",
    f"<secret ephemeral='yes' private='no'>\n  <uuid>{UUID}</uuid>\n"
    "  <usage type='iscsi'>\n    <target>t</target>\n  </usage>\n</secret>\n",
    f"<secret ephemeral='no' private='no'>\n  <uuid>{UUID}</uuid>\n"
    "  <description>two\n lines &amp; é</description>\n"
    "  <usage type='ceph'>\n    <name> s </name>\n  </usage>\n</secret>\n",
    f"<secret ephemeral='no' private='no'>\n  <uuid>{UUID}</uuid>\n"
    "  <usage type='tls'>\n    <name>x</name>\n  </usage>\n</secret>\n",
    f"<secret ephemeral='yes' private='yes'>\n  <uuid>{UUID}</uuid>\n"
    "  <usage type='vtpm'>\n    <name>x</name>\n  </usage>\n</secret>\n",
]
XML, DETAIL, INTERNAL = ErrorCode.XML_ERROR, ErrorCode.XML_DETAIL, ErrorCode.INTERNAL_ERROR
REFUSED = {
    "": (DETAIL, "Document is empty"),
    "<x/>": (XML, "expecting root element of 'secret', not 'x'"),
    "<secret": (DETAIL, "at line 1: "),
    "<!DOCTYPE s [<!ENTITY a 'b'>]><secret/>": (DETAIL, "at line 1: a document type declaration is not accepted"),
    "<secret ephemeral='maybe'/>": (XML, "invalid value of 'ephemeral'"),
    "<secret private='1'/>": (XML, "invalid value of 'private'"),
    "<secret><uuid>zz</uuid></secret>": (INTERNAL, "malformed uuid element"),
    f"<secret><uuid>{UUID}0</uuid></secret>": (INTERNAL, "malformed uuid element"),
    "<secret><usage/></secret>": (XML, "Missing required attribute 'type' in element 'usage'"),
    "<secret><usage type='zz'/></secret>": (XML, "Invalid value for attribute 'type' in element 'usage': 'zz'."),
    "<secret><usage type='volume'/></secret>": (INTERNAL, "volume usage specified, but volume path is missing"),
    "<secret><usage type='ceph'><name/></usage></secret>": (INTERNAL, "Ceph usage specified, but name is missing"),
    "<secret><usage type='iscsi'><name>a</name></usage></secret>": (
        INTERNAL, "iSCSI usage specified, but target is missing"
    ),
    "<secret><usage type='tls'/></secret>": (INTERNAL, "TLS usage specified, but name is missing"),
    "<secret><usage type='vtpm'/></secret>": (INTERNAL, "vTPM usage specified, but name is missing"),
    "<secret>" + "<a>" * 200 + "</a>" * 200 + "</secret>": (DETAIL, "at line 1: "),
}  # fmt: skip


@pytest.mark.parametrize("text", FORMATTED)
def test_what_libvirt_writes_is_written_back_the_same(text: str) -> None:
    assert parse(text).format() == text


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_secret_is_refused_in_libvirts_words(text: str) -> None:
    code, detail = REFUSED[text]
    with pytest.raises(VirtError) as caught:
        parse(text)
    assert caught.value.code == code
    assert detail in str(caught.value)
    assert caught.value.domain in (ErrorDomain.SECRET, ErrorDomain.XML)


def test_a_secret_without_a_uuid_gets_one_of_its_own() -> None:
    first, second = parse("<secret/>"), parse("<secret/>")
    assert len(first.uuid) == 16
    assert first.uuid != second.uuid


@pytest.mark.parametrize("written", [UUID, UUID.replace("-", ""), f" {UUID.upper()} ", UUID.replace("-", " ")])
def test_a_uuid_is_read_as_libvirt_reads_it(written: str) -> None:
    assert parse(f"<secret><uuid>{written}</uuid></secret>").uuid == RAW


def test_what_libvirt_ignores_is_ignored() -> None:
    text = f"<!--c--><q:secret xmlns:q='u' x='1'><new/><uuid>{UUID}</uuid><description>a<b>c</b></description>"
    text += "<usage type='ceph'><volume>v</volume><name>n</name></usage><usage type='tls'/></q:secret>"
    assert parse(text) == SecretDocument(RAW, description="ac", usage=Usage.CEPH, usage_id="n")


# What XML can hold; a carriage return becomes a newline on the way, as the standard says.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=50)
DOCUMENTS = st.builds(
    SecretDocument, st.binary(min_size=16, max_size=16), st.booleans(), st.booleans(), TEXTS,
    st.sampled_from([usage for usage in Usage if usage]), TEXTS.filter(bool),
)  # fmt: skip


@given(DOCUMENTS)
def test_every_document_reads_back_as_it_was(document: SecretDocument) -> None:
    assert parse(document.format()) == document == document.copy()
