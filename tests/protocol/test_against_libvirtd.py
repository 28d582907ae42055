# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real libvirtd understands the arguments of every procedure as we encode them.

Nothing is opened first, so the daemon decodes each call and then refuses it for want of a connection: nothing is done,
and a payload that it cannot decode is told apart by its error.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.lab import BACKEND_SOCKETS, Lab, fetched_tree
from tests.support.values import values_of
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.net import NetError
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire import frame as wire
from virtproxy.wire.framer import Framer

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(240)]

# These need no connection, or make one.
LEFT_OUT = {"CONNECT_OPEN", "AUTH_SASL_START", "AUTH_SASL_STEP", "CONNECT_SUPPORTS_FEATURE"}
PROCEDURES = [
    procedure
    for module in (remote, qemu, lxc)
    for procedure in module.PROGRAM.procedures.values()
    if procedure.args and not procedure.event and procedure.name not in LEFT_OUT
]
few = settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Caller:
    """A connection that makes calls which must fail."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.framer, self.serial = connection, Framer(), 0

    def error(self, procedure: Procedure[Any, Any], args: object, cut: int = 0) -> NetError:
        """The error that answers the call, of whose payload the last ``cut`` bytes are left out."""
        self.serial += 1
        whole = procedure.call_frame(self.serial, args)
        payload = bytes(whole.payload)[: len(whole.payload) - cut]
        call = wire.pack(whole.program, 1, procedure.number, wire.CALL, self.serial, wire.OK, payload)
        self.connection.sendall(call.raw)
        frames: list[wire.Frame] = []
        while not frames:
            frames = self.framer.feed(self.connection.recv(1 << 16))
        assert (frames[0].serial, frames[0].status) == (self.serial, wire.ERROR)
        return decode_error(frames[0])


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with Lab(fetched_tree()) as lab, socket.socket(socket.AF_UNIX) as connection:
        lab.libvirtd(BACKEND_SOCKETS)
        connection.connect(str(lab.outside(BACKEND_SOCKETS) / "libvirt-sock"))
        caller = Caller(connection)
        connection.sendall(remote.AUTH_LIST.call_frame(0, None).raw)
        (reply,) = caller.framer.feed(connection.recv(1 << 16))
        assert remote.AUTH_LIST.decode_ret(reply).types == [remote.AuthType.NONE]
        yield caller


@pytest.mark.parametrize("procedure", PROCEDURES, ids=lambda procedure: procedure.name)
def test_libvirtd_decodes_the_arguments(caller: Caller, procedure: Procedure[Any, Any]) -> None:
    @given(values_of(procedure.args or pytest.fail("no arguments")))
    @few
    def check(args: object) -> None:
        assert caller.error(procedure, args).code != ErrorCode.RPC, args
        assert caller.error(procedure, args, cut=4).code == ErrorCode.RPC, args

    check()
