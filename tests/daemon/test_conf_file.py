# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configuration files that the daemons come with: every setting, its default, and nothing of another's."""

from __future__ import annotations

import re

import pytest

from virtproxy.daemon.catalogue import ROWS, Row
from virtproxy.daemon.conf_file import conf_file
from virtproxy.daemon.config import parse
from virtproxy.daemon.keys import keys_of
from virtproxy.daemon.settings import Settings

ALL = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
# Set to what they show, these are not the default: the file says so, or their default cannot be written.
_EXAMPLES = {"unix_sock_dir", "key_file", "cert_file", "ca_file", "crl_file", "access_drivers", "tcp_min_ssf"}


def uncommented(row: Row) -> str:
    return re.sub(r"(?m)^#([a-z_]+ = )", r"\1", conf_file(row))


@ALL
def test_as_it_comes_it_sets_nothing(row: Row) -> None:
    assert parse(conf_file(row), "f") == []


@ALL
def test_every_setting_is_there_once_and_may_be_set_so(row: Row) -> None:
    settings = Settings(row, "f", parse(uncommented(row), "f"))
    assert settings.warnings == []
    assert set(settings.set_keys()) == set(keys_of(row))


@ALL
def test_what_it_shows_is_the_default(row: Row) -> None:
    shown = Settings(row, "f", parse(uncommented(row), "f")).values()
    for name, key in keys_of(row).items():
        default = key.default_of(row)
        if name not in _EXAMPLES and default is not None:
            assert shown[name] == default, name


@ALL
def test_every_setting_has_an_explanation(row: Row) -> None:
    for paragraph in conf_file(row).split("\n\n"):
        if re.search(r"(?m)^#[a-z_]+ = ", paragraph):
            assert re.match(r"# \S", paragraph.lstrip("\n")), paragraph


@ALL
def test_nothing_is_left_of_the_template(row: Row) -> None:
    text = conf_file(row)
    assert "@" not in re.sub(r"@[A-Z]+\b", "", text)
    assert (row.name == "virtproxyd") == ("virtproxyd.conf" in text)
    assert ("--listen" in text) == (row.name == "libvirtd")
    assert ("\n## Network" in text) == row.listens_on_network
