# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a document calls the thing that it will make."""

from __future__ import annotations

import time

import pytest

from virtproxy.access.naming import Naming, NamingError, naming

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"


@pytest.mark.parametrize(
    ("kind", "document", "name", "uuid"),
    [
        ("domain", f"<domain><uuid>{UUID}</uuid><name>a</name></domain>", "a", UUID),
        (
            "domain",
            f"<domain><name>a<!-- no -->b</name><uuid> {UUID.upper().replace('-', '')}\n</uuid></domain>",
            "ab",
            UUID,
        ),
        ("domain", "<domain><name>a</name><name>b</name></domain>", "a", None),
        ("domain", "<domain><devices><name>no</name></devices></domain>", None, None),
        ("domain", "<domain><name>a&amp;&#98;<![CDATA[<c>]]></name></domain>", "a&b<c>", None),
        ("domain", "<domain xmlns='urn:x'><name>a</name></domain>", None, None),
        ("domain", "<domain><x:name xmlns:x='urn:x'>no</x:name><name>a<b>c</b></name></domain>", "ac", None),
        ("storage_pool", "<pool><source><name>vg</name></source></pool>", "vg", None),
        ("storage_pool", "<pool><source><name>vg</name></source><name>p</name></pool>", "p", None),
        ("storage_pool", "<pool><name/><source><name>vg</name></source></pool>", "vg", None),
        ("nwfilter", f"<filter name='f'><uuid>{UUID}</uuid></filter>", "f", UUID),
        ("nwfilter_binding", "<filterbinding><portdev name='vnet0'/></filterbinding>", "vnet0", None),
        ("interface", "<interface name='eth0'/>", "eth0", None),
        ("secret", f"<secret><uuid>{UUID}</uuid><usage type='ceph'><name>c</name></usage></secret>", "c", UUID),
        ("network_port", f"<networkport><uuid>{UUID}</uuid></networkport>", None, UUID),
    ],
)
def test_names(kind: str, document: str, name: str | None, uuid: str | None) -> None:
    found = naming(kind, document)
    assert (found.name, found.uuid) == (name, uuid)


@pytest.mark.parametrize(
    ("kind", "document", "details"),
    [
        ("domain", "<domain><name>a</name><mac address='x'/></domain>", {}),
        ("interface", "<interface name='e'><mac address='a:b'/></interface>", {"interface_macaddr": "a:b"}),
        (
            "nwfilter_binding",
            "<b><portdev name='v'/><linkdev name='e'/><filterref filter='f'/></b>",
            {"nwfilter_binding_linkdev": "e", "nwfilter_binding_filter": "f"},
        ),
        ("nwfilter_binding", "<b><portdev name='v'/></b>", {}),
        ("secret", "<s><usage type='volume'><volume>/v</volume></usage></s>", {"secret_usage_volume": "/v"}),
        ("secret", "<s><usage type='ceph'><name>n</name></usage></s>", {"secret_usage_ceph": "n"}),
        ("secret", "<s><usage type='iscsi'><target>t</target></usage></s>", {"secret_usage_target": "t"}),
        ("secret", "<s><usage type='tls'><name>n</name></usage></s>", {"secret_usage_name": "n"}),
        ("secret", "<s><usage type='none'><name>n</name></usage></s>", {}),
        ("secret", "<s><usage type='tls'><volume>/v</volume><name>n</name></usage></s>", {"secret_usage_name": "n"}),
        ("secret", "<s/>", {}),
    ],
)
def test_what_else_rules_are_told(kind: str, document: str, details: dict[str, str]) -> None:
    assert dict(naming(kind, document).details) == details


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("<domain>", "cannot be read"),
        ("", "cannot be read"),
        ("<domain>\ud800</domain>", "cannot be read"),
        ("<!DOCTYPE domain [<!ENTITY n 'x'>]><domain><name>&n;</name></domain>", "document type"),
        ("<?xml version='1.0' encoding='UTF-7'?><domain><name>+AGE-</name></domain>", "UTF-8"),
        ("<?xml version='1.0' encoding='utf-16'?><domain/>", "UTF-8"),
        ("<domain><uuid>no</uuid></domain>", "not a UUID"),
        ("<a>" * 251, "deeper than 250"),
        ("<domain>" + "<a/>" * 50_000 + "</domain>", "over 50000 elements"),
        (f"<domain><name>{'a' * 4097}</name></domain>", "longer than 4096"),
    ],
)
def test_what_two_parsers_might_read_differently_is_refused(document: str, says: str) -> None:
    with pytest.raises(NamingError, match=says):
        naming("domain", document)


def test_a_secret_is_called_by_the_usage_of_its_own_type() -> None:
    document = "<secret><usage type='{}'><volume>/mine</volume><name>theirs</name></usage></secret>"
    assert [naming("secret", document.format(kind)).name for kind in ("volume", "ceph", "none")] == [
        "/mine",
        "theirs",
        None,
    ]


@pytest.mark.parametrize(
    "document",
    [
        "<domain>" + "<a>" * 1_000_000,
        "<domain>" + "<a>" * 240 + "x<b/>" * 1_000_000,
        "<domain><name>" + "a<b/>" * 1_000_000,
        "<domain><name>" + "a" * 4_000_000,
    ],
)
def test_a_hard_document_takes_no_time(document: str) -> None:
    began = time.process_time()
    with pytest.raises(NamingError):
        naming("domain", document)
    assert time.process_time() - began < 1


def test_a_name_from_elsewhere_has_the_same_limit() -> None:
    with pytest.raises(NamingError, match="longer than"):
        Naming("a" * 4097)


def test_a_declared_utf_8_is_as_good_as_none() -> None:
    assert naming("domain", "<?xml version='1.0' encoding='utf-8'?><domain><name>ä</name></domain>").name == "ä"
