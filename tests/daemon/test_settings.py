# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every key: its default, its type, its range; and the sample file that documents them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.keys import KEYS, Key, Type, keys_of
from virtproxy.daemon.settings import Settings, load

SAMPLE = Path(__file__).parents[2] / "conf" / "virtproxyd.conf"
PROXY = ROWS["virtproxyd"]


def settings(text: str, name: str = "virtproxyd") -> Settings:
    return Settings(ROWS[name], "f.conf", parse(text, "f.conf"))


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        settings(text)
    return refused.value.message


# One value of each type, as a file has it.
WRITTEN = {Type.BOOL: "1", Type.INT: "-3", Type.UINT: "3", Type.STRING: '"x"', Type.STRINGS: '[ "x" ]'}


def fitting(key: Key) -> str:
    """A value that the key takes."""
    if key.choices:
        return f'"{key.choices[0]}"' if key.type is Type.STRING else f'[ "{key.choices[0]}" ]'
    return str(max(key.low, 3)) if key.type is Type.UINT else WRITTEN[key.type]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_each_key_takes_its_type_and_nothing_else(key: Key) -> None:
    assert settings(f"{key.name} = {fitting(key)}").is_set(key.name)
    numbers = {Type.INT, Type.UINT, Type.BOOL}
    for kind, value in WRITTEN.items():
        if kind is not key.type and not (kind in numbers and key.type in numbers):
            assert refusal(f"\n{key.name} = {value}").startswith(f"f.conf:2: {key.name} must be {key.type.value}")


@pytest.mark.parametrize("key", [k for k in KEYS.values() if k.type in {Type.INT, Type.UINT}], ids=lambda k: k.name)
def test_each_number_has_its_range(key: Key) -> None:
    for value in (key.low, key.high):
        assert settings(f"{key.name} = {value}").number(key.name) == value
    for value in (key.low - 1, key.high + 1):
        assert f"{key.name} must be from {key.low} to {key.high}, not {value}" in refusal(f"{key.name} = {value}")


@pytest.mark.parametrize("key", [k for k in KEYS.values() if k.type is Type.BOOL], ids=lambda k: k.name)
def test_each_flag_is_0_or_1(key: Key) -> None:
    assert settings(f"{key.name} = 1").flag(key.name) is True
    assert settings(f"{key.name} = 0").flag(key.name) is False
    for value in ("2", "-1"):
        assert f"{key.name} must be 0 or 1, not {value}" in refusal(f"{key.name} = {value}")


@pytest.mark.parametrize("key", [k for k in KEYS.values() if k.choices], ids=lambda k: k.name)
def test_each_choice(key: Key) -> None:
    for choice in key.choices:
        shown = f'"{choice}"' if key.type is Type.STRING else f'[ "{choice}" ]'
        assert settings(f"{key.name} = {shown}").is_set(key.name)
    wrong = '"other"' if key.type is Type.STRING else '[ "other" ]'
    assert f'{key.name} must be one of "{key.choices[0]}", ' in refusal(f"{key.name} = {wrong}")


def test_defaults_that_differ_between_daemons() -> None:
    assert settings("").flag("listen_tls") is False
    assert settings("", "libvirtd").flag("listen_tls") is True
    assert settings("").text("auth_tcp") == "sasl"
    assert settings("").number("tcp_min_ssf") == 56
    assert settings("").texts("access_drivers") is None


def test_daemons_without_network_have_no_network_keys() -> None:
    found = settings("listen_tls = 'not even a number'\nmax_clients = 7", "virtqemud")
    assert found.number("max_clients") == 7
    assert not found.has("listen_tls")
    assert [w.split(" (")[0] for w in found.warnings] == [
        "f.conf:1: virtqemud has no setting listen_tls; it is ignored"
    ]
    assert not {"tcp_port", "cert_file", "auth_tls"} & set(keys_of(ROWS["virtnetworkd"]))


def test_an_unknown_key_is_ignored_with_a_hint() -> None:
    found = settings("max_clients = 7\nmax_cleints = 9\nzzz = [ 1 ]\nkeepalive_required = 1")
    assert found.warnings == [
        "f.conf:2: virtproxyd has no setting max_cleints; it is ignored (did you mean max_clients?)",
        "f.conf:3: virtproxyd has no setting zzz; it is ignored",
    ]
    assert found.number("max_clients") == 7


def test_of_a_repeated_key_the_first_counts() -> None:
    found = settings("max_clients = 7\nmax_clients = 9")
    assert found.number("max_clients") == 7
    assert found.warnings == ["f.conf:2: max_clients was already set on line 1, which counts"]
    assert "must be from" in refusal("max_clients = 7\nmax_clients = -9")


def test_errors_found_later_name_the_line() -> None:
    found = settings("\nlisten_addr = 'x'")
    assert found.error("listen_addr", "no").message == "f.conf:2: no"
    assert found.error("tls_port", "no").message == "f.conf: no"
    assert (found.place("listen_addr"), found.place("tls_port")) == ("f.conf:2", "f.conf")


def test_a_long_value_is_shown_shortened() -> None:
    message = refusal(f"max_clients = '{'x' * 500}'")
    assert len(message) < 150
    assert refusal('max_clients = [ "x" ]').endswith("not a list")
    assert refusal("access_drivers = [ 1 ]").endswith("not a list with other things in it")


def test_the_file_may_be_missing_unless_it_was_asked_for(tmp_path: Path) -> None:
    missing = str(tmp_path / "no.conf")
    assert load(PROXY, missing, required=False).number("max_clients") == 5000
    with pytest.raises(ConfigError, match=r"no\.conf: cannot read the configuration file: No such file or directory"):
        load(PROXY, missing, required=True)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(PROXY, str(tmp_path), required=False)


def test_the_sample_says_what_every_default_is() -> None:
    lines = SAMPLE.read_text().splitlines()
    shown = [(number, line) for number, line in enumerate(lines) if re.match(r"#[a-z_]+ = ", line)]
    entries = {entry.key: entry for entry in parse("\n".join(line[1:] for _, line in shown), "sample")}
    assert list(entries) == [line[1:].split(" ")[0] for _, line in shown]
    assert set(entries) == set(KEYS)
    defaults = Settings(PROXY, "none")
    for number, line in shown:
        name = line[1:].split(" ")[0]
        default = KEYS[name].default_of(PROXY)
        example = any("Example, " in before for before in lines[max(0, number - 1) : number])
        if default is not None and not example and name != "tcp_min_ssf":
            assert Settings(PROXY, "sample", [entries[name]])._values[name] == defaults._values[name], name


def test_the_sample_parses_with_every_line_in_effect() -> None:
    text = re.sub(r"^#([a-z_]+ = )", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)
    found = settings(text)
    assert set(found.set_keys()) == set(KEYS)
    assert found.warnings == []


def test_the_sample_changes_nothing_as_it_is() -> None:
    assert settings(SAMPLE.read_text()).set_keys() == []
