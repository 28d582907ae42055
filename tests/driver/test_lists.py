# SPDX-License-Identifier: LGPL-2.1-or-later
"""What no driver has to check: how many results a caller wants, and how many a reply holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.toy import GUEST, ToyDriver, error_of, result_of
from virtproxy.driver import ErrorCode, ErrorDomain, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.protocol.schema import Procedure


@pytest.fixture
def harness() -> DriverHarness:
    return DriverHarness(ToyDriver())


def test_lists_are_cut_to_the_wanted_number(harness: DriverHarness) -> None:
    for wanted, names in ((3, ["a", "b", "c"]), (2, ["a", "b"]), (0, [])):
        args = remote.ConnectListDefinedDomainsArgs(maxnames=wanted)
        assert result_of(harness.call(remote.CONNECT_LIST_DEFINED_DOMAINS, args)).names == names


@pytest.mark.parametrize(
    ("wanted", "text"), [(-1, "maxnames must be non-negative"), (16385, "maxnames > REMOTE_DOMAIN_LIST_MAX")]
)
def test_an_impossible_number_of_names_is_refused(harness: DriverHarness, wanted: int, text: str) -> None:
    args = remote.ConnectListDefinedDomainsArgs(maxnames=wanted)
    error = error_of(harness, remote.CONNECT_LIST_DEFINED_DOMAINS, args)
    assert (error.code, error.domain, error.message) == (ErrorCode.RPC, ErrorDomain.RPC, text)


@pytest.mark.parametrize(("wanted", "text"), [(-1, "nparams must be non-negative"), (33, "nparams too large")])
def test_an_impossible_number_of_parameters_is_refused(harness: DriverHarness, wanted: int, text: str) -> None:
    args = remote.DomainGetBlockIoTuneArgs(dom=GUEST, disk=None, nparams=wanted, flags=0)
    error = error_of(harness, remote.DOMAIN_GET_BLOCK_IO_TUNE, args)
    assert (error.code, error.message) == (ErrorCode.INTERNAL_ERROR, f"internal error: {text}")


@pytest.mark.parametrize(
    ("procedure", "args", "text"),
    [
        (
            remote.DOMAIN_GET_VCPUS,
            remote.DomainGetVcpusArgs(dom=GUEST, maxinfo=16385, maplen=1),
            "maxinfo > REMOTE_VCPUINFO_MAX",
        ),
        (
            remote.DOMAIN_GET_VCPUS,
            remote.DomainGetVcpusArgs(dom=GUEST, maxinfo=2, maplen=2**31 - 1),
            "maxinfo * maplen > REMOTE_CPUMAPS_MAX",
        ),
        (
            remote.DOMAIN_GET_VCPU_PIN_INFO,
            remote.DomainGetVcpuPinInfoArgs(dom=GUEST, ncpumaps=16384, maplen=513, flags=0),
            "ncpumaps * maplen > REMOTE_CPUMAPS_MAX",
        ),
        (
            remote.DOMAIN_GET_EMULATOR_PIN_INFO,
            remote.DomainGetEmulatorPinInfoArgs(dom=GUEST, maplen=8388609, flags=0),
            "maplen > REMOTE_CPUMAPS_MAX",
        ),
        (
            remote.NODE_GET_FREE_PAGES,
            remote.NodeGetFreePagesArgs(pages=[4], start_cell=0, cell_count=2**32 - 1, flags=0),
            "the result won't fit into REMOTE_NODE_MAX_CELLS",
        ),
    ],
)
def test_more_than_a_reply_holds_is_refused_before_the_driver_runs(
    harness: DriverHarness, procedure: Procedure[Any, Any], args: Any, text: str
) -> None:
    error = error_of(harness, procedure, args)
    assert (error.code, error.domain) == (ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC)
    assert error.message == f"internal error: {text}"


def test_no_parameters_wanted_gives_their_number(harness: DriverHarness) -> None:
    for wanted, names in ((0, []), (1, ["f"])):
        args = remote.DomainGetBlockIoTuneArgs(dom=GUEST, disk=None, nparams=wanted, flags=0)
        ret = result_of(harness.call(remote.DOMAIN_GET_BLOCK_IO_TUNE, args))
        assert ([param.field for param in ret.params], ret.nparams) == (names, 1)


def test_without_need_of_results_only_their_number_is_sent(harness: DriverHarness) -> None:
    args = remote.ConnectListAllDomainsArgs(need_results=0, flags=0)
    ret = result_of(harness.call(remote.CONNECT_LIST_ALL_DOMAINS, args))
    assert (ret.domains, ret.ret) == ([], 2)


def test_more_results_than_a_reply_holds_are_an_error(harness: DriverHarness) -> None:
    args = remote.ConnectGetAllDomainStatsArgs(doms=[], stats=0, flags=0)
    error = error_of(harness, remote.CONNECT_GET_ALL_DOMAIN_STATS, args)
    assert error.code == ErrorCode.RPC
    assert "does not fit a reply" in (error.message or "")
