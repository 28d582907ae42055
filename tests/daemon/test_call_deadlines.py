# SPDX-License-Identifier: LGPL-2.1-or-later
"""call_deadlines: patterns over names, the first that fits, and mistakes in words."""

from __future__ import annotations

import pytest

from virtproxy.daemon.call_deadlines import call_deadlines
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.settings import Settings
from virtproxy.protocol import lxc, remote


def settings(*entries: str) -> Settings:
    listed = ", ".join(f'"{entry}"' for entry in entries)
    text = f"\ncall_deadlines = [ {listed} ]\n"
    return Settings(ROWS["virtproxyd"], "d.conf", parse(text, "d.conf"))


def test_without_the_setting_nothing_has_a_deadline() -> None:
    assert call_deadlines(Settings(ROWS["virtproxyd"], "d.conf")) == {}


def test_the_first_pattern_that_fits_counts() -> None:
    found = call_deadlines(settings("virDomainGetInfo=5", "*migrate*=0", "domain_*=60", "*=300"))
    assert found[remote.DOMAIN_GET_INFO] == 5
    assert remote.DOMAIN_MIGRATE_PERFORM3 not in found
    assert found[remote.DOMAIN_DESTROY] == found[lxc.DOMAIN_OPEN_NAMESPACE] == 60
    assert found[remote.NETWORK_CREATE] == 300


def test_names_are_matched_in_either_case() -> None:
    assert call_deadlines(settings("DOMAIN_GET_INFO = 5")) == {remote.DOMAIN_GET_INFO: 5}


def test_what_the_daemon_answers_itself_has_none() -> None:
    found = call_deadlines(settings("*=1"))
    assert not {remote.CONNECT_OPEN, remote.CONNECT_CLOSE, remote.AUTH_POLKIT} & set(found)
    assert remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY in found


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("domain_get_info", 'must be "PATTERN=SECONDS"'),
        ("=5", 'must be "PATTERN=SECONDS"'),
        ("*=", 'must be "PATTERN=SECONDS"'),
        ("*=-1", 'must be "PATTERN=SECONDS"'),
        ("*=1.5", 'must be "PATTERN=SECONDS"'),
        ("*=99999999999999", "of at most 604800 seconds"),
        ("domain_get_inof=5", '"domain_get_inof" in call_deadlines fits the name of no procedure'),
        ("connect_open=5", '"connect_open" in call_deadlines fits the name of no procedure that a daemon serves'),
    ],
)
def test_mistakes_are_said_with_their_line(entry: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call_deadlines(settings("*=1", entry))
    assert str(caught.value).startswith("d.conf:2: ")
    assert problem in str(caught.value)
