# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys: what they make of a value, what they refuse, and which files are one."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.drivers.secret.keys import CREDENTIAL, Key, Keyring, WrongKeyError, keyring, read_key

UUID = bytes(range(16))
KEY, OTHER = Key(b"k" * 32), Key(b"o" * 32)


@given(st.binary(max_size=300))
def test_a_value_comes_back_with_its_key_and_with_no_other(value: bytes) -> None:
    data = KEY.encrypt(UUID, value)
    assert KEY.decrypt(UUID, data) == value
    with pytest.raises(WrongKeyError):
        OTHER.decrypt(UUID, data)
    with pytest.raises(WrongKeyError):
        KEY.decrypt(bytes(16), data)


def openssl(*arguments: str, data: bytes) -> bytes:
    """What AES-256-CBC makes of data, by a program that is not ours."""
    command = ["openssl", "enc", "-aes-256-cbc", *arguments, "-K", KEY.secret.hex()]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True, timeout=20).stdout


@pytest.mark.programs("openssl")
def test_the_format_is_the_vector_and_aes_256_cbc_in_base64() -> None:
    raw = base64.b64decode(KEY.encrypt(UUID, b"hello"))
    assert openssl("-d", "-iv", raw[:16].hex(), data=raw[16:]) == b"hello"
    foreign = base64.b64encode(b"v" * 16 + openssl("-iv", (b"v" * 16).hex(), data=b"hello"))
    assert KEY.decrypt(UUID, foreign) == b"hello"


@pytest.mark.parametrize("position", [0, 15, 16, 31])
def test_a_changed_file_is_noticed(position: int) -> None:
    raw = bytearray(base64.b64decode(KEY.encrypt(UUID, b"hello")))
    raw[position] ^= 1
    with pytest.raises(WrongKeyError):
        KEY.decrypt(UUID, base64.b64encode(raw) + b"\n")


@pytest.mark.parametrize("data", [b"", b"\n", b"AAAA", b"A", base64.b64encode(b"x" * 16), base64.b64encode(b"x" * 40)])
def test_what_was_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(WrongKeyError):
        KEY.decrypt(UUID, data)


def test_nothing_shows_a_key() -> None:
    assert "kkk" not in repr(KEY) + repr(Keyring(KEY, (KEY,)))


def test_a_former_key_opens_what_the_current_one_does_not() -> None:
    data = OTHER.encrypt(UUID, b"v")
    assert Keyring(KEY, (OTHER,)).decrypt(UUID, data) == (b"v", False)
    assert Keyring(OTHER, (KEY,)).decrypt(UUID, data) == (b"v", True)
    with pytest.raises(WrongKeyError, match="no secrets_encryption_key is set"):
        Keyring().decrypt(UUID, data)


def key_file(path: Path, data: bytes = b"k" * 32, mode: int = 0o600) -> str:
    """A file that may be a key."""
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def test_a_key_is_a_private_file_of_32_bytes(tmp_path: Path) -> None:
    assert read_key(key_file(tmp_path / "k")) == KEY
    for data, mode, complaint in (
        (b"k" * 31, 0o600, "must have 32 bytes: make one with"),
        (b"k" * 33, 0o600, "must have 32 bytes"),
        (b"k" * 32, 0o644, "others can read the key .*: chmod 600"),
    ):
        with pytest.raises(ValueError, match=complaint):
            read_key(key_file(tmp_path / "k", data, mode))
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_key(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_key(str(tmp_path))


def test_the_settings_name_the_keys(tmp_path: Path) -> None:
    current, former = key_file(tmp_path / "k"), key_file(tmp_path / "o", b"o" * 32)
    assert keyring({}) == Keyring()
    assert keyring({"secrets_encryption_key": current}) == Keyring(KEY)
    settings = {"secrets_encryption_key": current, "secrets_former_keys": [former]}
    assert keyring(settings) == Keyring(KEY, (OTHER,))
    assert keyring({**settings, "encrypt_data": 0}) == Keyring(None, (KEY, OTHER))
    with pytest.raises(ValueError, match="encrypt_data = 1 needs secrets_encryption_key"):
        keyring({"encrypt_data": 1})


def test_a_credential_of_systemd_is_the_key_where_none_is_set(tmp_path: Path) -> None:
    credential = {"credentials_directory": str(tmp_path)}
    assert keyring(credential) == Keyring()
    key_file(tmp_path / CREDENTIAL, b"o" * 32)
    assert keyring(credential) == Keyring(OTHER)
    assert keyring({**credential, "secrets_encryption_key": key_file(tmp_path / "k")}) == Keyring(KEY)
