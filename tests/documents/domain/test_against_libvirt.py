# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain documents beside C libvirt's test driver: the same canonical document, or the same refusal.

The documents are written from libvirt's own schema, so that each of its elements is covered in each of its places, and
by hand. What must differ is listed here and in docs/differences.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from tests.documents.domain.fragments import documents
from tests.documents.domain.schema_samples import Sample, samples
from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element, parse
from virtproxy.errors import VirtError

pytestmark = pytest.mark.conformance

Ask = Callable[[Sequence[str]], list[list[object]]]

# Written by other hypervisors' drivers only: the C test driver drops what has another driver's prefix; we keep it.
FOREIGN = ("qemu:", "lxc:", "bhyve:", "xen:", "vmware:")
# Documents of the schema that differ, by path and variant, with the reason.
DIFFERING = {
    ("os/nvram/source/seclabel/label", 0): "C takes text from anywhere inside for the path",
    **{("os/nvram/source/encryption", at): "C takes white space from anywhere inside for the path" for at in range(5)},
    ("os/nvram/source/seclabel", 2): "C takes text from anywhere inside for the path",
    ("os/nvram/source/seclabel", 1): "a source that says nothing is kept",
    ("os/nvram/source/privateData", 0): "a source that says nothing is kept",
    ("devices/disk", 0): "of two faults, another one is found first",
    ("devices/redirdev/address", 10): "of two faults, another one is found first",
    ("devices/pstore/path", 0): "a store smaller than a KiB is taken",
}
# The same of those written by hand, by how they begin.
DIFFERING_BY_HAND = {
    "<vcpu>0</vcpu>": "C complains of NUMA cells that are not there",
}
MADE_UP = re.compile(r"52:54:00:[0-9a-f:]{8}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Verdict(NamedTuple):
    """What became of a document: a canonical tree, or an error's code and text."""

    code: int
    content: object


def canonical(element: Element) -> object:
    """An element without the accidents of writing it."""
    return element.name, sorted(element.attributes.items()), element.text.strip(), [*map(canonical, element.elements)]


def document(text: str) -> Verdict:
    """A document that was taken."""
    return Verdict(0, canonical(parse(MADE_UP.sub("made up", text))))


def ours(text: str) -> Verdict:
    """What we make of a document."""
    try:
        return document(DomainDocument(text).format())
    except VirtError as error:
        return Verdict(error.code, error.message)


def theirs(answer: list[object]) -> Verdict:
    """What libvirt made of it."""
    if answer[0] == "ok":
        return document(str(answer[1]))
    return Verdict(int(str(answer[1])), answer[3])


def agree(mine: Verdict, libvirts: Verdict) -> bool:
    """The same document, or a refusal with the same code."""
    return mine.code == libvirts.code and (mine.code != 0 or mine.content == libvirts.content)


@pytest.fixture(scope="module")
def written(tree: Path) -> list[Sample]:
    """The documents that the schema gives rise to."""
    return list(samples(tree / "usr/share/libvirt/schemas/domain.rng"))


def test_every_element_of_the_schema_is_in_a_document(written: list[Sample], tree: Path) -> None:
    """Every element name that the domain's grammar can lead to is in a document that is written from it."""
    present = {name.rpartition(":")[2] for sample in written for name in names(parse(sample.text))}
    domain_only = ElementTree.parse(tree / "usr/share/libvirt/schemas/domaincommon.rng").getroot()
    declared = {node.attrib["name"] for node in domain_only.iter() if node.tag.endswith("}element") and node.attrib}
    # Not of a domain's document, but of other documents that share the file; and nothing leads to these.
    elsewhere = {"inactiveDomain"}
    assert declared - present == elsewhere
    assert len(present) > 420
    assert len(written) > 2000


def names(element: Element) -> set[str]:
    """The names of an element and of all inside."""
    return {element.name}.union(*(names(child) for child in element.elements))


def test_documents_of_the_schema_come_out_alike(written: list[Sample], oracle: Ask) -> None:
    answers = oracle([sample.text for sample in written])
    differing: dict[tuple[str, int], str] = {}
    for sample, answer in zip(written, answers, strict=True):
        mine, libvirts = ours(sample.text), theirs(answer)
        if not agree(mine, libvirts) and not any(name.startswith(FOREIGN) for name in names(parse(sample.text))):
            differing["/".join(sample.path[1:]), sample.variant] = f"theirs {libvirts}\nours {mine}\nof {sample.text}"
    unexpected = {key: text for key, text in differing.items() if key not in DIFFERING}
    assert not unexpected, "\n".join(f"{key}\n{text}" for key, text in unexpected.items())[:20000]
    assert set(differing) == set(DIFFERING), "listed, and no longer true"


def test_documents_written_by_hand_come_out_alike(oracle: Ask) -> None:
    texts = documents()
    assert len(texts) >= 300
    differing: dict[str, str] = {}
    for (fragment, text), answer in zip(texts.items(), oracle(list(texts.values())), strict=True):
        mine, libvirts = ours(text), theirs(answer)
        if not agree(mine, libvirts):
            differing[fragment] = f"theirs {libvirts}\nours {mine}"
    unexpected = {each: text for each, text in differing.items() if not each.startswith(tuple(DIFFERING_BY_HAND))}
    assert not unexpected, "\n".join(f"{each}\n{text}" for each, text in unexpected.items())[:20000]
    assert len(differing) == len(DIFFERING_BY_HAND), "listed, and no longer true"


def test_what_libvirt_writes_we_write_again(written: list[Sample], oracle: Ask) -> None:
    """Every document that libvirt formats comes back as the same canonical document, most as the same text."""
    texts = [sample.text for sample in written] + list(documents().values())
    formatted = [str(answer[1]) for answer in oracle(texts) if answer[0] == "ok"]
    assert len(formatted) > 2000
    changed = []
    for text, again in zip(formatted, oracle(formatted), strict=True):
        # What C libvirt itself does not take again: a store of variables that has a type and no source.
        if not agree(ours(text), theirs(again)):
            changed.append(text)
    assert not changed, f"{changed[0]}\nours {ours(changed[0])}"
    same = sum(DomainDocument(text).format() == text for text in formatted if ours(text).code == 0)
    assert same / len(formatted) > 0.9
