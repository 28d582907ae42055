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

from virtproxy.driver.base import Driver, implements
from virtproxy.driver.call import Call
from virtproxy.driver.events import EventClass
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

__all__ = [
    "Call",
    "Driver",
    "ErrorCode",
    "ErrorDomain",
    "EventClass",
    "Identity",
    "VirtError",
    "implements",
    "lxc",
    "qemu",
    "remote",
]
