# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at a running daemon's configuration file again, and says which changes wait for a restart.

``lifecycle`` calls it when it is asked to reload. It must change nothing: a daemon's settings never change.
"""

from __future__ import annotations

from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.settings import Settings, load


def restart_needed(settings: Settings) -> str | None:
    """Return what of ``settings`` the file says differently now, or what is wrong with it; None if nothing.

    Reads the file, which may block.
    """
    try:
        now = load(settings.row, settings.path, required=bool(settings.set_keys()))
    except ConfigError as error:
        return f"the configuration file could not be read again, and a restart would fail: {error.message}"
    changed = [name for name, value in settings.values().items() if now.values()[name] != value]
    if not changed:
        return None
    places = ", ".join(f"{name} ({now.place(name)})" for name in changed)
    return f"these settings have changed since the start and need a restart: {places}"
