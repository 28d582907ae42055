# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy fake`` as a pipeline runs it: a command against a host, its exit status, and what changes the host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FAKE = [sys.executable, "-m", "virtproxy.cli.main", "fake"]
ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1", "FAKE": " ".join(FAKE)}


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FAKE, *arguments], env={**ENV, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=25
    )


@pytest.mark.programs("virsh")
def test_a_command_finds_the_host_and_its_status_is_passed_on(tmp_path: Path) -> None:
    scenario = tmp_path / "hosts.toml"
    scenario.write_text('[[guests]]\nname = "web-{n}"\ncount = 3\n')
    script = """
        virsh list --name
        $FAKE set calls=virDomainSuspend error=OPERATION_FAILED "message=not today" times=1
        virsh suspend web-2
        $FAKE list
        virsh suspend web-2
        $FAKE reset
        $FAKE list --json
        virsh domstate web-2
        virsh -c "$VIRTPROXY_FAKE_TCP_URI" uri
        exit 7
    """
    ended = run("--scenario", str(scenario), "--tcp", "0", "--", "sh", "-c", script)
    assert ended.returncode == 7
    said = ended.stdout.split("\n")
    assert said[:4] == ["test", "web-1", "web-2", "web-3"]
    assert "virDomainSuspend: fails: operation failed: not today; 1 of 1 calls struck" in said
    assert "Domain 'web-2' suspended" in said
    assert '{"faults": [], "guests": 4}' in said
    assert "running" in said
    assert any(line.startswith("test+tcp://127.0.0.1:") for line in said)
    assert "not today" in ended.stderr


@pytest.mark.parametrize(
    ("command", "status"),
    [("true", 0), ("false", 1), ("no-such-command", 127), ("/dev/null", 126), ("kill -9 $$", 137)],
)
def test_how_a_command_ends(command: str, status: int) -> None:
    words = ["sh", "-c", command] if " " in command else [command]
    ended = run("--", *words)
    assert ended.returncode == status
    assert ("cannot run" in ended.stderr) is (status in (126, 127))


def test_it_stays_until_it_is_told_to_end_and_says_where_it_is() -> None:
    with subprocess.Popen([*FAKE, "--json"], env=ENV, stdout=subprocess.PIPE, text=True) as fake:
        assert fake.stdout is not None
        told = json.loads(fake.stdout.readline())
        assert told["uri"].startswith("test+unix:///default?socket=/")
        assert told["tcp_uri"] is None
        assert json.loads(run("list", "--json", VIRTPROXY_FAKE=told["control"]).stdout) == {"faults": [], "guests": 1}
        fake.send_signal(signal.SIGTERM)
        assert fake.wait(20) == 0
    assert not Path(told["control"]).parent.exists()
    assert not Path(f"/proc/{told['pid']}").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["oops"], "'oops' is none of list, set, clear, reset, save; a command to run is written after --"),
        (["list"], "VIRTPROXY_FAKE does not name a running fake"),
        (["set", "calls"], "'calls' is not KEY=VALUE"),
        (["--scenario", "/nonexistent.toml", "--", "true"], "No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_sentence(words: list[str], says: str) -> None:
    ended = run(*words, **({"VIRTPROXY_FAKE": "/nonexistent"} if words[0] == "set" else {}))
    assert ended.returncode == 1
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_usage() -> None:
    assert run("--tcp", "70000").returncode == 2
    assert "virtproxy fake --scenario hosts.toml" in run("--help").stdout
