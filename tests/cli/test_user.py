# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy user``: what it reads, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from virtproxy.cli.main import main

pytestmark = pytest.mark.programs("saslpasswd2", "sasldblistusers2")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard input."""
    stream = io.StringIO("secret\nnot read\n")
    monkeypatch.setattr(sys, "stdin", stream)
    return stream


def test_the_life_of_a_user(tmp_path: Path, given: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    file = ["--file", str(tmp_path / "db")]
    assert main(["user", "add", "joe", "--realm", "here", "--stdin", *file]) == 0
    assert main(["user", "list", "--json", *file]) == 0
    said, shown = capsys.readouterr().out.splitlines()
    assert said == f'  ok  added "joe" of here to {tmp_path}/db'
    assert json.loads(shown) == {"file": f"{tmp_path}/db", "users": [{"name": "joe", "realm": "here"}]}
    assert main(["user", "list", *file]) == 0
    assert capsys.readouterr().out == "joe  here\n"
    assert main(["user", "remove", "joe", "--realm", "here", *file]) == 0
    assert main(["user", "list", *file]) == 0
    assert capsys.readouterr().err == f"nobody: {tmp_path}/db has no user yet\n"


def test_what_is_wrong_is_a_sentence(tmp_path: Path, given: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "passwd", "joe", "--stdin", "--file", f"{tmp_path}/db"]) == 1
    assert main(["user", "add", "joe", "--file", f"{tmp_path}/db"]) == 1
    assert main(["user", "add", "joe", "--stdin", "--file", f"{tmp_path}/none/db"]) == 1
    nobody, no_terminal, no_directory = capsys.readouterr().err.splitlines()
    assert nobody == f'virtproxy user: there is no user "joe" in {tmp_path}/db: virtproxy user list shows who is'
    assert "give it on standard input with --stdin" in no_terminal
    assert no_directory.endswith(f"the directory of {tmp_path}/none/db cannot be opened: No such file or directory")


@pytest.mark.parametrize(("second", "status"), [("secret", 0), ("other", 1)])
def test_a_terminal_is_asked_twice_and_shows_nothing(tmp_path: Path, second: str, status: int) -> None:
    primary, secondary = pty.openpty()
    command = [sys.executable, "-m", "virtproxy.cli.main", "user", "add", "joe", "--file", f"{tmp_path}/db"]
    with subprocess.Popen(
        command, stdin=secondary, stdout=secondary, stderr=secondary, start_new_session=True
    ) as asked:
        os.close(secondary)
        shown = b""
        for answer in ("secret", second):
            while not shown.endswith(b": "):
                shown += os.read(primary, 1024)
            os.write(primary, answer.encode() + b"\n")
            shown += b"\n"
        assert asked.wait(20) == status
    os.close(primary)
    assert b"secret" not in shown
    assert (tmp_path / "db").exists() is (status == 0)
