# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pytest option --leave-out: runs what this user and this machine can run, and names the rest.

``./check`` gives it for an ordinary user; conftest loads it. Without the option nothing is left out: a missing
program is then a failure. It must not hide a test silently.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter

import pytest

SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--leave-out", action="store_true", help="leave out, and name, what cannot run here")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what cannot run, if the option is given."""
    if not config.getoption("--leave-out"):
        return
    reasons = {item: reason for item in items if (reason := _obstacle(item))}
    config.hook.pytest_deselected(items=list(reasons))
    items[:] = [item for item in items if item not in reasons]
    config.stash[_LEFT_OUT] = Counter(f"{item.nodeid.split('::')[0]}: {why}" for item, why in reasons.items())


_LEFT_OUT = pytest.StashKey["Counter[str]"]()


def _obstacle(item: pytest.Item) -> str | None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        return "needs root"
    wanted = [name for mark in item.iter_markers("programs") for name in mark.args]
    missing = [name for name in wanted if not shutil.which(name, path=SYSTEM_PATH)]
    return f"needs {', '.join(missing)}" if missing else None


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Name what is left out, by file and reason."""
    left_out = config.stash.get(_LEFT_OUT, None)
    if not left_out:
        return []
    return ["left out:", *(f"  {count:4} of {what}" for what, count in sorted(left_out.items()))]
