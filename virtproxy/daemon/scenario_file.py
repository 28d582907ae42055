# SPDX-License-Identifier: LGPL-2.1-or-later
"""The settings of the test driver's shared host, checked before the daemon starts.

``plan`` calls it: a daemon does not start with a scenario that is wrong, and says where. What the scenario's documents
hold is checked by the driver when it is made.
"""

from __future__ import annotations

import os

from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.settings import Settings

_KEYS = ("test_scenario", "test_state", "test_control")


def has_scenario(settings: Settings) -> bool:
    """Whether the test driver's host is to be made when the daemon starts, and not for the first client."""
    return settings.has("test_scenario") and settings.text("test_scenario") is not None


def check_scenario(settings: Settings) -> None:
    """Raise StartupError if ``test_scenario`` names no good scenario, or another of the keys is wrong."""
    for key in _KEYS:
        path = settings.text(key) if settings.has(key) else None
        if path is not None and not os.path.isabs(path):
            raise settings.error(key, f'{key} must be an absolute path, not "{path}"')
        if path is not None and not has_scenario(settings):
            raise settings.error(key, f"{key} has no meaning without test_scenario")
    if has_scenario(settings):
        _read(settings, settings.text("test_scenario") or "")


def _read(settings: Settings, path: str) -> None:
    # Only a daemon with a scenario pays for loading what reads it.
    from virtproxy.drivers.test.config_files import read_text
    from virtproxy.drivers.test.scenario import read_scenario
    from virtproxy.errors import VirtError
    from virtproxy.toml.source import SourceError

    try:
        read_scenario(path, read_text)
    except (SourceError, VirtError) as error:
        problem = f"the scenario cannot be used: {error}"
        raise StartupError(f"{settings.place('test_scenario')}: {problem}", ExitCode.CONFIGURATION) from None
