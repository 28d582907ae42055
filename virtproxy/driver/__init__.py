# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a driver author imports, all of it.

    class ToyDriver(Driver):
        name = "toy"

        @implements(remote.CONNECT_GET_HOSTNAME)
        async def hostname(self, call: Call, args: None) -> remote.ConnectGetHostnameRet:
            return remote.ConnectGetHostnameRet(hostname="toy")

A procedure without a method is answered "not supported"; VirtError is answered as the error it is; any
other exception is logged and answered as an internal error.
"""

from __future__ import annotations

from virtproxy.driver import enums, kinds
from virtproxy.driver.base import Driver, HangUp, implements
from virtproxy.driver.call import Call
from virtproxy.driver.definitions import Definitions, StatusFiles, Stored, should_autostart, system_error
from virtproxy.driver.events import EventClass
from virtproxy.driver.instance import Instance
from virtproxy.driver.jobs import Job, Work
from virtproxy.driver.kinds import Kind
from virtproxy.driver.list_flags import ListFlags, either
from virtproxy.driver.objects import Objects
from virtproxy.driver.params import Params, Type, param, values_of
from virtproxy.driver.place import Peer, Place
from virtproxy.driver.programs import Finished, run_program
from virtproxy.driver.stream import Stream
from virtproxy.driver.stream_files import Hole
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

__all__ = [
    "Call",
    "Definitions",
    "Driver",
    "ErrorCode",
    "ErrorDomain",
    "EventClass",
    "Finished",
    "HangUp",
    "Hole",
    "Identity",
    "Instance",
    "Job",
    "Kind",
    "ListFlags",
    "Objects",
    "Params",
    "Peer",
    "Place",
    "StatusFiles",
    "Stored",
    "Stream",
    "Type",
    "VirtError",
    "Work",
    "either",
    "enums",
    "implements",
    "kinds",
    "lxc",
    "param",
    "qemu",
    "remote",
    "run_program",
    "should_autostart",
    "system_error",
    "values_of",
]
