# SPDX-License-Identifier: LGPL-2.1-or-later
"""The way of a call through the local backend: what a client gets for whatever a driver does."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.support.toy import GUEST, ToyDriver, error_of, result_of
from virtproxy.driver import (
    Call,
    Driver,
    ErrorCode,
    ErrorDomain,
    HangUp,
    Identity,
    VirtError,
    implements,
    lxc,
    qemu,
    remote,
)
from virtproxy.driver.backend import WAITING_MAX, LocalBackend
from virtproxy.driver.harness import DriverHarness
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.codec import encode
from virtproxy.wire.frame import CALL, CALL_WITH_FDS, ERROR, OK, REPLY, Frame, pack

REMOTE = remote.PROGRAM.number


class Nobody:
    """Grants nothing to anybody."""

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        return False


class NotTheOther:
    """Grants everything but sight of the second guest."""

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        return getattr(subject, "name", "") != "other"


@pytest.fixture
def driver() -> ToyDriver:
    return ToyDriver()


@pytest.fixture
def harness(driver: ToyDriver) -> DriverHarness:
    return DriverHarness(driver)


def raw_error(harness: DriverHarness, program: int, number: int, payload: bytes, version: int = 1) -> VirtError:
    """The error that a call with these bytes is answered with."""
    frame = result_of(harness.call_bytes(program, number, payload, version))
    assert (frame.type, frame.status) == (REPLY, ERROR)
    return VirtError.from_net(decode_error(frame))


def test_a_call_reaches_its_method_with_its_circumstances(driver: ToyDriver) -> None:
    identity = Identity(uid=42, user_name="joe")
    harness = DriverHarness(driver, uri="toy:///system", identity=identity, readonly=True)
    assert result_of(harness.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "toyhost"
    (call,) = driver.calls
    assert (call.identity, call.uri, call.readonly) == (identity, "toy:///system", True)
    assert call.procedure is remote.CONNECT_GET_HOSTNAME


def test_a_driver_that_says_nothing_of_itself_has_it_said(driver: ToyDriver) -> None:
    harness = DriverHarness(driver, uri="toy:///system")
    assert result_of(harness.call(remote.CONNECT_GET_URI, None)).uri == "toy:///system"
    assert result_of(harness.call(remote.CONNECT_GET_TYPE, None)).type == "toy"
    assert result_of(harness.call(remote.CONNECT_GET_LIB_VERSION, None)).lib_ver == 11_003_000


@pytest.mark.parametrize(
    ("procedure", "args", "api", "domain"),
    [
        (remote.CONNECT_GET_VERSION, None, "virConnectGetVersion", ErrorDomain.DOMAIN),
        (remote.CONNECT_NUM_OF_SECRETS, None, "virConnectNumOfSecrets", ErrorDomain.SECRET),
        (remote.CONNECT_NUM_OF_NETWORKS, None, "virConnectNumOfNetworks", ErrorDomain.NETWORK),
        (
            remote.DOMAIN_SNAPSHOT_NUM,
            remote.DomainSnapshotNumArgs(dom=GUEST, flags=0),
            "virDomainSnapshotNum",
            ErrorDomain.DOMAIN_SNAPSHOT,
        ),
        (
            remote.NODE_DEVICE_RESET,
            remote.NodeDeviceResetArgs(name="pci"),
            "virNodeDeviceReset",
            ErrorDomain.NODEDEV,
        ),
    ],
)
def test_an_absent_procedure_is_not_supported(
    harness: DriverHarness, procedure: Procedure[Any, Any], args: Any, api: str, domain: ErrorDomain
) -> None:
    error = error_of(harness, procedure, args)
    text = f"this function is not supported by the connection driver: {api}"
    assert (error.code, error.domain, error.level, error.message) == (ErrorCode.NO_SUPPORT, domain, 2, text)
    assert (error.str1, error.str2) == ("this function is not supported by the connection driver: %1$s", api)
    assert (error.int1, error.int2) == (-1, -1)


@pytest.mark.parametrize("program", [qemu.PROGRAM, lxc.PROGRAM])
def test_the_other_programs_are_known_too(harness: DriverHarness, program: Any) -> None:
    number = next(number for number, procedure in program.procedures.items() if procedure.args and not procedure.event)
    error = raw_error(harness, program.number, number, b"")
    assert error.code == ErrorCode.RPC
    assert (error.message or "").startswith("Unable to decode message payload")


def test_an_error_of_the_driver_is_answered_as_it_is(harness: DriverHarness) -> None:
    error = error_of(harness, remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=GUEST))
    assert (error.code, error.domain) == (ErrorCode.OPERATION_INVALID, ErrorDomain.TEST)
    assert error.message == "Requested operation is not valid: the toy stays"


def test_any_other_exception_is_logged_and_answered_without_its_text(harness: DriverHarness, flush_errors: Any) -> None:
    error = error_of(harness, remote.DOMAIN_SHUTDOWN, remote.DomainShutdownArgs(dom=GUEST))
    assert (error.code, error.domain) == (ErrorCode.INTERNAL_ERROR, ErrorDomain.TEST)
    assert "secret" not in (error.message or "")
    (failure,) = flush_errors(ZeroDivisionError)
    assert "a secret of the toy" in failure.getTraceback()
    assert result_of(harness.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "toyhost"


def test_a_reply_without_authorization_is_withheld(harness: DriverHarness, driver: ToyDriver) -> None:
    error = error_of(harness, remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=GUEST))
    assert driver.calls, "the method ran"
    assert error.message == "internal error: driver 'toy' served DOMAIN_RESUME without call.authorize"


def test_a_list_without_filter_is_withheld(harness: DriverHarness) -> None:
    error = error_of(harness, remote.CONNECT_NUM_OF_DOMAINS, None)
    assert error.message == "internal error: driver 'toy' served CONNECT_NUM_OF_DOMAINS without call.visible"


@pytest.mark.parametrize(
    ("procedure", "args"),
    [
        (remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=GUEST)),
        (remote.CONNECT_GET_HOSTNAME, None),
        (remote.CONNECT_DOMAIN_EVENT_REGISTER, None),
    ],
)
def test_a_denied_permission_is_an_access_error(driver: ToyDriver, procedure: Procedure[Any, Any], args: Any) -> None:
    error = error_of(DriverHarness(driver, access=Nobody()), procedure, args)
    assert error.code == ErrorCode.ACCESS_DENIED
    assert error.str2 == "'toy' denied access"
    assert not driver.calls


def test_what_a_caller_may_not_see_is_left_out(driver: ToyDriver) -> None:
    harness = DriverHarness(driver, access=NotTheOther())
    args = remote.ConnectListAllDomainsArgs(need_results=1, flags=0)
    ret = result_of(harness.call(remote.CONNECT_LIST_ALL_DOMAINS, args))
    assert ([dom.name for dom in ret.domains], ret.ret) == (["toy"], 1)


def test_unknown_flags_name_the_driver_and_the_function(harness: DriverHarness) -> None:
    error = error_of(harness, remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=GUEST, flags=0x14))
    assert (error.code, error.domain) == (ErrorCode.INVALID_ARG, ErrorDomain.TEST)
    assert error.message == "unsupported flags (0x14) in function toyDomainGetXMLDesc"
    assert (error.str1, error.str2, error.int1, error.int2) == ("toyDomainGetXMLDesc", "flags", 0, 0)


@pytest.mark.parametrize("cut", [0, 1, 4, 8, 20])
def test_arguments_that_do_not_decode_are_an_rpc_error(harness: DriverHarness, cut: int) -> None:
    payload = encode(remote.DomainSuspendArgs(dom=GUEST))
    error = raw_error(harness, REMOTE, remote.DOMAIN_SUSPEND.number, payload[:cut])
    assert (error.code, error.domain) == (ErrorCode.RPC, ErrorDomain.RPC)
    assert (error.message or "").startswith("Unable to decode message payload")


def test_bytes_after_the_arguments_are_ignored(harness: DriverHarness) -> None:
    payload = encode(remote.DomainSuspendArgs(dom=GUEST)) + b"more"
    assert result_of(harness.call_bytes(REMOTE, remote.DOMAIN_SUSPEND.number, payload)).status == OK


@pytest.mark.parametrize(
    ("program", "version", "number", "text"),
    [
        (7, 1, 1, "Cannot find program 7 version 1"),
        (REMOTE, 2, 1, f"Cannot find program {REMOTE} version 2"),
        (REMOTE, 1, 99999, "unknown procedure: 99999"),
        (REMOTE, 1, 0, "unknown procedure: 0"),
        (
            REMOTE,
            1,
            remote.DOMAIN_EVENT_LIFECYCLE.number,
            f"unknown procedure: {remote.DOMAIN_EVENT_LIFECYCLE.number}",
        ),
    ],
)
def test_what_is_no_procedure_is_an_rpc_error(
    harness: DriverHarness, program: int, version: int, number: int, text: str
) -> None:
    error = raw_error(harness, program, number, b"", version)
    assert (error.code, error.domain, error.message) == (ErrorCode.RPC, ErrorDomain.RPC, text)


def test_a_call_that_waits_is_answered_when_it_is_done(harness: DriverHarness, driver: ToyDriver) -> None:
    answers: list[Any] = []
    Deferred.fromCoroutine(harness.call(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=GUEST))).addBoth(
        lambda answer: answers.append(("done", answer))
    )
    assert result_of(harness.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "toyhost"
    assert not answers
    driver.waiting.callback(None)
    assert answers == [("done", None)]


def test_closing_cancels_what_waits_and_answers_nothing(
    harness: DriverHarness, driver: ToyDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[object] = []
    driver.waiting = Deferred(lambda waiting: cancelled.append(waiting))
    frame = remote.DOMAIN_CREATE.call_frame(1, remote.DomainCreateArgs(dom=GUEST))
    replies: list[Frame] = []
    monkeypatch.setattr(harness, "reply", replies.append)
    harness.backend.call(frame)
    harness.close()
    harness.backend.call(frame)
    assert (len(cancelled), replies, driver.left) == (1, [], 1)


def test_the_driver_hears_when_its_last_client_leaves(driver: ToyDriver) -> None:
    first, second = DriverHarness(driver), DriverHarness(driver)
    first.close()
    first.close()
    assert driver.left == 0
    second.close()
    assert driver.left == 1


def test_another_drivers_uri_is_refused(driver: ToyDriver) -> None:
    with pytest.raises(VirtError) as caught:
        DriverHarness(driver, uri="qemu:///system")
    assert caught.value.code == ErrorCode.NO_CONNECT
    assert not driver.subscribers


@pytest.mark.parametrize(
    ("number", "payload", "status"),
    [
        (remote.DOMAIN_OPEN_GRAPHICS.number, encode(remote.DomainOpenGraphicsArgs(dom=GUEST, idx=0, flags=0)), OK),
        (remote.DOMAIN_OPEN_GRAPHICS.number, b"", ERROR),
        (remote.DOMAIN_FD_ASSOCIATE.number, b"", ERROR),
        (99999, b"", ERROR),
    ],
)
def test_descriptors_that_nobody_took_are_closed(
    harness: DriverHarness, number: int, payload: bytes, status: int
) -> None:
    read, write = os.pipe()
    try:
        frame = pack(REMOTE, 1, number, CALL_WITH_FDS, 1, OK, payload, (write,))
        assert result_of(harness.call_raw(frame)).status == status
        assert os.read(read, 1) == b"", "the writing end is closed"
    finally:
        os.close(read)


def test_events_wait_for_a_client_that_does_not_read(harness: DriverHarness) -> None:
    result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_REGISTER, None))
    harness.backend.pause()
    result_of(harness.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=GUEST)))
    assert harness.events == []
    harness.backend.resume()
    assert [event.name for event, _ in harness.events] == ["DOMAIN_EVENT_LIFECYCLE"]


def test_a_client_that_never_reads_is_given_up(harness: DriverHarness, driver: ToyDriver) -> None:
    result_of(harness.call(remote.CONNECT_DOMAIN_EVENT_REGISTER, None))
    harness.backend.pause()
    size = len(
        remote.DOMAIN_EVENT_LIFECYCLE.event_frame(remote.DomainEventLifecycleMsg(dom=GUEST, event=3, detail=0)).raw
    )
    for _ in range(WAITING_MAX // size + 1):
        driver.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, driver.guest, 3, 0)
    (error,) = harness.lost
    assert "does not read its events" in (error.message or "")
    assert not driver.subscribers


def test_a_changed_identity_holds_from_the_next_call_on(harness: DriverHarness, driver: ToyDriver) -> None:
    result_of(harness.backend.set_identity(Identity(uid=7)))
    result_of(harness.call(remote.CONNECT_GET_HOSTNAME, None))
    assert driver.calls[-1].identity.uid == 7


def test_stream_packets_are_dropped(harness: DriverHarness) -> None:
    harness.backend.stream(pack(REMOTE, 1, remote.STORAGE_VOL_UPLOAD.number, CALL, 9, OK, b"x"))
    assert result_of(harness.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "toyhost"


@pytest.mark.parametrize(("feature", "supported"), [(1, 0), (2, 0), (8, 1), (9, 1), (16, 1), (99, 0)])
def test_features_that_every_driver_has(harness: DriverHarness, feature: int, supported: int) -> None:
    args = remote.ConnectSupportsFeatureArgs(feature=feature)
    assert result_of(harness.call(remote.CONNECT_SUPPORTS_FEATURE, args)).supported == supported


class Generous(ToyDriver):
    """Gives each client of toy:///own a driver of its own, but only Joe."""

    async def serving(self, uri: str, identity: Identity) -> Driver:
        if uri != "toy:///own":
            return await super().serving(uri, identity)
        if identity.user_name != "joe":
            raise VirtError(ErrorCode.ACCESS_DENIED, "only Joe")
        return ToyDriver()


