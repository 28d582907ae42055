# SPDX-License-Identifier: LGPL-2.1-or-later
"""The settings of the made-up host: a daemon that could not make it says so before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.scenario_file import check_scenario, has_scenario
from virtproxy.daemon.settings import Settings, load


def settings(directory: Path, text: str, row: str = "virtproxyd") -> Settings:
    """The settings of a file with that text, in which {} is the directory."""
    path = directory / "d.conf"
    path.write_text(text.replace("{}", str(directory)))
    return load(ROWS[row], str(path), required=True)


def test_a_good_scenario_is_taken(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[[guests]]\nname = 'a'\n")
    found = settings(tmp_path, 'test_scenario = "{}/s.toml"\ntest_state = "{}/s.xml"\n')
    check_scenario(found)
    assert has_scenario(found)


@pytest.mark.parametrize("row", ["virtproxyd", "libvirtd", "virtsecretd"])
def test_without_one_there_is_nothing_to_check(row: str, tmp_path: Path) -> None:
    found = settings(tmp_path, "", row)
    check_scenario(found)
    assert not has_scenario(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('test_scenario = "s.toml"', 'd.conf:1: test_scenario must be an absolute path, not "s.toml"'),
        ('\ntest_control = "{}/c"', "d.conf:2: test_control has no meaning without test_scenario"),
        ('test_scenario = "{}/bad.toml"', "d.conf:1: the scenario cannot be used: {}/bad.toml:2: there is no key"),
        ('test_scenario = "{}/none.toml"', "d.conf:1: the scenario cannot be used: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[host]\nsed = 1\n")
    with pytest.raises(StartupError) as refused:
        check_scenario(settings(tmp_path, text))
    assert says.replace("{}", str(tmp_path)) in str(refused.value)


def test_a_daemon_without_the_test_driver_has_no_such_settings(tmp_path: Path) -> None:
    assert settings(tmp_path, 'test_scenario = "/s.toml"\n', "virtsecretd").warnings
