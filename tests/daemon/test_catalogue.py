# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows: facts of libvirt's daemons that clients and administrators rely on."""

from __future__ import annotations

import pytest

from virtproxy.daemon.catalogue import DRIVERS, HYPERVISORS, REACHED, ROWS, SECONDARIES, Kind

NAMES = {
    "libvirtd",
    "virtproxyd",
    "virtqemud",
    "virtxend",
    "virtlxcd",
    "virtvboxd",
    "virtbhyved",
    "virtinterfaced",
    "virtnetworkd",
    "virtnodedevd",
    "virtnwfilterd",
    "virtsecretd",
    "virtstoraged",
}


def test_thirteen_daemons() -> None:
    assert set(ROWS) == NAMES
    assert all(name == row.name for name, row in ROWS.items())


def test_every_driver_has_a_daemon() -> None:
    served = {row.scheme for row in ROWS.values() if row.kind in {Kind.HYPERVISOR, Kind.SECONDARY}}
    assert served == set(DRIVERS)
    assert all(ROWS[f"virt{driver}d"].scheme == driver for driver in DRIVERS)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_names_of_files_and_servers(name: str) -> None:
    row = ROWS[name]
    assert (row.config_name, row.pid_name) == (f"{name}.conf", f"{name}.pid")
    assert row.server_names == (name, "admin")
    assert row.socket_prefix == ("libvirt" if name in {"libvirtd", "virtproxyd"} else name)
    assert row.listens_on_network == (name in {"libvirtd", "virtproxyd"})


def test_who_forwards_what() -> None:
    assert ROWS["libvirtd"].forwards == ()
    assert ROWS["virtproxyd"].forwards == REACHED
    assert all(ROWS[f"virt{driver}d"].forwards == SECONDARIES for driver in HYPERVISORS)
    assert ROWS["virtstoraged"].forwards == ("secret",)
    assert ROWS["virtnetworkd"].forwards == ()


def test_names_that_access_checks_and_clients_see() -> None:
    shown = {row.scheme: (row.driver_name, row.type_name) for row in ROWS.values() if row.scheme}
    hypervisors = {
        "qemu": ("QEMU", "QEMU"),
        "xen": ("Xen", "Xen"),
        "lxc": ("LXC", "LXC"),
        "vbox": ("VBOX", "VBOX"),
        "bhyve": ("bhyve", "BHYVE"),
    }
    assert shown == hypervisors | {driver: (driver, driver) for driver in SECONDARIES}


def test_session_mode_and_uris() -> None:
    without = {name for name, row in ROWS.items() if not row.session_mode}
    assert without == {"virtxend", "virtlxcd", "virtbhyved", "virtnwfilterd"}
    for row in ROWS.values():
        if row.scheme is not None:
            assert (f"{row.scheme}:///session" in row.uris) == row.session_mode
            assert f"{row.scheme}:///system" in row.uris
    assert "xen:///" in ROWS["virtxend"].uris
    assert {"test:///default", "qemu:///system", "storage:///session"} <= set(ROWS["virtproxyd"].uris)


def test_who_serves_in_this_version() -> None:
    served = {name: row.local for name, row in ROWS.items() if row.served}
    assert served == {
        "libvirtd": ("test", "secret", "storage"),
        "virtproxyd": ("test",),
        "virtsecretd": ("secret",),
        "virtstoraged": ("storage",),
    }
