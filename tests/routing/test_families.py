# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemons a URI leads to."""

from __future__ import annotations

import pytest

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Family
from virtproxy.routing.families import HYPERVISORS, SECONDARY, Route, is_driver_name, relayed, served_here, target_of


def route_of(uri: str) -> Route:
    """The route of a URI in a proxy."""
    return relayed(target_of(uri))


@pytest.mark.parametrize("driver", sorted(HYPERVISORS))
def test_a_hypervisor_leaves_each_family_to_its_own_daemon(driver: str) -> None:
    route = route_of(f"{driver}:///system")
    assert route.primary.driver == driver
    assert {family: target.uri for family, target in route.secondary.items()} == {
        family: f"{name}:///system" for family, name in SECONDARY.items()
    }


def test_a_session_has_session_daemons_and_no_nwfilter() -> None:
    secondary = route_of("qemu:///session").secondary
    assert secondary[Family.STORAGE].uri == "storage:///session"
    assert Family.NWFILTER not in secondary


@pytest.mark.parametrize("driver", [*SECONDARY.values(), "test"])
def test_everything_else_is_served_by_one(driver: str) -> None:
    assert route_of(f"{driver}:///default").secondary == {}


def test_parameters_come_through() -> None:
    assert route_of("qemu:///system?socket_activation=1").primary.uri == "qemu:///system?socket_activation=1"


@pytest.mark.parametrize(
    ("uri", "detail"),
    [
        ("nonsense", "URI 'nonsense' does not include a driver name"),
        ("esx://host/", "esx://host/"),
        ("log:///system", "log:///system"),
        ("../../x:///system", None),
        ("vpx+x:///system", "vpx+x:///system"),
        ("qemu://other/system", "qemu://other/system"),
        ("qemu:///%73ystem", "qemu:///%73ystem"),
    ],
)
def test_what_nobody_serves_is_refused(uri: str, detail: str | None) -> None:
    with pytest.raises(VirtError) as caught:
        target_of(uri)
    assert caught.value.code == ErrorCode.NO_CONNECT
    assert detail is None or caught.value.str2 == detail


def test_what_is_no_uri_is_refused() -> None:
    with pytest.raises(VirtError, match="is not a URI"):
        target_of("qemu://[::1/system")


def test_names_of_drivers() -> None:
    assert all(is_driver_name(name) for name in (*HYPERVISORS, *SECONDARY.values(), "test", "toy", "toy2"))
    assert not any(is_driver_name(name) for name in ("", "Toy", "2toy", "t/y", "t.y", "lock", "log", "proxy", "x" * 33))


def test_a_driver_of_somebody_elses_is_served_by_its_daemon_alone() -> None:
    assert route_of("toy:///system").secondary == {}


def test_a_driver_in_this_process_leaves_to_others_what_it_does_not_serve() -> None:
    toy = target_of("toy:///session")
    route = served_here(toy, {Family.HYPERVISOR, Family.NETWORK}, {"toy", "secret", "network"})
    served = {family: target.uri for family, target in route.secondary.items()}
    assert served.pop(Family.SECRET) == "secret:///session"
    assert set(served.values()) == {"toy:///session"}
    assert Family.NWFILTER not in served


@pytest.mark.parametrize("driver", ["test", "storage"])
def test_some_drivers_serve_all_that_a_connection_has(driver: str) -> None:
    assert served_here(target_of(f"{driver}:///system"), (), {"secret", driver}).secondary == {}
