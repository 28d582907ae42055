# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons' systemd units and sockets by name, as the move between the modes groups them.

``virtproxy mode`` and ``virtproxy doctor`` call it. It must ask nobody.
"""

from __future__ import annotations

import os

from virtproxy.daemon.catalogue import DRIVERS, ROWS, Row
from virtproxy.daemon.units import kinds, service_unit, socket_unit

MONOLITHIC = "libvirtd"
PROXY = "virtproxyd"
# Daemons beside the family that guests depend on; their sockets must stay when libvirtd goes.
COMPANIONS = ("virtlogd.socket", "virtlockd.socket")
REMOTE = ("tls", "tcp")


def daemon(driver: str) -> str:
    """The name of the modular daemon of a driver."""
    return f"virt{driver}d"


def service(name: str) -> str:
    return service_unit(ROWS[name])


def local_sockets(name: str) -> tuple[str, ...]:
    """The units of a daemon's UNIX sockets; the first one is what the others depend on."""
    return tuple(socket_unit(ROWS[name], kind) for kind in kinds(ROWS[name]) if kind not in REMOTE)


def remote_sockets(name: str, transports: tuple[str, ...] = REMOTE) -> tuple[str, ...]:
    """The units of a daemon's TLS and TCP sockets; none for one that listens on UNIX sockets only."""
    return tuple(socket_unit(ROWS[name], kind) for kind in transports if kind in kinds(ROWS[name]))


def all_units(name: str) -> tuple[str, ...]:
    """Every unit of a daemon, the service first."""
    return (service(name), *local_sockets(name), *remote_sockets(name))


def modular_daemons() -> tuple[str, ...]:
    """The daemons of the modular mode: one for each driver, and the proxy."""
    return (*(daemon(driver) for driver in DRIVERS), PROXY)


def every_unit() -> tuple[str, ...]:
    """Every unit of every daemon of the family, and those of the companions' that matter here."""
    return (*(unit for name in ROWS for unit in all_units(name)), *COMPANIONS)


def socket_files(row: Row, run_dir: str) -> dict[str, str]:
    """Return the paths of a daemon's sockets by kind: rw, ro, admin."""
    prefix = os.path.join(run_dir, row.socket_prefix)
    return {"rw": f"{prefix}-sock", "ro": f"{prefix}-sock-ro", "admin": f"{prefix}-admin-sock"}
