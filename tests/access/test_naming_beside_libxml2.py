# SPDX-License-Identifier: LGPL-2.1-or-later
"""A document that both parsers accept is called alike by libxml2, which libvirt reads it with, and by ours."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from virtproxy.access.naming import NamingError, naming

# Pieces of documents, some of which two parsers could take differently.
PIECES = [
    "<name>", "</name>", "<name/>", "<uuid>", "</uuid>", "<a>", "</a>", "<name xmlns='urn:x'>", "<x:name>", "</x:name>",
    "a", "b", " ", "\n", "\r\n", "\t", "&amp;", "&#65;", "&#x0;", "&#xd;", "&n;", "<!-- <name>no</name> -->", "<!--",
    "-->",
    "<![CDATA[<name>c</name>]]>", "]]>", "<?name no?>", "\u00e4", "\u2028", "\ufeff", "\x01", "\x85", "<devices>",
    "</devices>", "<name a='1'>", "<name a='1' a='2'>", "<NAME>", "</NAME>", "<name\u00a0>",
]  # fmt: skip
HEADS = [
    "", "<?xml version='1.0'?>", "<?xml version='1.1'?>", "<?xml version='1.0' encoding='UTF-8'?>", " ", "\ufeff",
    "<?xml version='1.0' encoding='latin1'?>", "<!DOCTYPE domain>", "<!DOCTYPE domain [<!ENTITY n 'x'>]>",
    "<?xml version='1.0' standalone='yes'?>", "<!-- -->",
]  # fmt: skip
ROOTS = [("<domain>", "</domain>"), ("<domain xmlns:x='urn:x'>", "</domain>"), ("<domain xmlns='urn:y'>", "</domain>")]


def as_libvirt_reads(document: str) -> str | None:
    """The name that libvirt finds: the text of the first child of that name, outside of any namespace."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    root = etree.fromstring(document.encode(), parser)
    return str(root.xpath("string(./name[1])")) or None


@given(st.sampled_from(HEADS), st.sampled_from(ROOTS), st.lists(st.sampled_from(PIECES), max_size=8))
@settings(max_examples=500, deadline=None, database=None)
def test_both_find_the_same_name(head: str, root: tuple[str, str], pieces: list[str]) -> None:
    document = head + root[0] + "".join(pieces) + root[1]
    try:
        ours = naming("domain", document).name
    except NamingError:
        return
    try:
        theirs = as_libvirt_reads(document)
    except etree.XMLSyntaxError:
        # libvirt will refuse what we took.
        return
    assert ours == theirs
