# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line: libvirt's options, long and short."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from virtproxy import __version__
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.options import DaemonOptions, options_for


def parsed(*arguments: str, name: str = "virtproxyd") -> DaemonOptions:
    options = options_for(ROWS[name])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse(list(arguments))
    return options


def test_none_are_needed() -> None:
    options = parsed()
    assert (options.verbose, options.background, options.listens) == (False, False, True)
    assert (options.config_file, options.pid_file, options.timeout) == (None, None, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--verbose", "--daemon", "--config", "/c", "--timeout", "30", "--pid-file", "/p"],
        ["--config=/c", "--timeout=30", "--pid-file=/p", "--daemon", "--verbose"],
        ["-v", "-d", "-f", "/c", "-t", "30", "-p", "/p"],
        ["-vd", "-f/c", "-t30", "-p/p"],
    ],
)
def test_long_and_short(arguments: list[str]) -> None:
    options = parsed(*arguments)
    assert (options.verbose, options.background) == (True, True)
    assert (options.config_file, options.pid_file, options.timeout) == ("/c", "/p", 30)


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parsed("-f", "x.conf").config_file == os.path.join(tmp_path, "x.conf")


@pytest.mark.parametrize("timeout", ["-1", "x", "", "1.5", "2147484"])
def test_a_timeout_is_a_number_of_seconds(timeout: str) -> None:
    for name in ROWS:
        with pytest.raises(UsageError, match="--timeout must be a number of seconds from 0 to 2147483"):
            parsed("-t", timeout, name=name)


def test_listen_is_libvirtds_alone() -> None:
    assert parsed(name="libvirtd").listens is False
    assert parsed("--listen", name="libvirtd").listens is True
    assert parsed("-l", name="libvirtd").listens is True
    for name in ("virtproxyd", "virtqemud"):
        with pytest.raises(UsageError, match="--listen not recognized"):
            parsed("--listen", name=name)


def test_words_are_refused() -> None:
    with pytest.raises(UsageError, match="virtproxyd takes options only, not 'start'"):
        parsed("start")


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(option)
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"virtproxyd (virtproxy) {__version__}\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(option)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "Usage: virtproxyd [options]" in shown
    for name in ("--verbose", "--daemon", "--config=", "--timeout=", "--pid-file=", "--version", "--help"):
        assert name in shown
