# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS 1.3: offered where OpenSSL is told to send no session tickets, which would puzzle libvirt's client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.auth.conftest import CLIENTS

ROOT = Path(__file__).parents[2]
WITHOUT_TICKETS = """\
openssl_conf = start
[start]
ssl_conf = ssl
[ssl]
system_default = everyone
[everyone]
NumTickets = 0
"""


def knock(pki: Path, configuration: Path, *stems: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENSSL_CONF": str(configuration)}
    command = [sys.executable, "-m", "tests.support.tls_1_3", str(pki), *stems]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=25)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def without_tickets(tmp_path: Path) -> Path:
    path = tmp_path / "openssl.cnf"
    path.write_text(WITHOUT_TICKETS)
    return path


def test_the_verdicts_are_the_same(pki: Path, without_tickets: Path) -> None:
    stems = [*CLIENTS, "other"]
    answer = knock(pki, without_tickets, *stems)
    assert answer["accepted"] == [stem in {"good", "plain"} for stem in stems]
    refused = [line for line in answer["log"] if "refused" in line]
    assert len(refused) == len(stems) - 2
    assert all(f"CN={stem}" in "".join(refused) for stem in stems if stem not in {"good", "plain"})


def test_it_is_not_offered_with_tickets(pki: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.cnf").write_text("")
    answer = knock(pki, tmp_path / "plain.cnf", "good")
    assert answer["accepted"] == [False]
    assert "the handshake failed: unsupported protocol" in "".join(answer["log"])
