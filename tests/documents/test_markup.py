# SPDX-License-Identifier: LGPL-2.1-or-later
"""XML text to a tree and back: what survives, and what is refused."""

from __future__ import annotations

import pytest

from virtproxy.documents.markup import DEPTH_MAX, format_document, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode


@pytest.mark.parametrize(
    "text",
    [
        "<a/>\n",
        "<a b='&lt;&apos;&amp;'/>\n",
        "<a>\n  <b>text &amp; more</b>\n  <c:d xmlns:c='urn:x'/>\n</a>\n",
        '<domain>\n  <metadata>\n    <x:y xmlns:x="urn:x"> as  it was </x:y>\n  </metadata>\n</domain>\n',
    ],
)
def test_what_libvirt_prints_comes_back_as_it_was(text: str) -> None:
    assert format_document(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Document is empty"),
        ("<a>", "at line 1"),
        ("<a>\n</b>", "at line 2"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "a document type declaration is not accepted"),
        ("<a>" * (DEPTH_MAX + 1), f"elements are nested deeper than {DEPTH_MAX}"),
        ("<a b='1' b='2'/>", "duplicate attribute"),
    ],
)
def test_what_is_refused_is_located(text: str, reason: str) -> None:
    with pytest.raises(VirtError, match=reason) as caught:
        parse(text)
    assert caught.value.code == ErrorCode.XML_DETAIL
