# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemon serves which family of procedures, for each URI that can be opened. Facts only.

The router asks `route_of` once per CONNECT_OPEN. The drivers, their URIs and their secondary
families are those of libvirt's daemons; "test" is served inside this process.
"""

from __future__ import annotations

from collections.abc import Mapping
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

    `secondary` is empty where the primary serves (or refuses) everything itself.
    """

    primary: Target
    secondary: Mapping[Family, Target]


def route_of(uri: str) -> Route:
    """The route of a URI as a client sends it in CONNECT_OPEN; VirtError if nobody serves it."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise errors.invalid_arg(f"'{uri}' is not a URI") from None
    driver = parts.scheme
    if not driver:
        raise errors.no_connect(f"URI '{uri}' does not include a driver name")
    # libvirt decodes a path: written in another way it would be another place for rules and owners.
    if parts.netloc or "%" in parts.path or (driver not in DRIVERS and driver != LOCAL):
        raise errors.no_connect(uri)
    primary = Target(driver, uri)
    if driver not in HYPERVISORS:
        return Route(primary, {})
    return Route(primary, _secondary_targets("session" if parts.path == "/session" else "system"))


def _secondary_targets(mode: str) -> Mapping[Family, Target]:
    return {
        family: Target(driver, f"{driver}:///{mode}")
        for family, driver in SECONDARY.items()
        if mode == "system" or driver not in SYSTEM_ONLY
    }


def no_daemon(driver: str) -> VirtError:
    """The refusal of a driver for which this process knows no socket."""
    return errors.internal(f"no socket is configured for {daemon_of(driver)}; name it in backend_sockets")
