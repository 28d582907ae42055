# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy policy`: what it prints, and with which status it ends."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from virtproxy.access.policy.document import compile_policy
from virtproxy.cli import policy_explain
from virtproxy.cli.main import main
from virtproxy.cli.policy_template import TEMPLATE
from virtproxy.cli.virsh_commands import COMMANDS
from virtproxy.protocol import programs

ROOT = Path(__file__).parents[2]
TEXT = """\
[subjects.ops]
group = "ops"
[[grant]]
to = "user:root"
roles = "admin"
[[grant]]
to = "ops"
roles = "operator"
on = ["domain:web*", { pool = "web" }]
[[grant]]
to = ["user:alice", "realm:EXAMPLE.COM"]
roles = "owner"
[[deny]]
to = "everyone"
except = "user:root"
permissions = "domain:delete"
on = "domain:prod-*"
[[documents]]
to = "user:alice"
disks = "/srv/**"
[[quota]]
to = "user:alice"
guests = 2
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A policy's file."""
    path = tmp_path / "p.toml"
    path.write_text(TEXT)
    path.chmod(0o644)
    return str(path)


def test_a_good_policy(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", file]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{file}: no errors; it is in force as it stands.")
    for line in (
        "     6  has operator on kind domain, name web*; pool web",
        "    13  never has domain:delete on kind domain, name prod-*",
        "    18  documents may name disks /srv/**",
        "    21  may own 2 guests",
    ):
        assert line in said.splitlines()


