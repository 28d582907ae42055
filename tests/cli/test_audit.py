# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy audit``: verify, show, follow, digest."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.access.audit.conftest import KEY, Log
from virtproxy.access.audit import files
from virtproxy.access.audit.recorder import Rotation
from virtproxy.access.audit.text import members_of, stamp
from virtproxy.cli.audit import followed
from virtproxy.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log of three users' calls, over several files."""
    made = Log(tmp_path / "audit.jsonl")
    made.rotation = Rotation(size=3000)
    recorder = made.start()
    recorder.event("start", ("pid", 1))
    for number in range(12):
        made.now += 3600
        denied = number % 4 == 3
        members = members_of(
            (
                ("time", stamp(made.now)),
                ("event", "call"),
                ("client", number % 3),
                ("subject", {"user": ("fred", "joe", "amy")[number % 3], "uid": 1000 + number % 3}),
                ("address", "10.0.0.1"),
                ("procedure", ("DOMAIN_GET_INFO", "DOMAIN_DESTROY")[denied]),
                ("objects", [{"kind": "domain", "name": f"web{number}\x1b[2J", "uuid": f"u-{number}"}]),
                ("decision", "denied" if denied else None),
                ("result", "error" if denied else "ok"),
                ("error", {"code": 88, "message": "access denied"} if denied else None),
            )
        )
        recorder.record(members)
    recorder.event("gap", ("reason", "full"), ("lost", 1), ("refused", 2))
    made.kill(recorder)
    return made


def run(capsys: Capture, *words: str) -> tuple[int, str]:
    status = main(["audit", *words])
    said = capsys.readouterr()
    return status, said.out + said.err


def test_verify_says_that_it_holds(log: Log, capsys: Capture) -> None:
    status, said = run(capsys, "verify", log.path)
    assert status == 0
    assert "ok: the chain holds: " in said and "note: " in said and "1 lost, 2 refused" in said
    assert run(capsys, "verify", str(Path(log.path).parent))[0] == 0
    status, said = run(capsys, "verify", "--json", log.path)
    assert json.loads(said)["ok"] is True


def test_verify_says_where_it_is_broken(log: Log, capsys: Capture) -> None:
    path = Path(log.path)
    path.write_bytes(path.read_bytes().replace(b"fred", b"joe", 1).replace(b"amy", b"fred", 1))
    status, said = run(capsys, "verify", log.path)
    assert status == 2 and f"BROKEN: {log.path}:" in said and "was changed" in said
    status, said = run(capsys, "verify", "--json", log.path)
    assert status == 2 and json.loads(said)["ok"] is False


def test_a_rotation_while_it_is_verified_is_no_break(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path / "audit.jsonl")
    recorder = log.start()
    recorder.event("one")
    opened, rotations = files.opened, [1]

    def rotating(path: str) -> Any:
        # After the files were listed and before they are read.
        if rotations and sys._getframe(1).f_code.co_name == "_file":
            rotations.pop()
            recorder.event("two")
            os.close(recorder.log.rotate()[0])
        return opened(path)

    monkeypatch.setattr(files, "opened", rotating)
    status, said = run(capsys, "verify", log.path)
    log.close()
    assert (status, rotations) == (0, [])
    assert "3 lines in 2 files" in said


