# SPDX-License-Identifier: LGPL-2.1-or-later
"""What documents lay claim to: a table of each element that names something of the host, and what is unknown."""

from __future__ import annotations

import pytest

from tests.access.claims.cases import GUESTS, OTHERS
from tests.access.claims.device_cases import DEVICES
from tests.access.claims.schemas import schema_directories, walked
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.kinds import KINDS
from virtproxy.access.claims.model import Claim, refusal
from virtproxy.access.claims.reader import _rules, read
from virtproxy.access.claims.vocabulary import vocabulary


def told(claims: tuple[Claim, ...]) -> list[str]:
    return [f"{claim.kind} {claim.value}" for claim in claims]


@pytest.mark.parametrize(("xml", "expected"), DEVICES)
def test_devices(xml: str, expected: list[str]) -> None:
    whole = read(f"<domain><devices>{xml}</devices></domain>", "domain")
    assert sorted(told(whole.claims)) == sorted(expected)


@pytest.mark.parametrize(("xml", "expected"), GUESTS)
def test_guests(xml: str, expected: list[str]) -> None:
    assert sorted(told(read(f"<domain>{xml}</domain>", "domain").claims)) == sorted(expected)


@pytest.mark.parametrize(("kind", "xml", "expected"), OTHERS)
def test_other_documents(kind: str, xml: str, expected: list[str]) -> None:
    assert sorted(told(read(xml, kind).claims)) == sorted(expected)


@pytest.mark.parametrize("directory", [0, 1], ids=["9.0", "11.3"])
def test_every_word_of_the_schemas_is_known(directory: int) -> None:
    words = walked(schema_directories()[directory]).words
    assert len(words) > 800
    missing = [
        (place, attribute)
        for place, attributes in words.items()
        if not place[0].startswith("{") and not place[1].startswith("{")
        for attribute in ({""} | attributes)
        if attribute not in ({""} | vocabulary().get((place[0] or "/", place[1]), frozenset({"?"})))
        or (place[0] or "/", place[1]) not in vocabulary()
    ]
    assert not missing


def test_every_rule_is_about_words_that_are_known() -> None:
    names = {name for _, name in vocabulary()}
    pairs = set(vocabulary())
    assert not [place for place in _rules() if place not in pairs and not (place[0] == "*" and place[1] in names)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<domain>", "line 1"),
        ("<pool/>", "begins with <pool>, where <domain> is expected"),
        ("<!DOCTYPE domain><domain/>", "document type"),
        ("<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/shadow'>]><domain>&x;</domain>", "document type"),
        ("<domain>&x;</domain>", "Entity 'x' not defined"),
        ("<domain><?pi x?></domain>", "processing instruction"),
        ("<?pi x?><domain/>", "processing instruction"),
        ("<domain/><?pi x?>", "processing instruction"),
        ("<?xml version='1.0' encoding='UTF-7'?><domain/>", "declared as UTF-7"),
        ("<?xml version='1.0' encoding='UTF-16'?><domain/>", "declared as UTF-16"),
        ("\ufeff<domain/>", "does not start with an element"),
        ("<domain/>\0<x/>", "zero byte"),
        ("\ud800", "not UTF-8"),
        ("<domain a='1' a='2'/>", "redefined"),
        ("<x:domain/>", "Namespace prefix"),
        ("<domain>" + "<a>" * 300 + "</a>" * 300 + "</domain>", "line 1"),
        ("<domain>" + "<a/>" * 60_000 + "</domain>", "too many elements"),
        ("<domain><uuid>a</uuid><uuid>b</uuid></domain>", "more than one <uuid>"),
        ("", "does not start"),
        ("x" * (5 << 20), "longer than"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(text, "domain")
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 400


def test_declarations_and_comments_are_welcome() -> None:
    text = "<?xml version='1.0' encoding='utf-8'?>\n<!-- x --><domain><!-- y --><name>n</name></domain><!-- z -->"
    document = read(text, "domain")
    assert document.claims == ()
    assert document.name == "n"


def test_a_refusal_names_the_claim_its_place_and_its_grant() -> None:
    (claim,) = read("<disk>\n<source file='/a/../etc/shadow'/></disk>", "guest-device").claims
    assert refusal(claim) == (
        "disk source /etc/shadow (as /a/../etc/shadow) at disk/source/@file, line 2 is not granted (documents.disks)"
    )


def test_sizes() -> None:
    text = (
        "<domain><vcpu current='1'>3</vcpu><memory unit='GiB'>1</memory><currentMemory>1</currentMemory>"
        "<devices><memory><target><size unit='GiB'>2</size></target></memory></devices></domain>"
    )
    assert read(text, "domain").sizes.vcpus == 3
    assert read(text, "domain").sizes.memory == 2 << 30
    assert read("<domain/>", "domain").sizes.vcpus == 1
    assert read("<domain><memory>1000</memory></domain>", "domain").sizes.memory == 1_024_000
    assert read("<domain><memory unit='KB'>2</memory></domain>", "domain").sizes.memory == 2000
    assert read("<domain><memory unit='X'>2</memory></domain>", "domain").sizes.memory == 2**63
    assert read("<volume><capacity unit='G'>2</capacity></volume>", "volume").sizes.capacity == 2 << 30
    assert read("<memory><target><size unit='M'>2</size></target></memory>", "guest-device").sizes.memory == 2 << 20


def test_every_kind_has_a_case() -> None:
    shown = {claim.split()[0] for _, claims in [*DEVICES, *GUESTS] for claim in claims}
    shown |= {claim.split()[0] for _, _, claims in OTHERS for claim in claims}
    assert set(KINDS) - shown == {"dump_file", "migration_uri"}
