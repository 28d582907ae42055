# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a real domain would be asked through its guest agent, its keyboard or its screen."""

from __future__ import annotations

import struct
import zlib
from functools import cache

from virtproxy.driver import Call, ErrorCode, Stream, implements, remote
from virtproxy.drivers.test.figure_sources import FILE_SYSTEMS, GUEST_TIME, addresses
from virtproxy.drivers.test.guests import Guest, invalid
from virtproxy.drivers.test.host import TestHost

SYNC_TIME, ENCRYPTED_PASSWORD = 1, 1
MOUNT_POINTS = tuple(system.mountpoint for system in FILE_SYSTEMS)
ADDRESS_SOURCES = range(3)  # leases, agent, ARP
INIT_PID, SIGNAL_MAX = 1, 64
MESSAGES_DEPRECATION, MESSAGES_TAINTING, MESSAGES_IO_ERRORS = 1, 2, 4


class Agent(TestHost):
    """Only a running guest answers."""

    @implements(remote.DOMAIN_GET_HOSTNAME)
    async def guest_hostname(self, call: Call, args: remote.DomainGetHostnameArgs) -> remote.DomainGetHostnameRet:
        call.check_flags(args.flags)
        return remote.DomainGetHostnameRet(hostname=f"{self._running(call, args.dom).name}host")

    @implements(remote.DOMAIN_GET_TIME)
    async def guest_time(self, call: Call, args: remote.DomainGetTimeArgs) -> remote.DomainGetTimeRet:
        call.check_flags(args.flags)
        if not self.subject(call, args.dom).active:
            raise invalid("domain is not running")
        return remote.DomainGetTimeRet(seconds=GUEST_TIME, nseconds=0)

    @implements(remote.DOMAIN_SET_TIME)
    async def set_guest_time(self, call: Call, args: remote.DomainSetTimeArgs) -> None:
        call.check_flags(args.flags, SYNC_TIME)
        self._running(call, args.dom)

    @implements(remote.DOMAIN_INTERFACE_ADDRESSES)
    async def interface_addresses(
        self, call: Call, args: remote.DomainInterfaceAddressesArgs
    ) -> remote.DomainInterfaceAddressesRet:
        call.check_flags(args.flags)
        guest = self._running(call, args.dom)
        if args.source not in ADDRESS_SOURCES:
            raise call.error(ErrorCode.ARGUMENT_UNSUPPORTED, f"Unknown IP address data source {args.source}")
        return remote.DomainInterfaceAddressesRet(ifaces=addresses(guest.active_document(), guest.id))

    @implements(remote.DOMAIN_GET_FSINFO)
    async def file_systems(self, call: Call, args: remote.DomainGetFsinfoArgs) -> remote.DomainGetFsinfoRet:
        call.check_flags(args.flags)
        has_disk = self._running(call, args.dom).active_document().find_disk("vda") is not None
        found = list(FILE_SYSTEMS) if has_disk else []
        return remote.DomainGetFsinfoRet(info=found, ret=len(found))

    @implements(remote.DOMAIN_FSFREEZE)
    async def freeze(self, call: Call, args: remote.DomainFsfreezeArgs) -> remote.DomainFsfreezeRet:
        call.check_flags(args.flags)
        guest = self._running(call, args.dom)
        wanted = _mount_points(args.mountpoints) - guest.frozen
        guest.frozen |= wanted
        return remote.DomainFsfreezeRet(filesystems=len(wanted))

    @implements(remote.DOMAIN_FSTHAW)
    async def thaw(self, call: Call, args: remote.DomainFsthawArgs) -> remote.DomainFsthawRet:
        call.check_flags(args.flags)
        guest = self._running(call, args.dom)
        wanted = _mount_points(args.mountpoints) & guest.frozen
        guest.frozen -= wanted
        return remote.DomainFsthawRet(filesystems=len(wanted))

    @implements(remote.DOMAIN_FSTRIM)
    async def trim(self, call: Call, args: remote.DomainFstrimArgs) -> None:
        call.check_flags(args.flags)
        self._running(call, args.dom)
        _mount_points([] if args.mount_point is None else [args.mount_point])

    @implements(remote.DOMAIN_SET_USER_PASSWORD)
    async def set_user_password(self, call: Call, args: remote.DomainSetUserPasswordArgs) -> None:
        call.check_flags(args.flags, ENCRYPTED_PASSWORD)
        self._running(call, args.dom)

    @implements(remote.DOMAIN_SEND_KEY)
    async def send_key(self, call: Call, args: remote.DomainSendKeyArgs) -> None:
        call.check_flags(args.flags)
        self._running(call, args.dom)

    @implements(remote.DOMAIN_SCREENSHOT)
    async def screenshot(self, call: Call, args: remote.DomainScreenshotArgs) -> remote.DomainScreenshotRet:
        call.check_flags(args.flags)
        self.subject(call, args.dom)

        async def send(stream: Stream) -> None:
            await stream.send(picture())

        call.stream.serve(send)
        return remote.DomainScreenshotRet(mime="image/png")

    @implements(remote.DOMAIN_INJECT_NMI)
    async def inject_nmi(self, call: Call, args: remote.DomainInjectNmiArgs) -> None:
        call.check_flags(args.flags)
        self._running(call, args.dom)

    @implements(remote.DOMAIN_SEND_PROCESS_SIGNAL)
    async def send_signal(self, call: Call, args: remote.DomainSendProcessSignalArgs) -> None:
        call.check_flags(args.flags)
        self.subject(call, args.dom)
        if args.pid_value != INIT_PID:
            raise call.error(ErrorCode.INVALID_ARG, "only sending a signal to pid 1 is supported")
        if args.signum > SIGNAL_MAX:
            raise call.error(ErrorCode.INVALID_ARG, f"signum value {args.signum} is out of range")

    @implements(remote.DOMAIN_GET_MESSAGES)
    async def messages(self, call: Call, args: remote.DomainGetMessagesArgs) -> remote.DomainGetMessagesRet:
        call.check_flags(args.flags, MESSAGES_DEPRECATION, MESSAGES_TAINTING, MESSAGES_IO_ERRORS)
        self.subject(call, args.dom)
        return remote.DomainGetMessagesRet(msgs=[])

    @implements(remote.DOMAIN_GET_LAUNCH_SECURITY_INFO)
    async def launch_security(
        self, call: Call, args: remote.DomainGetLaunchSecurityInfoArgs
    ) -> remote.DomainGetLaunchSecurityInfoRet:
        call.check_flags(args.flags)
        self.subject(call, args.dom)
        return remote.DomainGetLaunchSecurityInfoRet(params=[])

    def _running(self, call: Call, dom: remote.NonnullDomain) -> Guest:
        guest = self.subject(call, dom)
        guest.active_document()
        return guest


def _mount_points(named: list[str]) -> set[str]:
    """Those that are named, all if none is; VirtError for one that is not there."""
    for name in named:
        if name not in MOUNT_POINTS:
            raise invalid(f"mount point not found: {name}")
    return set(named or MOUNT_POINTS)


@cache
def picture(width: int = 320, height: int = 200) -> bytes:
    """A screen as a PNG file: a grey gradient."""
    rows = b"".join(b"\0" + bytes(255 * (x + y) // (width + height) for x in range(width)) for y in range(height))
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
