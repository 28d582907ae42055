# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemon serves which family of procedures, for each URI that can be opened. Facts only.

The router asks once per CONNECT_OPEN. The drivers, their URIs and their secondary families are those of libvirt's
daemons; "test" is served inside this process. A driver that is not among them is somebody else's: only its own daemon
knows what it serves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol.schema import Family

# The hypervisor drivers that a proxy can reach; each has the paths its daemon accepts.
HYPERVISORS: Mapping[str, tuple[str, ...]] = {
    "qemu": ("/system", "/session"),
    "xen": ("/system", "/"),
    "lxc": ("/system", "/"),
    "bhyve": ("/system",),
    "vbox": ("/system", "/session"),
    "ch": ("/system", "/session"),
    "vz": ("/system",),
}
# The drivers that serve one secondary family each.
SECONDARY: Mapping[Family, str] = {
    Family.INTERFACE: "interface",
    Family.NETWORK: "network",
    Family.NODEDEV: "nodedev",
    Family.NWFILTER: "nwfilter",
    Family.SECRET: "secret",
    Family.STORAGE: "storage",
}
SYSTEM_ONLY = frozenset({"nwfilter"})
LOCAL = "test"
DRIVERS = (*HYPERVISORS, *SECONDARY.values())
# What a driver may be called: it is a URI's scheme, and a part of the names of files.
_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")
# Daemons of libvirt's named like drivers', which are none and speak of other things.
_NO_DRIVERS = frozenset({"lock", "log", "proxy"})


def is_driver_name(name: str) -> bool:
    """Whether there may be a driver of that name."""
    return _NAME.fullmatch(name) is not None and name not in _NO_DRIVERS


def daemon_of(driver: str) -> str:
    """The name of the daemon that serves `driver`, for logs and errors."""
    return f"virt{driver}d"


@dataclass(frozen=True, slots=True)
class Target:
    """One daemon to open: its driver and the URI that it is asked for."""

    driver: str
    uri: str


@dataclass(frozen=True, slots=True)
class Route:
    """What an opened URI means: the primary daemon, and who serves the other families.

    `secondary` is empty where the primary serves (or refuses) everything itself; otherwise it names whoever serves a
    family, which may be the primary, and a family that it lacks is served by nobody.
    """

    primary: Target
    secondary: Mapping[Family, Target]


def target_of(uri: str) -> Target:
    """What a URI, as a client sends it in CONNECT_OPEN, asks for; VirtError if it can be no driver's."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise errors.invalid_arg(f"'{uri}' is not a URI") from None
    driver = parts.scheme
    if not driver:
        raise errors.no_connect(f"URI '{uri}' does not include a driver name")
    # libvirt decodes a path: written in another way it would be another place for rules and owners.
    if parts.netloc or "%" in parts.path or not is_driver_name(driver):
        raise errors.no_connect(uri)
    return Target(driver, uri)


def relayed(primary: Target) -> Route:
    """The route of a driver that another daemon has: each family goes straight to the daemon that serves it."""
    return Route(primary, _secondary_targets(primary) if primary.driver in HYPERVISORS else {})


def served_here(primary: Target, own: Collection[Family], reached: Collection[str]) -> Route:
    """The route of a driver in this process, which serves the families `own`; others go to the drivers in `reached`.

    What neither has is the primary's to refuse.
    """
    if primary.driver == LOCAL or primary.driver in SECONDARY.values():
        return Route(primary, {})
    others = _secondary_targets(primary)
    for family, target in others.items():
        if family in own or target.driver not in reached:
            others[family] = primary
    return Route(primary, others)


def _secondary_targets(primary: Target) -> dict[Family, Target]:
    mode = "session" if urlsplit(primary.uri).path == "/session" else "system"
    return {
        family: Target(driver, f"{driver}:///{mode}")
        for family, driver in SECONDARY.items()
        if mode == "system" or driver not in SYSTEM_ONLY
    }


def no_daemon(driver: str) -> VirtError:
    """The refusal of a driver for which this process knows no socket."""
    return errors.internal(f"no socket is configured for {daemon_of(driver)}; name it in backend_sockets")
