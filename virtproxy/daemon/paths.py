# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a daemon's files are: the system's places for root, the XDG directories for anybody else.

Called by ``settings``, ``options`` and ``service``. It must create nothing and read nothing but the environment
it is given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from virtproxy.daemon.catalogue import REACHED, Row

Mode = Literal["system", "session"]


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one mode; ``pid_dir`` differs from ``run_dir`` in system mode only.

    ``state_dir`` is virtproxy's own; drivers keep what lasts in ``data_dir``, as libvirt does.
    """

    mode: Mode
    config_dir: str
    run_dir: str
    pid_dir: str
    log_dir: str
    state_dir: str = "/var/lib/libvirt/virtproxy"
    data_dir: str = "/var/lib/libvirt"
    cache_dir: str = "/var/cache/libvirt"

    @property
    def is_system(self) -> bool:
        return self.mode == "system"

    def config_file(self, row: Row) -> str:
        return os.path.join(self.config_dir, row.config_name)

    def pid_file(self, row: Row) -> str:
        return os.path.join(self.pid_dir, row.pid_name)

    def log_file(self, row: Row) -> str:
        return os.path.join(self.log_dir, f"{row.name}.log")

    def backend_sockets(self) -> dict[str, str]:
        """Return where each driver's daemon listens by default: driver -> socket path."""
        return {driver: self.driver_socket(driver) for driver in REACHED}

    def driver_socket(self, driver: str) -> str:
        """Return where the daemon of a driver listens by default."""
        return os.path.join(self.run_dir, f"virt{driver}d-sock")


SYSTEM = Places("system", "/etc/libvirt", "/run/libvirt", "/run", "/var/log/libvirt")


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> str:
    """The directory that ``variable`` names; relative ones do not count (XDG base directory specification)."""
    value = environ.get(variable, "")
    return value if os.path.isabs(value) else default


def session_places(environ: Mapping[str, str], home: str) -> Places:
    """Return the places of a user's own daemon; ``home`` is the home directory."""
    cache = os.path.join(_xdg(environ, "XDG_CACHE_HOME", os.path.join(home, ".cache")), "libvirt")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    run = os.path.join(runtime, "libvirt") if os.path.isabs(runtime) else cache
    config = os.path.join(_xdg(environ, "XDG_CONFIG_HOME", os.path.join(home, ".config")), "libvirt")
    state = os.path.join(_xdg(environ, "XDG_STATE_HOME", os.path.join(home, ".local/state")), "libvirt", "virtproxy")
    data = os.path.join(_xdg(environ, "XDG_DATA_HOME", os.path.join(home, ".local/share")), "libvirt")
    return Places("session", config, run, run, cache, state, data, cache)


def places(environ: Mapping[str, str], uid: int) -> Places:
    """Return the places of a daemon run by ``uid``: root's is the system's."""
    if uid == 0:
        return SYSTEM
    return session_places(environ, environ.get("HOME") or os.path.expanduser("~"))
