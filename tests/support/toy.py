# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small driver that misbehaves in every way a driver can, for the tests of the SDK."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred

from virtproxy.driver import Call, Driver, ErrorCode, ErrorDomain, EventClass, Place, VirtError, implements, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.protocol.schema import Procedure

T = TypeVar("T")
UUID = bytes(range(16))
GUEST = remote.NonnullDomain(name="toy", uuid=UUID, id=1)
OTHER = remote.NonnullDomain(name="other", uuid=bytes(16), id=2)


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that needs no reactor to end; its exception is raised."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addCallbacks(results.append, lambda failure: results.append(failure))
    assert results, "the coroutine still waits"
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    value: T = results[0]
    return value


def error_of(harness: DriverHarness, procedure: Procedure[Any, Any], args: Any) -> VirtError:
    """The error that the call is answered with."""
    with pytest.raises(VirtError) as caught:
        result_of(harness.call(procedure, args))
    return caught.value


class Guest:
    """The only thing a toy has."""

    def __init__(self, ref: remote.NonnullDomain = GUEST) -> None:
        self._ref = ref

    def ref(self) -> remote.NonnullDomain:
        return self._ref


class ToyDriver(Driver):
    """Each method is one way to behave."""

    name = "toy"
    error_domain = ErrorDomain.TEST
    event_classes = frozenset({EventClass.DOMAIN})

    def __init__(self, place: Place | None = None) -> None:
        super().__init__(place)
        self.guest = Guest()
        self.calls: list[Call] = []
        self.waiting: Deferred[None] = Deferred()
        self.left = 0

    def last_client_left(self) -> None:
        self.left += 1

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call: Call, args: None) -> remote.ConnectGetHostnameRet:
        self.calls.append(call)
        return remote.ConnectGetHostnameRet(hostname="toyhost")

    @implements(remote.DOMAIN_SUSPEND)
    async def suspend(self, call: Call, args: remote.DomainSuspendArgs) -> None:
        call.authorize(self.guest)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, self.guest, 3, 0)

    @implements(remote.DOMAIN_RESUME)
    async def forgets_to_authorize(self, call: Call, args: remote.DomainResumeArgs) -> None:
        self.calls.append(call)

    @implements(remote.CONNECT_NUM_OF_DOMAINS)
    async def forgets_to_filter(self, call: Call, args: None) -> remote.ConnectNumOfDomainsRet:
        return remote.ConnectNumOfDomainsRet(num=1)

    @implements(remote.DOMAIN_DESTROY)
    async def refuses(self, call: Call, args: remote.DomainDestroyArgs) -> None:
        call.authorize(self.guest)
        raise VirtError.of(ErrorCode.OPERATION_INVALID, "the toy stays", domain=ErrorDomain.TEST)

    @implements(remote.DOMAIN_SHUTDOWN)
    async def breaks(self, call: Call, args: remote.DomainShutdownArgs) -> None:
        raise ZeroDivisionError("a secret of the toy")

    @implements(remote.DOMAIN_CREATE)
    async def waits(self, call: Call, args: remote.DomainCreateArgs) -> None:
        call.authorize(self.guest)
        await self.waiting

    @implements(remote.CONNECT_LIST_DEFINED_DOMAINS)
    async def list_defined(
        self, call: Call, args: remote.ConnectListDefinedDomainsArgs
    ) -> remote.ConnectListDefinedDomainsRet:
        return remote.ConnectListDefinedDomainsRet(names=call.visible(["a", "b", "c"]))

    @implements(remote.CONNECT_LIST_ALL_DOMAINS)
    async def list_all(self, call: Call, args: remote.ConnectListAllDomainsArgs) -> remote.ConnectListAllDomainsRet:
        found = call.visible([GUEST, OTHER])
        return remote.ConnectListAllDomainsRet(domains=found, ret=len(found))

    @implements(remote.DOMAIN_SNAPSHOT_LIST_NAMES)
    async def too_many_names(
        self, call: Call, args: remote.DomainSnapshotListNamesArgs
    ) -> remote.DomainSnapshotListNamesRet:
        call.authorize(self.guest)
        return remote.DomainSnapshotListNamesRet(names=["x"] * (args.flags or 1))

    @implements(remote.CONNECT_GET_ALL_DOMAIN_STATS)
    async def too_many_stats(
        self, call: Call, args: remote.ConnectGetAllDomainStatsArgs
    ) -> remote.ConnectGetAllDomainStatsRet:
        record = remote.DomainStatsRecord(dom=GUEST, params=[])
        return remote.ConnectGetAllDomainStatsRet(ret_stats=call.visible([record] * 16385))

    @implements(remote.DOMAIN_GET_XML_DESC)
    async def xml(self, call: Call, args: remote.DomainGetXmlDescArgs) -> remote.DomainGetXmlDescRet:
        call.check_flags(args.flags, 1, 2, 8)
        call.authorize(self.guest)
        return remote.DomainGetXmlDescRet(xml="<domain/>")

    @implements(remote.DOMAIN_GET_BLOCK_IO_TUNE)
    async def tune(self, call: Call, args: remote.DomainGetBlockIoTuneArgs) -> remote.DomainGetBlockIoTuneRet:
        call.authorize(self.guest)
        value = remote.TypedParamValue(type=remote.TypedParameterType.UINT, value=1)
        return remote.DomainGetBlockIoTuneRet(params=[remote.TypedParam(field="f", value=value)], nparams=1)

    @implements(remote.DOMAIN_OPEN_GRAPHICS)
    async def graphics(self, call: Call, args: remote.DomainOpenGraphicsArgs) -> None:
        call.authorize(self.guest)
