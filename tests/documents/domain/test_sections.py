# SPDX-License-Identifier: LGPL-2.1-or-later
"""What drivers read and change in a domain's document besides its devices: pinning, tuning, metadata."""

from __future__ import annotations

import pytest

from virtproxy.documents.domain import DomainDocument, Host
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

DOMAIN = """<domain type='test'><name>d</name><memory>1</memory><vcpu>4</vcpu><iothreads>3</iothreads>
<iothreadids><iothread id='2'/></iothreadids><os><type>hvm</type></os></domain>"""


@pytest.fixture
def domain() -> DomainDocument:
    """A domain with vCPUs and I/O threads."""
    return DomainDocument(DOMAIN)


def test_vcpus_are_pinned_and_let_go(domain: DomainDocument) -> None:
    before = domain.format()
    domain.pin_vcpu(2, [4, 5, 6, 9])
    domain.pin_vcpu(0, {1})
    domain.pin_emulator([0])
    domain.pin_iothread(2, [3])
    assert domain.vcpu_pins == {0: frozenset({1}), 2: frozenset({4, 5, 6, 9})}
    assert (domain.emulator_pin, domain.iothread_pins) == (frozenset({0}), {2: frozenset({3})})
    cputune = """  <cputune>
    <vcpupin vcpu='0' cpuset='1'/>
    <vcpupin vcpu='2' cpuset='4-6,9'/>
    <emulatorpin cpuset='0'/>
    <iothreadpin iothread='2' cpuset='3'/>
  </cputune>
  <os>"""
    assert cputune in domain.format()
    assert DomainDocument(domain.format()).format() == domain.format()
    domain.pin_vcpu(2, None)
    domain.pin_vcpu(0, None)
    domain.pin_emulator(None)
    domain.pin_iothread(2, None)
    assert domain.format() == before


def test_iothreads_without_a_number_get_the_free_ones(domain: DomainDocument) -> None:
    assert domain.iothreads == [2, 1, 3]


def test_tuning_is_a_table_of_texts(domain: DomainDocument) -> None:
    before = domain.format()
    domain.set_texts("memtune", {"soft_limit": "2", "hard_limit": "3"})
    text = domain.format()
    limits = "    <hard_limit unit='KiB'>3</hard_limit>\n    <soft_limit unit='KiB'>2</soft_limit>"
    assert f"  <memtune>\n{limits}\n  </memtune>\n  <vcpu" in text
    assert domain.texts("memtune") == {"hard_limit": "3", "soft_limit": "2"}
    domain.set_texts("memtune", {"soft_limit": None, "hard_limit": None})
    assert domain.format() == before


def test_metadata_is_kept_by_namespace(domain: DomainDocument) -> None:
    before = domain.format()
    domain.set_metadata("urn:x", "p", "<a b='c'>t<d/></a>")
    domain.set_metadata("urn:y", "q", "<q:a xmlns:q='urn:y'/>")
    assert """  <metadata>
    <p:a xmlns:p="urn:x" b="c">t<p:d/></p:a>
    <q:a xmlns:q="urn:y"/>
  </metadata>""" in domain.format()
    assert domain.metadata("urn:x") == '<a b="c">t<d/></a>'
    domain.set_metadata("urn:x", "p", "<z/>")
    assert domain.metadata("urn:x") == "<z/>"
    for uri in ("urn:x", "urn:y", "urn:nothing"):
        domain.set_metadata(uri, "p", None)
    assert domain.format() == before
    with pytest.raises(VirtError, match="Requested metadata element is not present") as caught:
        domain.metadata("urn:x")
    assert caught.value.code == ErrorCode.NO_DOMAIN_METADATA


def test_memory_and_vcpus_stay_within_their_limits(domain: DomainDocument) -> None:
    domain.max_memory = 100
    domain.memory = 60
    domain.vcpus = 3
    assert (domain.memory, domain.vcpus) == (60, 3)
    domain.max_memory, domain.max_vcpus = 50, 2
    assert (domain.memory, domain.vcpus, domain.max_vcpus) == (50, 2, 2)
    assert DomainDocument(domain.format()).format() == domain.format()


def test_another_drivers_host_fills_in_its_own() -> None:
    devices = "<devices><interface type='user'/></devices></domain>"
    text = DOMAIN.replace("</domain>", devices)
    assert "testnet0" in DomainDocument(text).format()
    other = DomainDocument(text, Host("x86_64"))
    assert "arch='x86_64'" in other.copy().format()
    assert "testnet" not in other.format()


def test_another_programs_elements_keep_the_declaration_of_their_prefix() -> None:
    inner = "<q:commandline><q:arg value='-S'/></q:commandline></domain>"
    text = DOMAIN.replace("type='test'", "type='test' xmlns:q='urn:q' xmlns:unused='urn:u'").replace("</domain>", inner)
    formatted = DomainDocument(text).format()
    assert formatted.startswith("<domain type='test' xmlns:q='urn:q'>")
    assert "  <q:commandline>\n    <q:arg value='-S'/>\n  </q:commandline>\n" in formatted
    assert DomainDocument(formatted).format() == formatted


def test_an_attribute_that_nobody_knows_stands_behind_what_is_filled_in() -> None:
    text = "<domain type='test'><name>n</name><memory type=''>1</memory><os><type>hvm</type></os></domain>"
    once = DomainDocument(text).format()
    assert "<memory unit='KiB' type=''>1</memory>" in once
    assert DomainDocument(once).format() == once
