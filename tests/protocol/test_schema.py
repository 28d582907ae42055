# SPDX-License-Identifier: LGPL-2.1-or-later
"""Declarations as both ends use them: frames, rules, programs."""

from __future__ import annotations

import pytest

from virtproxy.protocol import admin, keepalive, lxc, net, qemu, remote
from virtproxy.protocol.schema import (
    ALLOWED,
    DENIED,
    Family,
    Procedure,
    Program,
    decode_error,
    denied_when,
    denied_with_flags,
    error_frame,
)
from virtproxy.wire import frame as wire
from virtproxy.wire.codec import WireError

DOMAIN = remote.NonnullDomain(name="test", uuid=bytes(16), id=1)
ERROR = net.NetError(
    code=42, domain=10, message="Domain not found: x", level=2, dom=None, str1="Domain not found: %s", str2="x",
    str3=None, int1=-1, int2=-1, net=None,
)  # fmt: skip


def test_call_there_and_back() -> None:
    args = remote.DomainSuspendArgs(dom=DOMAIN)
    frame = remote.DOMAIN_SUSPEND.call_frame(7, args)
    assert (frame.program, frame.version, frame.procedure) == (0x20008086, 1, 34)
    assert (frame.type, frame.serial, frame.status) == (wire.CALL, 7, wire.OK)
    assert remote.DOMAIN_SUSPEND.decode_args(frame) == args


def test_reply_there_and_back() -> None:
    ret = remote.DomainGetAutostartRet(autostart=1)
    frame = remote.DOMAIN_GET_AUTOSTART.reply_frame(8, ret)
    assert (frame.type, frame.serial, frame.status) == (wire.REPLY, 8, wire.OK)
    assert remote.DOMAIN_GET_AUTOSTART.decode_ret(frame) == ret


def test_event_there_and_back() -> None:
    msg = remote.DomainEventLifecycleMsg(dom=DOMAIN, event=2, detail=0)
    frame = remote.DOMAIN_EVENT_LIFECYCLE.event_frame(msg)
    assert (frame.type, frame.serial) == (wire.MESSAGE, 1)
    assert remote.DOMAIN_EVENT_LIFECYCLE.decode_args(frame) == msg


def test_empty_payloads() -> None:
    assert len(remote.CONNECT_CLOSE.call_frame(1, None).raw) == 28
    assert remote.CONNECT_CLOSE.decode_args(remote.CONNECT_CLOSE.call_frame(1, None)) is None
    assert len(remote.DOMAIN_SUSPEND.reply_frame(1, None).raw) == 28
    pong = keepalive.PONG.event_frame(None, serial=0)
    assert pong.raw.hex() == "0000001c" + "6b656570" + "00000001" + "00000002" + "00000002" + "00000000" * 2


def test_descriptors_are_counted_before_the_payload() -> None:
    args = remote.DomainOpenGraphicsArgs(dom=DOMAIN, idx=0, flags=0)
    frame = remote.DOMAIN_OPEN_GRAPHICS.call_frame(1, args, fds=(5, 6))
    assert (frame.type, frame.fds, frame.raw[28:32]) == (wire.CALL_WITH_FDS, (5, 6), b"\0\0\0\2")
    assert remote.DOMAIN_OPEN_GRAPHICS.decode_args(frame) == args
    assert remote.DOMAIN_OPEN_GRAPHICS_FD.reply_frame(1, None, fds=(5,)).type == wire.REPLY_WITH_FDS


def test_errors_end_replies_and_streams() -> None:
    frame = error_frame(0x20008086, 1, 23, 9, ERROR)
    assert (frame.type, frame.status, frame.serial) == (wire.REPLY, wire.ERROR, 9)
    assert decode_error(frame) == ERROR
    assert error_frame(0x20008086, 1, 209, 9, ERROR, type=wire.STREAM).type == wire.STREAM


def test_bytes_after_the_arguments_are_ignored() -> None:
    frame = remote.DOMAIN_SUSPEND.call_frame(7, remote.DomainSuspendArgs(dom=DOMAIN))
    longer = wire.pack(frame.program, 1, 34, wire.CALL, 7, wire.OK, bytes(frame.payload) + b"more")
    assert remote.DOMAIN_SUSPEND.decode_args(longer) == remote.DomainSuspendArgs(dom=DOMAIN)


