# SPDX-License-Identifier: LGPL-2.1-or-later
"""The thirteen daemons, as rows of data: no daemon has code of its own outside its row and its drivers.

Read by the console scripts, the twistd plugins, ``settings``, ``paths`` and ``service``. It must open nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Kind(Enum):
    """What a daemon serves: everything itself, everything through others, or its one driver."""

    MONOLITHIC = "monolithic"
    PROXY = "proxy"
    HYPERVISOR = "hypervisor"
    SECONDARY = "secondary"


HYPERVISORS = ("qemu", "lxc", "xen", "vbox", "bhyve")
SECONDARIES = ("interface", "network", "nodedev", "nwfilter", "secret", "storage")
DRIVERS = HYPERVISORS + SECONDARIES
# Drivers whose daemons a proxy reaches; libvirt has two more that are not of this family.
REACHED = (*DRIVERS, "ch", "vz")
# The drivers that come with this version, and where their classes are.
OWN_DRIVERS = {
    "test": "virtproxy.drivers.test:TestDriver",
    "secret": "virtproxy.drivers.secret:SecretDriver",
    "storage": "virtproxy.drivers.storage:StorageDriver",
}

# The order in which an empty URI is tried: whose socket exists, then (session mode) whose program is installed.
SYSTEM_PROBE = ("xen", "qemu", "lxc", "vbox", "bhyve")
SESSION_PROBE = ("qemu", "vbox")


@dataclass(frozen=True, slots=True)
class Row:
    """One daemon.

    ``scheme`` is its URI scheme, None when it serves every scheme. ``driver_name`` is what access checks call
    its driver, ``type_name`` its answer to CONNECT_GET_TYPE. ``forwards`` are the drivers it asks other daemons
    for. ``local`` are the schemes whose drivers run in its own process, of those that come with this version; a row
    without any, which is not the proxy's, has something to serve only if another package brings it (``drivers``).
    """

    name: str
    kind: Kind
    scheme: str | None = None
    uris: tuple[str, ...] = ()
    driver_name: str | None = None
    type_name: str | None = None
    forwards: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    session_mode: bool = True
    listens_on_network: bool = False

    @property
    def server_names(self) -> tuple[str, str]:
        """The two servers that the admin interface shows."""
        return (self.name, "admin")

    @property
    def socket_prefix(self) -> str:
        """How its sockets' names start: the proxy takes libvirtd's place."""
        return "libvirt" if self.listens_on_network else self.name

    @property
    def config_name(self) -> str:
        return f"{self.name}.conf"

    @property
    def pid_name(self) -> str:
        return f"{self.name}.pid"

    @property
    def served(self) -> bool:
        """Whether this version has what the daemon needs to serve anybody."""
        return self.kind is Kind.PROXY or bool(self.local)


def _uris(scheme: str, *, session: bool, bare: bool = False) -> tuple[str, ...]:
    uris = [f"{scheme}:///system"]
    if session:
        uris.append(f"{scheme}:///session")
    if bare:
        uris.append(f"{scheme}:///")
    return tuple(uris)


def _hypervisor(name: str, scheme: str, driver: str, type_name: str, *, session: bool, bare: bool = False) -> Row:
    uris = _uris(scheme, session=session, bare=bare)
    return Row(name, Kind.HYPERVISOR, scheme, uris, driver, type_name, SECONDARIES, _own(scheme), session_mode=session)


def _secondary(name: str, scheme: str, *, session: bool = True, forwards: tuple[str, ...] = ()) -> Row:
    uris = _uris(scheme, session=session)
    return Row(name, Kind.SECONDARY, scheme, uris, scheme, scheme, forwards, _own(scheme), session_mode=session)


def _own(scheme: str) -> tuple[str, ...]:
    return (scheme,) if scheme in OWN_DRIVERS else ()


def row_of_another(scheme: str) -> Row:
    """Return the row of the daemon of a driver that is none of libvirt's: it is taken for a hypervisor's."""
    return replace(_hypervisor(f"virt{scheme}d", scheme, scheme, scheme, session=True), local=(scheme,))


_DRIVER_ROWS = (
    _hypervisor("virtqemud", "qemu", "QEMU", "QEMU", session=True),
    _hypervisor("virtxend", "xen", "Xen", "Xen", session=False, bare=True),
    _hypervisor("virtlxcd", "lxc", "LXC", "LXC", session=False, bare=True),
    _hypervisor("virtvboxd", "vbox", "VBOX", "VBOX", session=True),
    _hypervisor("virtbhyved", "bhyve", "bhyve", "BHYVE", session=False),
    _secondary("virtinterfaced", "interface"),
    _secondary("virtnetworkd", "network"),
    _secondary("virtnodedevd", "nodedev"),
    _secondary("virtnwfilterd", "nwfilter", session=False),
    _secondary("virtsecretd", "secret"),
    _secondary("virtstoraged", "storage", forwards=("secret",)),
)

_ALL_URIS = (*(uri for row in _DRIVER_ROWS for uri in row.uris), "test:///default")

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("libvirtd", Kind.MONOLITHIC, uris=_ALL_URIS, local=tuple(OWN_DRIVERS), listens_on_network=True),
        Row(
            "virtproxyd",
            Kind.PROXY,
            uris=_ALL_URIS,
            forwards=REACHED,
            local=("test",),
            listens_on_network=True,
        ),
        *_DRIVER_ROWS,
    )
}
