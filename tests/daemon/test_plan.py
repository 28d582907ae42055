# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon plans to do, before it does anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import ConfigError, StartupError
from virtproxy.daemon.keys import KEYS, Type
from virtproxy.daemon.options import DaemonOptions, options_for
from virtproxy.daemon.plan import Plan, make_plan

JOE = 1000


def plan(tmp_path: Path, text: str | None = None, *arguments: str, uid: int = 0) -> Plan:
    words = list(arguments)
    if text is not None:
        path = tmp_path / "d.conf"
        path.write_text(text)
        words += ["-f", str(path)]
    options: DaemonOptions = options_for(ROWS["virtproxyd"])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse(words)
    return make_plan(options, {"HOME": str(tmp_path)}, uid)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        plan(tmp_path, text)
    return refused.value.problem


def test_a_plan_by_default(tmp_path: Path) -> None:
    found = plan(tmp_path, "")
    assert [endpoint.path for endpoint in found.unix] == ["/run/libvirt/libvirt-sock", "/run/libvirt/libvirt-sock-ro"]
    assert (found.inet, found.tls, found.timeout, found.warnings) == ((), None, 0, ())
    assert found.pid_file == "/run/virtproxyd.pid"


def test_a_user_needs_no_file(tmp_path: Path) -> None:
    found = plan(tmp_path, uid=JOE)
    assert found.settings.path == f"{tmp_path}/.config/libvirt/virtproxyd.conf"
    assert found.pid_file == f"{tmp_path}/.cache/libvirt/virtproxyd.pid"
    assert found.backends["qemu"] == f"{tmp_path}/.cache/libvirt/virtqemud-sock"


def test_a_users_file_is_found(tmp_path: Path) -> None:
    directory = tmp_path / ".config" / "libvirt"
    directory.mkdir(parents=True)
    (directory / "virtproxyd.conf").write_text("max_clients = 7\n")
    assert plan(tmp_path, uid=JOE).settings.number("max_clients") == 7


def test_options_win_over_places(tmp_path: Path) -> None:
    found = plan(tmp_path, "", "-p", "/p", "-t", "9")
    assert (found.pid_file, found.timeout) == ("/p", 9)


@pytest.mark.parametrize("key", ["auth_unix_rw", "auth_unix_ro", "auth_tcp", "auth_tls"])
@pytest.mark.parametrize("value", ["nonsense", ""])
def test_authentication_that_is_not_there_is_refused_even_where_it_is_not_used(
    tmp_path: Path, key: str, value: str
) -> None:
    assert refusal(tmp_path, f'{key} = "{value}"').startswith(f'{key} = "{value}"')


@pytest.mark.parametrize("key", ["max_clients", "max_client_requests"])
def test_limits_that_would_serve_nobody(tmp_path: Path, key: str) -> None:
    assert refusal(tmp_path, f"{key} = 0").startswith(f"{key} = 0 would ")


def test_plain_tcp_without_a_login_is_possible(tmp_path: Path) -> None:
    found = plan(tmp_path, 'listen_tcp = 1\nauth_tcp = "none"\nlisten_addr = "127.0.0.1"')
    assert [str(endpoint) for endpoint in found.inet] == ["127.0.0.1:16509"]


@pytest.mark.parametrize("uuid", ["", "x", "00000000-0000-0000-0000-000000000000", "8c1c5d645a3e4d5c9d9b1d3c1f7c2b1"])
def test_a_host_uuid_that_is_none(tmp_path: Path, uuid: str) -> None:
    assert refusal(tmp_path, f'host_uuid = "{uuid}"').startswith("host_uuid must")


@pytest.mark.parametrize("uuid", ["8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b10", "8C1C5D645A3E4D5C9D9B1D3C1F7C2B10"])
def test_a_host_uuid(tmp_path: Path, uuid: str) -> None:
    assert plan(tmp_path, f'host_uuid = "{uuid}"').settings.text("host_uuid") == uuid


def test_settings_without_effect_are_named(tmp_path: Path) -> None:
    found = plan(tmp_path, "audit_logging = 1\n\ntcp_min_ssf = 128\novs_timeout = 3")
    assert [warning.removeprefix(str(tmp_path)).split(" ")[0:2] for warning in found.warnings] == [
        ["/d.conf:1:", "audit_logging"],
        ["/d.conf:4:", "ovs_timeout"],
    ]


def test_rows_without_a_driver_are_refused_before_their_file_is_read(tmp_path: Path) -> None:
    options = options_for(ROWS["virtnetworkd"])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse(["-f", str(tmp_path / "none")])
    with pytest.raises(StartupError, match="virtnetworkd has no driver in this version of virtproxy") as refused:
        make_plan(options, {}, 0)
    assert refused.value.exit_code == 11


# Texts of a file: no quote that ends them, and no name to be looked up in the net.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n\0'), max_size=30)
TEXT_KEYS = sorted(key.name for key in KEYS.values() if key.type is Type.STRING and key.name != "listen_addr")
LIST_KEYS = sorted(key.name for key in KEYS.values() if key.type is Type.STRINGS)
LINES = st.one_of(
    st.tuples(st.sampled_from(TEXT_KEYS), TEXTS.map(lambda text: f'"{text}"')),
    st.tuples(st.sampled_from(LIST_KEYS), st.lists(TEXTS, max_size=3).map(lambda t: str([*t]).replace("\\", "/"))),
    st.tuples(st.sampled_from(sorted(KEYS)), st.integers(-5, 2**33).map(str)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=4), st.booleans())
def test_any_values_are_a_plan_or_a_clear_error(tmp_path: Path, lines: list[tuple[str, str]], tls: bool) -> None:
    text = "".join(f"{key} = {value}\n" for key, value in lines)
    network = 'listen_addr = "127.0.0.1"\nlisten_tls = 1\n' if tls else ""
    try:
        found = plan(tmp_path, network + text)
    except StartupError as error:
        assert str(tmp_path) in error.message or "TLS" in error.message
    else:
        assert len(found.unix) == 2