def test_verify_with_a_key_and_anchors(log: Log, capsys: Capture, tmp_path: Path) -> None:
    other = Log(tmp_path / "keyed.jsonl")
    other.key = KEY
    recorder = other.start()
    recorder.event("start")
    anchor = f"1:{recorder.log.link}"
    other.kill(recorder)
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    assert run(capsys, "verify", other.path, "--key", str(key), "--anchor", anchor)[0] == 0
    journal = tmp_path / "journal"
    journal.write_text(f"Nov 25 host virtproxyd[1]: audit anchor {anchor}\nNov 25 host virtproxyd[1]: else\n")
    assert "1 anchors hold" in run(capsys, "verify", other.path, "--anchors", str(journal))[1]
    journal.write_text(f"audit anchor 9:{'0' * 64}\n")
    status, said = run(capsys, "verify", other.path, "--anchors", str(journal))
    assert status == 2 and "an anchor names line 9" in said
    key.write_bytes(b"x" * 32)
    assert run(capsys, "verify", other.path, "--key", str(key))[0] == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["verify", "/nonexistent.jsonl"], "/nonexistent.jsonl: there is no such file"),
        (["verify", "{dir}/empty"], "there is no audit log in"),
        (["verify", "{log}", "--anchor", "1:x"], '"1:x" is no anchor'),
        (["verify", "{log}", "--key", "/nonexistent"], "the audit's key /nonexistent cannot be read"),
        (["follow", "{dir}"], "follow one log"),
        (["follow", "/nonexistent"], "/nonexistent: No such file"),
        (["digest", "{log}"], "does not parse as an XML document"),
    ],
)
def test_mistakes_are_said(log: Log, capsys: Capture, words: list[str], expected: str) -> None:
    directory = Path(log.path).parent
    (directory / "empty").mkdir()
    status, said = run(capsys, *(word.replace("{log}", log.path).replace("{dir}", str(directory)) for word in words))
    assert status == 1 and said.startswith("virtproxy audit: ") and said.count("\n") == 1
    assert expected in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], range(12)),
        (["--subject", "fred"], range(0, 12, 3)),
        (["--subject", "uid:1001"], range(1, 12, 3)),
        (["--subject", "10.0.0.*"], range(12)),
        (["--subject", "nobody"], []),
        (["--object", "web3*"], [3]),
        (["--object", "domain:web3*"], [3]),
        (["--object", "network:web3*"], []),
        (["--object", "u-11"], [11]),
        (["--procedure", "domain_destroy"], [3, 7, 11]),
        (["--procedure", "DOMAIN_*"], range(12)),
        (["--denied"], [3, 7, 11]),
        (["--errors", "--subject", "fred"], [3]),
        (["--client", "2"], range(2, 12, 3)),
        (["--event", "login"], []),
        (["--since", "2023-11-15T00:00"], range(1, 12)),
        (["--until", "2023-11-15T00:00"], [0]),
        (["--since", "2023-11-15T02:00+01:00", "--until", "2023-11-15T02:30"], [2, 3]),
        (["--since", "1h"], []),
    ],
)
def test_show_chooses(log: Log, capsys: Capture, words: list[str], expected: range | list[int]) -> None:
    status, said = run(capsys, "show", log.path, "--json", *words)
    records = [json.loads(line) for line in said.splitlines()]
    assert status == 0
    assert [int(r["objects"][0]["uuid"][2:]) for r in records if r["event"] == "call"] == list(expected)


def test_show_is_a_table_that_drives_no_terminal(log: Log, capsys: Capture) -> None:
    status, said = run(capsys, "show", log.path)
    assert status == 0 and "\x1b" not in said
    assert "      0  fred              DOMAIN_DESTROY web3?[2J  DENIED access denied\n" in said


@pytest.mark.parametrize("words", [["--since", "yesterday"], ["--until", "99999999999d"], ["--client", "x"]])
def test_a_filter_that_is_none(log: Log, words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["audit", "show", log.path, *words])
    assert ended.value.code == 2
    assert "error: argument" in capsys.readouterr().err


def test_follow_goes_over_rotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path / "audit.jsonl")
    log.rotation = Rotation(size=700)
    recorder = log.start()
    recorder.event("before", ("number", -1))
    steps = iter(range(40))

    def meanwhile(seconds: float) -> None:
        for _ in range(3):
            recorder.event("test", ("number", next(steps)))

    monkeypatch.setattr("virtproxy.cli.audit.time.sleep", meanwhile)
    seen: list[int] = []
    with pytest.raises(RuntimeError):  # steps has no more
        for line in followed(log.path, 1):
            record = json.loads(line)
            if "number" in record:
                seen.append(record["number"])
    log.close()
    assert seen[:37] == list(range(-1, 36))


def test_digest(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "<domain><name>a</name></domain>"
    path = tmp_path / "a.xml"
    path.write_text(text)
    assert run(capsys, "digest", str(path)) == (0, hashlib.sha256(text.encode()).hexdigest() + "\n")
    path.write_text("<domain><graphics passwd='hush'/></domain>")
    status, said = run(capsys, "digest", str(path))
    assert status == 0 and said.endswith("  (1 secrets masked)\n")


def test_a_log_that_is_being_written_can_be_shown(log: Log, capsys: Capture) -> None:
    with open(log.path, "ab") as file:
        file.write(b'{"prev":"12')
    assert run(capsys, "show", log.path)[0] == 0
    assert run(capsys, "verify", log.path)[0] == 0
    assert io.StringIO(run(capsys, "show", log.path, "--event", "gap")[1]).readline().endswith("reason=full\n")
    assert os.path.exists(log.path)
