# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks, interfaces and devices: what libvirt makes of a document, and what we do, good and bad ones.

samples/*.txt have a document after each title. What libvirt writes we read and write again unchanged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import client_environment, fetched_tree
from virtproxy.documents import interface, network, nodedev
from virtproxy.errors import VirtError

HERE = Path(__file__).parent
PARSERS: dict[str, Callable[[str], Any]] = {
    "network": network.parse,
    "interface": interface.parse,
    "nodedev": nodedev.parse,
}
KEPT = "what libvirt does not know, or does not read back, is kept"
SAID = "an error, where libvirt fails without one"
RANDOM = "a random UUID"
OTHER = "libvirt cannot read what its own device driver writes"
DIFFERENCES = {
    "network": {"full": KEPT, "unk": KEPT, "noUuid": RANDOM},
    "interface": {"unk": KEPT, "mtu": SAID},
    "nodedev": {
        "pci": KEPT, "pci-bad-vendor": KEPT, "pci-bad-product": KEPT, "storage": KEPT, "storage-bad-block": KEPT,
        "mdev2": KEPT, "ccw": KEPT, "css": KEPT, "scsi_host": "the number of virtual ports is as it was written",
        "scsi_generic": OTHER, "vdpa": OTHER,
    },
}  # fmt: skip


def samples(kind: str) -> dict[str, str]:
    """The documents of one kind by their titles."""
    parts = (HERE / "samples" / f"{kind}.txt").read_text().removeprefix("# ").split("\n# ")
    return {title: xml.rstrip("\n") for title, _, xml in (part.partition("\n") for part in parts)}


def theirs(kind: str, place: Path) -> dict[str, Any]:
    """What libvirt 11.3 makes of them."""
    command = ["/usr/bin/python3", str(HERE / "define_script.py"), kind, str(place)]
    environment = {**os.environ, "LIBVIRT_LOG_OUTPUTS": "3:file:/dev/null", **client_environment(fetched_tree())}
    ended = subprocess.run(
        command, input=json.dumps(samples(kind)), capture_output=True, text=True, check=True, env=environment
    )
    answers: dict[str, Any] = json.loads(ended.stdout)
    return answers


def made(kind: str, xml: str) -> Any:
    """What we make of one."""
    try:
        document = PARSERS[kind](xml)
    except VirtError as error:
        rest = (error.level, error.str1, error.str2, error.str3, error.int1, error.int2)
        return [error.code, error.domain, error.message, *rest]
    return document.format()


@pytest.mark.conformance
@pytest.mark.programs("virsh")
@pytest.mark.parametrize("kind", PARSERS)
def test_documents_and_errors_are_libvirts(kind: str, tmp_path: Path) -> None:
    answers = theirs(kind, tmp_path)
    differing = {name: made(kind, xml) for name, xml in samples(kind).items() if made(kind, xml) != answers[name]}
    print(f"{kind}: {len(answers)} documents, {len(differing)} differ", file=sys.stderr)
    shown = "\n".join(f"{name}\n{answers[name]}\n{ours}" for name, ours in differing.items())
    assert set(differing) == set(DIFFERENCES[kind]), shown
    for name, answer in answers.items():
        if isinstance(answer, str):
            assert made(kind, answer) == answer, name


@pytest.mark.parametrize("kind", PARSERS)
def test_what_we_write_we_read_the_same(kind: str) -> None:
    good = [text for xml in samples(kind).values() if isinstance(text := made(kind, xml), str)]
    assert len(good) > 20
    assert [made(kind, text) for text in good] == good


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a [<!ENTITY b 'c'>]><{0}>&b;</{0}>", "<{0}>" * 500, "<{0}", "", "<{0}>\x00</{0}>", "<x/>",
        "<{0} a='1' a='2'/>", "<?xml version='1.0' encoding='zz'?><{0}/>",
    ],
)  # fmt: skip
def test_hostile_documents_are_refused(kind: str, text: str) -> None:
    root = "device" if kind == "nodedev" else kind
    with pytest.raises(VirtError):
        PARSERS[kind](text.replace("{0}", root))


def test_a_document_is_copied_whole() -> None:
    xml = samples("network")["full"]
    document = network.parse(xml)
    twin = document.copy()
    twin.root.child("name").set_text("other")
    assert document.format() != twin.format()
    assert (document.mode, document.bridge, len(document.addresses)) == ("nat", "virbr9", 2)


@pytest.mark.parametrize("number", ["9" * 5000, "08", "-1", "1e3"])
def test_odd_numbers_are_read_or_refused(number: str) -> None:
    for inside in (
        f"<forward mode='hostdev'><address type='pci' domain='{number}'/></forward>", f"<mtu size='{number}'/>",
        f"<vlan><tag id='{number}'/></vlan>", f"<bridge name='b' delay='{number}'/>",
        f"<ip address='1.2.3.4' prefix='{number}'/>", f"<bandwidth><inbound average='{number}'/></bandwidth>",
    ):  # fmt: skip
        answer = made("network", f"<network><name>n</name>{inside}</network>")
        assert isinstance(answer, list) or "<name>n</name>" in answer
