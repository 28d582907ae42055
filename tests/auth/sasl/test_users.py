# SPDX-License-Identifier: LGPL-2.1-or-later
"""The database of users: whole or unchanged, never readable for others, and of use to libsasl2."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from virtproxy.auth.sasl.config import config_file, database_file
from virtproxy.auth.sasl.users import User, UserError, Users

pytestmark = pytest.mark.programs("saslpasswd2", "sasldblistusers2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database will be."""
    return tmp_path / "sasldb2"


def test_add_change_remove(file: Path) -> None:
    users = Users(file)
    assert users.everybody() == []
    joe = users.add("joe", "secret")
    assert (joe.name, users.everybody()) == ("joe", [joe])
    assert joe.realm.partition(".")[0] == socket.gethostname().partition(".")[0]
    there = Users(file, "there").add("joe", "other")
    assert there == User("joe", "there")
    assert users.everybody() == sorted([joe, there])
    assert b"secret" in file.read_bytes()
    Users(file, joe.realm).set_password("joe", "changed")
    assert b"changed" in file.read_bytes()
    Users(file, "there").remove("joe")
    users.remove("joe")
    assert users.everybody() == []


@pytest.mark.parametrize("name", ["joe smith", "--help", "-d", "Jürgen", "j'oe\"$(id)", "j:o:e"])
def test_odd_names(file: Path, name: str) -> None:
    users = Users(file)
    assert users.add(name, "pä ss").name == name
    users.set_password(name, "-x")
    users.remove(name)


@pytest.mark.parametrize("name", ["", " joe", "joe@realm", "j\noe", "j\0oe", "j" * 257])
def test_names_that_cannot_be(file: Path, name: str) -> None:
    with pytest.raises(UserError, match="a user's name is one line without @"):
        Users(file).add(name, "secret")
    assert not file.exists()


@pytest.mark.parametrize("password", ["", "a\nb", "a\0b", "a" * 1025])
def test_passwords_that_cannot_be(file: Path, password: str) -> None:
    with pytest.raises(UserError, match="a password"):
        Users(file).add("joe", password)
    assert not file.exists()


def test_refusals_change_nothing(file: Path) -> None:
    users = Users(file, "here")
    users.add("joe", "secret")
    before = file.read_bytes()
    with pytest.raises(UserError, match=r'there is a user "joe" in .*: virtproxy user passwd joe sets the password'):
        users.add("joe", "another")
    with pytest.raises(UserError, match='there is no user "jim"'):
        users.set_password("jim", "x")
    with pytest.raises(UserError, match='there is no user "jim"'):
        users.remove("jim")
    with pytest.raises(UserError, match=r'"joe" is a user of here in .*: say which with --realm'):
        Users(file, "there").remove("joe")
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


def test_it_is_for_its_owner_and_stays_as_it_was(file: Path) -> None:
    users = Users(file)
    users.add("joe", "secret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    users.add("ann", "secret")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.root
def test_the_group_keeps_its_access(file: Path) -> None:
    users = Users(file)
    users.add("joe", "secret")
    os.chown(file, 0, 1234)
    users.set_password("joe", "other")
    assert (file.stat().st_uid, file.stat().st_gid) == (0, 1234)


def test_changes_at_once_are_all_there(file: Path) -> None:
    threads = [threading.Thread(target=Users(file).add, args=(f"user{number}", "secret")) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [user.name for user in Users(file).everybody()] == [f"user{number}" for number in range(6)]


def test_without_the_programs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(UserError, match=r"the program saslpasswd2 is not installed \(Debian: apt install sasl2-bin\)"):
        Users(file).add("joe", "secret")


def test_a_password_is_in_no_argument(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = subprocess.run

    def run(command: list[str], **named: object) -> object:
        seen.extend(map(str, command))
        return real(command, **named)  # type: ignore[call-overload]  # whatever it was called with

    monkeypatch.setattr(subprocess, "run", run)
    Users(file).add("joe", "tellnobody")
    assert "saslpasswd2" in seen[0]
    assert not [argument for argument in seen if "tellnobody" in argument]


def test_where_libvirt_conf_says(tmp_path: Path) -> None:
    environ = {"SASL_CONF_PATH": f"{tmp_path}/none:{tmp_path}"}
    assert config_file(environ) == f"{tmp_path}/none/libvirt.conf"
    assert database_file(environ) == "/etc/sasldb2"
    (tmp_path / "libvirt.conf").write_text("# sasldb_path: /no\nmech_list: x\n  sasldb_path:  /var/lib/users db \n")
    assert config_file(environ) == f"{tmp_path}/libvirt.conf"
    assert database_file(environ) == "/var/lib/users db"
    assert config_file({}).startswith("/etc/sasl2/")
