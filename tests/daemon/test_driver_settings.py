# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers' own files: read for the drivers that a daemon has, and checked before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.driver_settings import CREDENTIALS, driver_settings
from virtproxy.daemon.failure import ConfigError

SECRETD = ROWS["virtsecretd"]


def key(path: Path, size: int = 32) -> str:
    """A key, or what is none."""
    path.write_bytes(b"k" * size)
    path.chmod(0o600)
    return str(path)


def test_a_host_without_such_a_file_has_the_defaults(tmp_path: Path) -> None:
    found = driver_settings(SECRETD, str(tmp_path), {CREDENTIALS: "/run/credentials/x"})
    assert found.values == {
        "credentials_directory": "/run/credentials/x",
        "secrets_encryption_key": None,
        "encrypt_data": None,
        "secrets_former_keys": None,
    }
    assert found.warnings == ()


def test_what_the_file_sets_is_handed_to_the_driver(tmp_path: Path) -> None:
    current, former = key(tmp_path / "k"), key(tmp_path / "o")
    text = f'secrets_encryption_key = "{current}"\nsecrets_former_keys = ["{former}"]\nencrypt_data = 1\nodd = 1\n'
    (tmp_path / "secret.conf").write_text(text)
    found = driver_settings(SECRETD, str(tmp_path), {})
    assert found.values["secrets_encryption_key"] == current
    assert found.values["secrets_former_keys"] == (former,)
    assert found.values["encrypt_data"] is True
    assert found.warnings == (f"{tmp_path}/secret.conf:4: virtsecretd has no setting odd; it is ignored",)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("\nencrypt_data = 2\n", 2, "encrypt_data must be 0 or 1, not 2"),
        ('secrets_encryption_key = "@/none"\n', 1, "the key @/none cannot be read: No such file or directory"),
        ('\nsecrets_former_keys = ["@/short"]\n', 2, "the key @/short must have 32 bytes"),
        ("encrypt_data = 1\n", 1, "encrypt_data = 1 needs secrets_encryption_key"),
    ],
)
def test_a_wrong_setting_is_refused_at_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    key(tmp_path / "short", 31)
    (tmp_path / "secret.conf").write_text(text.replace("@", str(tmp_path)))
    with pytest.raises(ConfigError) as refused:
        driver_settings(SECRETD, str(tmp_path), {})
    place = f"{tmp_path}/secret.conf:{line}"
    assert str(refused.value).startswith(f"{place}: {problem.replace('@', str(tmp_path))}")


def test_a_daemon_without_the_driver_does_not_look(tmp_path: Path) -> None:
    (tmp_path / "secret.conf").write_text("nonsense")
    assert set(driver_settings(ROWS["virtproxyd"], str(tmp_path), {}).values) == {"credentials_directory"}
