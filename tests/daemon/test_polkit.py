# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a daemon's settings ask for polkit, and what it says when the library for it is missing."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.polkit import KEYS, asks_polkit, check_polkit, polkit_authority, polkit_warnings
from virtproxy.daemon.settings import Settings


def settings(text: str) -> Settings:
    """The settings of a file with this text."""
    return Settings(ROWS["virtproxyd"], "d.conf", parse(text, "d.conf"))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", []),
        ("auth_unix_rw = 'polkit'", ["auth_unix_rw"]),
        ("auth_unix_ro = 'polkit'\naccess_drivers = [ 'polkit' ]", ["auth_unix_ro", "access_drivers"]),
        ("access_drivers = [ 'none' ]", []),
    ],
)
def test_who_asks(text: str, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(text)
    assert [key for key in KEYS if asks_polkit(found, key)] == keys
    check_polkit(found)
    nothing: Any = None
    assert (polkit_authority(found, nothing) is not None) is bool(keys)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    if not keys:
        check_polkit(found)
        return
    with pytest.raises(ConfigError) as refused:
        check_polkit(found)
    said = str(refused.value)
    assert said.startswith(f'd.conf:1: {keys[0]} = "polkit" needs the Python library jeepney')
    assert 'pip install "virtproxy[polkit]"' in said
    assert "python3-jeepney" in said


@pytest.mark.parametrize("networked", [True, False])
@pytest.mark.parametrize("text", ["access_drivers = [ 'polkit' ]", "auth_unix_rw = 'polkit'"])
def test_a_warning_where_the_network_can_do_nothing(text: str, networked: bool) -> None:
    said = polkit_warnings(settings(text), networked)
    assert bool(said) is (networked and text.startswith("access"))
    assert all(warning.startswith("d.conf:1: clients over TCP and TLS may do nothing") for warning in said)