def opened(driver: Driver, identity: Identity) -> LocalBackend:
    """A backend that a client opened toy:///own with."""
    backend = LocalBackend(driver, DriverHarness(driver), identity, uri="toy:///own")
    result_of(backend.open())
    return backend


def test_a_driver_may_give_a_client_one_of_its_own() -> None:
    driver = Generous()
    first, second = (opened(driver, Identity(user_name="joe")) for _ in range(2))
    assert isinstance(first.driver, ToyDriver)
    assert len({id(driver), id(first.driver), id(second.driver)}) == 3
    with pytest.raises(VirtError, match="only Joe"):
        opened(driver, Identity())
    usual = LocalBackend(driver, DriverHarness(driver), Identity(), uri="toy:///system")
    result_of(usual.open())
    assert usual.driver is driver


class Rude(ToyDriver):
    """Hangs up on whoever asks for its name."""

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call: Call, args: None) -> remote.ConnectGetHostnameRet:
        raise HangUp("no names here")


def test_a_driver_may_hang_up_on_a_client() -> None:
    harness = DriverHarness(Rude())
    asked = Deferred.fromCoroutine(harness.call(remote.CONNECT_GET_HOSTNAME, None))
    failures: list[Any] = []
    asked.addErrback(failures.append)
    assert failures[0].check(HangUp)
    assert str(failures[0].value) == "no names here"
