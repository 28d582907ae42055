# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every document that libvirt's QEMU driver writes is read and written here as that driver itself would again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.documents.domain.fragments import documents
from tests.support.lab import INSIDE, fetched_tree, lab
from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.domain.layout import Host

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(120)]


def test_what_the_qemu_driver_writes_comes_back_as_it_writes_it_again() -> None:
    asked = [text.replace("type='test'", "type='qemu'") for text in documents().values()]
    with lab(fetched_tree()) as made:
        made.libvirtd()
        made.write("asked.json", json.dumps(asked))
        made.run(
            "/usr/bin/python3",
            Path(__file__).with_name("qemu_script.py"),
            INSIDE / "asked.json",
            INSIDE / "kept.json",
            timeout=100,
        )
        pairs = json.loads((made.directory / "kept.json").read_text())
    kept = [(once, again) for once, again in pairs if once is not None]
    assert len(kept) > 100
    wrong = [once for once, again in kept if DomainDocument(once, host=Host()).format() not in (once, again)]
    assert not wrong, f"{len(wrong)} of {len(kept)}: {wrong[0]}"
