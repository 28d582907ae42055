# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents against libvirt's schemas: the verdicts and words of virsh's --validate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from virtproxy.documents.validate import COMPLAINTS_MAX, validate
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

DOMAIN = "<domain type='test'><name>a</name><memory>1</memory><os><type>hvm</type></os>{}</domain>"
NETWORK = "<network><name>a</name>{}</network>"


@pytest.mark.parametrize(("schema", "text"), [("domain", DOMAIN.format("")), ("network", NETWORK.format(""))])
def test_what_is_sound_passes(schema: str, text: str) -> None:
    validate(text, schema)


@pytest.mark.programs("virsh")
@pytest.mark.parametrize(
    ("command", "schema", "text"),
    [
        ("define", "domain", DOMAIN.format("<bogus/>")),
        ("define", "domain", DOMAIN.replace(">1<", ">1x<").format("")),
        ("net-define", "network", NETWORK.format("<bogus/>")),
        ("pool-define", "storagepool", "<pool type='dir'><name>a</name></pool>"),
    ],
)
def test_the_verdict_has_the_words_of_virsh(command: str, schema: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "document.xml"
    file.write_text(text)
    done = subprocess.run(
        ["virsh", "-c", "test:///default", command, "--validate", str(file)], capture_output=True, text=True
    )
    with pytest.raises(VirtError) as caught:
        validate(text, schema)
    assert caught.value.code == ErrorCode.XML_INVALID_SCHEMA and caught.value.domain == ErrorDomain.XML
    said = done.stderr.partition("\nerror: ")[2]
    assert str(caught.value.message).strip() == said.strip() != ""


def test_hostile_documents_are_refused_within_limits() -> None:
    with pytest.raises(VirtError) as caught:
        validate("<domain>" + "<x/>" * 10000 + "</domain>", "domain")
    assert str(caught.value.message).count("\n") <= COMPLAINTS_MAX + 2
    for text in (
        "<a>" * 100_000,
        "",
        "<a",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><domain>&x;</domain>',
    ):
        with pytest.raises(VirtError) as caught:
            validate(text, "domain")
        assert "root:" not in str(caught.value.message)


def test_who_cannot_check_says_so(tmp_path: Path) -> None:
    with pytest.raises(VirtError, match=f"needs the schema {tmp_path}/domain.rng, which Debian's libvirt0 has"):
        validate(DOMAIN.format(""), "domain", directory=str(tmp_path))
    (tmp_path / "domain.rng").write_text("<nonsense/>")
    with pytest.raises(VirtError, match="cannot use the schema"):
        validate(DOMAIN.format(""), "domain", directory=str(tmp_path))
    program = (
        "import sys; sys.modules['lxml'] = None\n"
        "from virtproxy.documents.validate import validate\n"
        "try: validate('<a/>', 'domain')\nexcept Exception as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert "pip install 'virtproxy[validate]' or Debian's python3-lxml" in said
