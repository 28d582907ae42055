# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual pages: each daemon has one, it says what the program does, and it can be shown.

That the pages are as the code declares them is tested with the other written files.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.support.daemon_process import ROOT
from virtproxy.daemon.catalogue import ROWS, Row
from virtproxy.daemon.options import options_for
from virtproxy.daemon.paths import SYSTEM

PAGES = ROOT / "docs/man"
ALL = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def page(row: Row) -> str:
    return (PAGES / f"{row.name}.rst").read_text()


@ALL
def test_every_option_is_explained(row: Row) -> None:
    kind = options_for(row)
    names = {str(option[0]) for option in kind.optFlags} | {str(option[0]) for option in kind.optParameters}
    names |= {"help", "version"}
    assert set(re.findall(r"``--([a-z-]+)``", page(row).split("OPTIONS\n")[1].split("\nFILES\n")[0])) == names


@ALL
def test_its_sections_and_files(row: Row) -> None:
    headings = re.findall(r"(?m)^([A-Z ]+)\n=+$", page(row))
    wanted = ["SYNOPSIS", "DESCRIPTION", "OPTIONS", "FILES", "SIGNALS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"]
    assert set(wanted) <= set(headings)
    for file in (SYSTEM.config_file(row), f"{SYSTEM.run_dir}/{row.socket_prefix}-sock"):
        assert f"``{file}``" in page(row)
    assert ("$XDG_RUNTIME_DIR" in page(row)) == row.session_mode
    assert ("has no driver for it" in page(row)) != row.served


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.rst")), ids=lambda path: path.stem)
def test_it_can_be_shown(path: Path) -> None:
    core = importlib.import_module("docutils.core")
    writer = importlib.import_module("docutils.writers.manpage").Writer()
    # From level 1 up: what a reader would see as a mistake.
    settings = {"report_level": 1, "halt_level": 1, "input_encoding": "utf-8", "_disable_config": True}
    shown = core.publish_string(path.read_text(), writer=writer, settings_overrides=settings).decode()
    assert f'.TH "{path.stem.upper()}"'.lower() in shown.lower()
