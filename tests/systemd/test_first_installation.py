# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/first-installation.md says the truth: its commands run on a bare Debian, and print what stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nspawn import Container
from tests.support.walk_through import steps

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "first-installation.md"


def test_every_command_prints_what_the_document_says(bare: Container, debs: dict[str, Path]) -> None:
    bare.sh(f"cp {' '.join(map(str, debs.values()))} /root/")
    walked = steps(DOCUMENT)
    assert len(walked) > 30
    printed = [(step, bare.sh(step.command, seconds=300)) for step in walked]
    wrong = [
        f"# {step.command}prints:\n{text}and not:\n{step.output}" for step, text in printed if not step.matches(text)
    ]
    assert not wrong, "\n".join(wrong)
    assert bare.sh("find /etc /var/lib /var/log /usr/lib /usr/share -name '*virt*proxy*' -not -path '*/dpkg/*'") == ""
