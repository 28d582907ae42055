# SPDX-License-Identifier: LGPL-2.1-or-later
"""C libvirt's own verdict on domain documents, asked once for a whole module."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.lab import client_environment, fetched_tree

Answers = list[list[object]]
_SCRIPT = Path(__file__).with_name("oracle_script.py")


@pytest.fixture(scope="package")
def tree() -> Path:
    """The unpacked libvirt 11.3, with its schemas."""
    return fetched_tree()


@pytest.fixture(scope="package")
def oracle(tree: Path) -> Callable[[Sequence[str]], Answers]:
    """What libvirt's test driver answers for each document; see oracle_script.py."""
    environment = {**os.environ, **client_environment(tree), "LIBVIRT_LOG_OUTPUTS": "3:file:/dev/null"}

    def ask(texts: Sequence[str]) -> Answers:
        command = ["/usr/bin/python3", str(_SCRIPT)]
        ended = subprocess.run(
            command,
            input=json.dumps(list(texts)),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=environment,
        )
        answers = [json.loads(line) for line in ended.stdout.splitlines()]
        assert len(answers) == len(texts)
        return answers

    return ask
