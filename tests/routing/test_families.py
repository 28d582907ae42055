# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemons a URI leads to."""

from __future__ import annotations

import pytest

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Family
from virtproxy.routing.families import HYPERVISORS, SECONDARY, route_of


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
        ("nope:///x", "nope:///x"),
        ("esx://host/", "esx://host/"),
        ("qemu://other/system", "qemu://other/system"),
        ("qemu:///%73ystem", "qemu:///%73ystem"),
    ],
)
def test_what_nobody_serves_is_refused(uri: str, detail: str) -> None:
    with pytest.raises(VirtError) as caught:
        route_of(uri)
    assert (caught.value.code, caught.value.str2) == (ErrorCode.NO_CONNECT, detail)


def test_what_is_no_uri_is_refused() -> None:
    with pytest.raises(VirtError, match="is not a URI"):
        route_of("qemu://[::1/system")
