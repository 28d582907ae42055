# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a daemon's settings ask for polkit, and the one connection to it that logins and access rules share.

Called by ``plan`` for what can be known before the start, and by ``service``. A daemon that does not ask for polkit
loads nothing of it.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from virtproxy.daemon.settings import Settings
from virtproxy.rpc.reactor import StreamReactor

if TYPE_CHECKING:
    from virtproxy.auth.polkit import Authority

KEYS = ("auth_unix_rw", "auth_unix_ro", "access_drivers")


def asks_polkit(settings: Settings, key: str) -> bool:
    """Whether the file asks for polkit by ``key``, one of KEYS."""
    return "polkit" in ((settings.texts(key) or ()) if key == "access_drivers" else (settings.text(key),))


def _asking(settings: Settings) -> list[str]:
    return [key for key in KEYS if asks_polkit(settings, key)]


def check_polkit(settings: Settings) -> None:
    """Raise ConfigError if polkit is asked for and cannot be asked because a library is missing."""
    keys = _asking(settings)
    if keys and importlib.util.find_spec("jeepney") is None:
        problem = (
            f'{keys[0]} = "polkit" needs the Python library jeepney: run pip install "virtproxy[polkit]", '
            "or install the Debian package python3-jeepney"
        )
        raise settings.error(keys[0], problem)


def polkit_warnings(settings: Settings, networked: bool) -> list[str]:
    """Return what the log is to say when the daemon starts; ``networked``: it listens on TCP or TLS."""
    if not networked or not asks_polkit(settings, "access_drivers"):
        return []
    place = settings.place("access_drivers")
    return [f"{place}: clients over TCP and TLS may do nothing: polkit knows processes of this host only"]


def polkit_authority(settings: Settings, reactor: StreamReactor) -> Authority | None:
    """Return polkit for a daemon whose settings ask for it; it is connected to when the first question comes."""
    if not _asking(settings):
        return None
    from virtproxy.auth.dbus import SystemBus
    from virtproxy.auth.polkit import Authority

    return Authority(SystemBus(reactor), reactor, settings.number("polkit_timeout"))