def test_truncated_arguments() -> None:
    frame = remote.DOMAIN_SUSPEND.call_frame(7, remote.DomainSuspendArgs(dom=DOMAIN))
    shorter = wire.pack(frame.program, 1, 34, wire.CALL, 7, wire.OK, bytes(frame.payload)[:-4])
    with pytest.raises(WireError, match="DomainSuspendArgs: cut short"):
        remote.DOMAIN_SUSPEND.decode_args(shorter)


def test_another_struct_is_refused_even_if_its_bytes_would_fit() -> None:
    with pytest.raises(TypeError, match="DOMAIN_SUSPEND carries"):
        remote.DOMAIN_SUSPEND.call_frame(1, remote.DomainResumeArgs(dom=DOMAIN))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="CONNECT_CLOSE carries"):
        remote.CONNECT_CLOSE.call_frame(1, DOMAIN)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="DOMAIN_SUSPEND carries"):
        remote.DOMAIN_SUSPEND.call_frame(1, None)  # type: ignore[arg-type]


def test_more_than_a_packet_holds() -> None:
    ret = remote.DomainGetVcpusRet(info=[], cpumaps=bytes(remote.CPUMAPS_MAX))
    assert len(remote.DOMAIN_GET_VCPUS.reply_frame(1, ret).raw) > remote.CPUMAPS_MAX
    lists = remote.ConnectListDefinedDomainsRet(names=["x" * 4_000_000] * 9)
    with pytest.raises(ValueError, match="over the limit"):
        remote.CONNECT_LIST_DEFINED_DOMAINS.reply_frame(1, lists)


def test_numbers_are_unique() -> None:
    program = Program(1, 1, "sample")
    program.event(5, "FIRST", None)
    with pytest.raises(ValueError, match="SECOND"):
        program.event(5, "SECOND", None)


@pytest.mark.parametrize("module", [remote, qemu, lxc, admin, keepalive])
def test_every_constant_is_the_procedure_of_its_number(module: object) -> None:
    found = {name: thing for name, thing in vars(module).items() if isinstance(thing, Procedure)}
    program = module.PROGRAM  # type: ignore[attr-defined]
    own = {name: procedure for name, procedure in found.items() if procedure.program is program}
    assert own
    assert all(procedure.name == name for name, procedure in own.items())
    assert all(program.procedures[procedure.number] is procedure for procedure in own.values())
    assert len(own) == len(program.procedures)


def test_families() -> None:
    assert remote.NETWORK_GET_XML_DESC.family is Family.NETWORK
    assert remote.NODE_DEVICE_RESET.family is Family.HYPERVISOR
    assert remote.AUTH_LIST.family is Family.DAEMON
    assert admin.CLIENT_CLOSE.family is Family.DAEMON
    assert lxc.DOMAIN_OPEN_NAMESPACE.family is Family.HYPERVISOR


def test_readonly_rules() -> None:
    assert DENIED.denies(None)
    assert not ALLOWED.denies(None)
    assert DENIED.refusal("virDomainSuspend") == "read only access prevents virDomainSuspend"
    xml = remote.DOMAIN_GET_XML_DESC.readonly
    assert [xml.denies(remote.DomainGetXmlDescArgs(dom=DOMAIN, flags=flags)) for flags in (0, 1, 2, 8, 3)] == [
        False, True, False, True, True,
    ]  # fmt: skip
    assert xml.refusal("virDomainGetXMLDesc") == "virDomainGetXMLDesc with secure flag"
    vcpus = remote.DOMAIN_GET_VCPUS_FLAGS.readonly
    assert vcpus.refusal("virDomainGetVcpusFlags") == "read only access prevents virDomainGetVcpusFlags"
    addresses = remote.DOMAIN_INTERFACE_ADDRESSES.readonly
    sources = (remote.DomainInterfaceAddressesArgs(dom=DOMAIN, source=source, flags=0) for source in (0, 1, 2))
    assert [addresses.denies(args) for args in sources] == [False, True, False]
    assert denied_with_flags(4).denies(remote.DomainGetXmlDescArgs(dom=DOMAIN, flags=6))
    assert not denied_when("flags", 4).denies(remote.DomainGetXmlDescArgs(dom=DOMAIN, flags=6))


def test_events_have_their_messages() -> None:
    lifecycle = remote.EVENTS["domain", 0]
    assert (lifecycle.modern, lifecycle.legacy) == (
        remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE,
        remote.DOMAIN_EVENT_LIFECYCLE,
    )
    assert remote.EVENTS["network", 0].legacy is None
    assert all(row.modern.event for row in remote.EVENTS.values())
