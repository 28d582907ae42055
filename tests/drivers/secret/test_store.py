# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets on disk: what is read, what is left alone, keys that change or are wrong, and ends in the middle."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from tests.drivers.secret.conftest import UUID, Start, document
from tests.support.daemon_process import ROOT
from tests.support.toy import error_of, result_of
from virtproxy.driver import ErrorCode, Place, remote
from virtproxy.drivers.secret import SecretDriver

SCRIPT = Path(__file__).with_name("crash_script.py")
OTHER = "22222222-2222-3333-4444-555555555555"
# What may be found when a change was cut off: as before it, or as after it.
STATES = {
    "define": {"nothing", "new None"},
    "define with a value": {"nothing", "new b'new'"},
    "redefine": {"old b'old'", "new b'old'"},
    "set": {"old b'old'", "old b'new'"},
    "set encrypted": {"old b'old'", "old b'new'"},
    "undefine": {"old b'old'", "nothing"},
}


def test_an_end_at_any_moment_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=25, env=environment)
    found = defaultdict(list)
    for line in done.stdout.splitlines():
        name, _, state = line.split("|")
        found[name].append(state)
    assert {name: set(states) for name, states in found.items()} == STATES
    for name, states in found.items():
        assert len(states) > 3, name
        changes = sum(1 for before, after in pairwise(states) if before != after)
        assert changes == 1, f"{name}: {states}"


def write(directory: Path, name: str, text: str) -> None:
    """One file of a host."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)


def test_what_cannot_be_read_keeps_nothing_else_away(secrets: Path, start: Start) -> None:
    write(secrets, f"{OTHER}.xml", document())
    write(secrets, "broken.xml", "<secret")
    write(secrets, "33333333-2222-3333-4444-555555555555.xml", document(usage="c"))
    write(secrets, "44444444-2222-3333-4444-555555555555.xml", document("44444444222233334444555555555555", "c"))
    write(secrets, "55555555-2222-3333-4444-555555555555.xml", document("55555555222233334444555555555555", "c"))
    write(
        secrets, "66666666-2222-3333-4444-555555555555.xml", document("66666666222233334444555555555555", "x" * 300000)
    )
    write(secrets, "77777777-2222-3333-4444-555555555555.base64", "eA==")
    write(secrets, f"{UUID}.xml", document())
    write(secrets, f"{UUID}.base64", "aGVs\nbG8=\n")
    (secrets / "88888888-2222-3333-4444-555555555555.xml").mkdir()
    before = sorted(path.name for path in secrets.iterdir())
    client = start()
    assert [uuid[:8] for uuid in client.uuids()] == ["11111111", "44444444"]
    assert client.value(client.define(document())) == b"hello"
    assert sorted(path.name for path in secrets.iterdir()) == before


def test_a_value_that_is_no_base64_is_kept_and_said_to_be_bad(secrets: Path, start: Start) -> None:
    write(secrets, f"{UUID}.xml", document())
    write(secrets, f"{UUID}.base64", "!!")
    client = start()
    secret = client.define(document(description="new"))
    error = error_of(client, remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(secret=secret, flags=0))
    assert error.message == f"operation failed: the value of secret '{UUID}' cannot be used: it is not base64"
    assert (secrets / f"{UUID}.base64").read_text() == "!!"
    client.set_value(secret, b"new")
    assert start().value(secret) == b"new"


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    """Two keys."""
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * 32)
        (tmp_path / name).chmod(0o600)
    return [str(tmp_path / name) for name in "ab"]


def names(secrets: Path) -> list[str]:
    """The endings of the files there."""
    return sorted(path.suffix for path in secrets.iterdir())


def test_a_value_is_encrypted_once_there_is_a_key_and_plain_again_without(
    secrets: Path, start: Start, keys: list[str]
) -> None:
    client = start()
    secret = client.define(document())
    client.set_value(secret, b"plain")
    client = start({"secrets_encryption_key": keys[0]})
    assert client.value(secret) == b"plain"
    assert names(secrets) == [".base64", ".xml"]
    client.set_value(secret, b"sesame")
    assert names(secrets) == [".aes256cbc", ".xml"]
    content = (secrets / f"{UUID}.aes256cbc").read_bytes()
    assert b"c2VzYW1l" not in content
    assert (secrets / f"{UUID}.aes256cbc").stat().st_mode & 0o777 == 0o600
    client = start({"secrets_encryption_key": keys[0], "encrypt_data": 0})
    assert client.value(secret) == b"sesame"
    client.set_value(secret, b"open")
    assert names(secrets) == [".base64", ".xml"]
    assert start().value(secret) == b"open"


@pytest.mark.parametrize("wrong", [{}, {"secrets_encryption_key": 1}])
def test_a_wrong_key_or_none_is_said_and_destroys_nothing(
    secrets: Path, start: Start, keys: list[str], wrong: dict[str, int]
) -> None:
    client = start({"secrets_encryption_key": keys[0]})
    secret = client.define(document(usage="c"))
    client.set_value(secret, b"sesame")
    file = secrets / f"{UUID}.aes256cbc"
    content = file.read_bytes()
    client = start({name: keys[number] for name, number in wrong.items()})
    why = "the key is another one, or the file was changed" if wrong else "no secrets_encryption_key is set"
    error = error_of(client, remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(secret=secret, flags=0))
    assert error.code == ErrorCode.OPERATION_FAILED
    assert error.message == f"operation failed: the value of secret '{UUID}' cannot be used: {why}"
    client.define(document(usage="c", description="another"))
    gone = remote.SecretDefineXmlArgs(xml=document(usage="c", attributes="ephemeral='yes'"), flags=0)
    assert error_of(client, remote.SECRET_DEFINE_XML, gone).code == ErrorCode.OPERATION_FAILED
    assert file.read_bytes() == content
    assert start({"secrets_encryption_key": keys[0]}).value(secret) == b"sesame"


def test_a_new_key_takes_over_from_a_former_one(secrets: Path, start: Start, keys: list[str]) -> None:
    client = start({"secrets_encryption_key": keys[0]})
    secret = client.define(document())
    client.set_value(secret, b"sesame")
    old = (secrets / f"{UUID}.aes256cbc").read_bytes()
    assert start({"secrets_encryption_key": keys[1], "secrets_former_keys": [keys[0]]}).value(secret) == b"sesame"
    assert (secrets / f"{UUID}.aes256cbc").read_bytes() != old
    assert start({"secrets_encryption_key": keys[1]}).value(secret) == b"sesame"


def test_a_driver_whose_key_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    driver = SecretDriver(Place.under(tmp_path, settings={"secrets_encryption_key": str(tmp_path / "none")}))
    with pytest.raises(ValueError, match="cannot be read: No such file or directory"):
        result_of(driver.start())