def test_a_wrong_policy(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text(TEXT.replace('"operator"', '"operater"').replace("guests = 2", "guest = 2"))
    assert main(["policy", "check", file]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f'{file}:8: error: there is no role "operater"; did you mean operator?'
    assert any(line.startswith(f'{file}:23: error: there is no key "guest" here') for line in said)


def test_warnings_do_not_fail(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text('grant = [{ to = "everyone", roles = "viewer" }]\n')
    assert main(["policy", "check", file]) == 0
    assert f"{file}: warning: nobody is an admin of everything" in capsys.readouterr().out


def test_check_as_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", "--json", file]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["errors"], found["mode"], len(found["rules"])) == ([], "enforce", 6)
    assert found["rules"][0] == {"line": 3, "kind": "grant", "to": "user:root", "what": "has admin"}
    Path(file).write_text("mode = 1\n")
    assert main(["policy", "check", "--json", file]) == 1
    assert json.loads(capsys.readouterr().out)["errors"] == [{"line": 1, "text": "mode must be a string, not 1"}]


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", str(tmp_path / "none")]) == 1
    assert "none: error: cannot be read: No such file or directory" in capsys.readouterr().out
    assert main(["policy", "explain", "--file", str(tmp_path / "none"), "--as", "uid:0", "start"]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("--as user:root virDomainCreate web1", 0, "domain:start: granted by p.toml:3 grant admin to user:root"),
        ("--as group:ops start web1", 0, "* p.toml:6 grant operator to ops: it grants domain:start here"),
        ("--as group:ops start db1", 1, "operator to ops: it is for other things: kind domain, name web*"),
        ("--as group:ops DOMAIN_DESTROY web1", 0, "domain:stop: granted"),
        ("--as group:ops remote_proc_domain_destroy web1", 0, "domain:stop: granted"),
        ("--as group:ops undefine web1", 1, "it lacks domain:delete on domain 'web1'"),
        ("--as group:ops vol-dumpxml web/a.img", 0, "storage_vol:read: granted"),
        ("--as group:ops vol-dumpxml other/a.img", 1, "storage_vol:read on storage vol 'a.img'"),
        ("--as group:ops --uri lxc:///system domain:start web1", 0, "domain:start: granted"),
        ("--as unix:alice start web1", 1, "it counts on things that one owns, and this one belongs to nobody"),
        ("--as unix:alice --owner unix:bob start web1", 1, "this one belongs to unix:bob"),
        ("--as unix:alice --owner self start web1", 0, "domain:start: granted by p.toml:10"),
        ("--as unix:alice --owner self undefine prod-1", 1, "* p.toml:13 deny to everyone except user:root"),
        ("--as unix:alice dumpxml web1", 1, "domain:read_secure (with VIR_DOMAIN_XML_SECURE): refused: no grant"),
        ("--as unix:alice list", 0, "domain:getattr (to be in the answer): refused: no grant"),
        ("--as realm:EXAMPLE.COM --owner self start web1", 0, "domain:start: granted"),
        ("--as sasl:joe@EXAMPLE.COM --owner self start web1", 1, "user:alice is not meant"),
        ("--as sasl:joe@EXAMPLE.COM --mechanism GSSAPI --owner self start web1", 0, "domain:start: granted"),
        ("--as x509:CN=a --as san:DNS:a start web1", 1, "ops is not meant: not group is ops"),
        ("--as unix:alice vol-clone a.img", 1, "storage_vol:data_read on storage vol 'a.img'"),
        ("--as anonymous hostname", 1, "it lacks connect:getattr on connection qemu:///system"),
        ("--as unix:alice disks:/srv/a.img", 0, "disks /srv/a.img: granted by p.toml:18 documents of user:alice"),
        ("--as unix:alice disks:/etc/shadow", 1, "disks /etc/shadow: refused: no documents rule for disks"),
        ("--as unix:root native:qemu:commandline", 0, "granted to an admin of everything"),
        ("--as uid:x start web1", 1, '"uid:x" is no number of a user'),
        ("--as alice start web1", 1, '"alice" names nobody: write KIND:VALUE'),
        ("--as uid:0 strat web1", 1, 'no procedure, function or command "strat"; did you mean start?'),
        ("--as uid:0 domain:strat web1", 1, 'there is no permission "domain:strat"'),
        ("--as uid:0 AUTH_LIST", 1, "takes no permission"),
    ],
)  # fmt: skip
def test_explanations(file: str, words: str, status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain", "--file", file, *words.split()]) == status
    told = capsys.readouterr()
    assert said in told.out + told.err


def test_an_explanation_as_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain", "--json", "--file", file, "--as", "unix:alice", "destroy", "web1"]) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["granted"] is False
    stop = found["permissions"][-1]
    assert (stop["permission"], stop["missing"]) == ("domain:stop", "domain:stop on domain 'web1'")
    assert [rule["rule"].split()[0] for rule in stop["rules"]] == ["p.toml:3", "p.toml:6", "p.toml:10", "p.toml:13"]


def test_in_report_mode_it_tells_what_would_be_refused(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text(f'mode = "report"\n{TEXT}')
    assert main(["policy", "explain", "--file", file, "--as", "unix:bob", "start", "web1"]) == 1
    assert "is in report mode: what is refused here is only logged" in capsys.readouterr().out


def test_the_file_that_the_daemon_reads(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libvirt").mkdir()
    (tmp_path / "libvirt" / "virtproxyd.conf").write_text(f'policy_file = "{file}"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("virtproxy.access.policy.load.read_file", lambda path, uid: Path(path).read_bytes())
    assert main(["policy", "explain", "--as", "uid:0", "start", "web1"]) == 0


def test_roles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "roles"]) == 0
    said = capsys.readouterr().out
    assert "viewer: sees everything that is no secret, changes nothing" in said
    assert main(["policy", "roles", "--json"]) == 0
    roles = json.loads(capsys.readouterr().out)
    assert roles["owner"]["owned"]
    assert "domain:read_secure" not in roles["operator"]["permissions"]


def test_init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new.toml"
    assert main(["policy", "init", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f'policy_file = "{path}"' in capsys.readouterr().out
    assert main(["policy", "check", str(path)]) == 0
    assert main(["policy", "init", str(path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["policy", "init", str(tmp_path / "no" / "where")]) == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_the_first_policy_is_the_example_and_all_its_examples_are_right() -> None:
    assert (ROOT / "conf" / "policy.toml").read_text() == TEMPLATE
    lines = TEMPLATE.splitlines()
    # A comment that is an example has no space after its sign.
    text = "\n".join(line[1:] if line.startswith("#") and line[1:2] not in ("", " ", "#") else line for line in lines)
    policy = compile_policy("conf/policy.toml", text.encode())
    assert len(policy.rules) > 6
    assert tomllib.loads(text)["quota"]
    assert {problem.text for problem in policy.warnings} == {
        'no rule is for subject "automation"',
        'no rule grants role "backup"',
    }


def test_commands_of_virsh_name_functions_that_there_are() -> None:
    procedures = [procedure for program in programs.BY_NUMBER.values() for procedure in program.procedures.values()]
    known = {procedure.api for procedure in procedures}
    assert not {function for functions in COMMANDS.values() for function in functions} - known
    assert all(policy_explain._needs(command) for command in COMMANDS)
