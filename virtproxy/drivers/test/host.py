# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host: what every part of the test driver shares, and the facts about connection and node.

The other parts derive from `TestHost`; together they are the driver. The facts are constants, the same on
every machine but for the host's name.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from virtproxy.documents.domain import DomainDocument
from virtproxy.driver import Call, Driver, ErrorCode, ErrorDomain, EventClass, Place, VirtError, implements, remote
from virtproxy.drivers.test.capabilities import CAPABILITIES, DOMAIN_CAPABILITIES, SYSINFO
from virtproxy.drivers.test.guests import Guest, Guests
from virtproxy.drivers.test.initial import DOMAIN

VERSION = 2
VCPUS_MAX = 32
CELLS_KIB = (2097152, 4194304)
CPU_MAP = b"\x15"
CPUS = 8
CPU_STATS = {"user": 9797400000, "kernel": 34678723400000, "idle": 87264900000, "iowait": 763600000}


class TestHost(Driver):
    """State and facts. `now` gives the time in seconds since 1970."""

    __test__ = False  # the name is the driver's, not a test's
    name = "test"
    error_domain = ErrorDomain.TEST
    event_classes = frozenset(EventClass) - {EventClass.SECRET}

    def __init__(
        self, place: Place | None = None, now: Callable[[], float] = time.time, *, keep_state: bool = False
    ) -> None:
        """`keep_state`: stay as the last client left it, instead of starting afresh for the next."""
        super().__init__(place)
        self.now = now
        self.keep_state = keep_state
        self.reset()

    def reset(self) -> None:
        """Put everything back as it is at the start: one running, persistent guest called "test"."""
        self.empty()
        document = DomainDocument(DOMAIN)
        guest = self.guests.place(document, must_be_stopped=False)
        guest.config = document
        guest.start(document, self.guests.next_id(), reason=0)

    def empty(self) -> None:
        """Leave nothing on the host."""
        self.guests = Guests()

    def last_client_left(self) -> None:
        if not self.keep_state:
            self.reset()

    def check_uri(self, uri: str) -> None:
        super().check_uri(uri)
        if uri.partition("?")[0] not in ("test:///default", "test+unix:///default"):
            detail = "testOpen: supply a path or use test:///default"
            raise VirtError.of(ErrorCode.INVALID_ARG, detail, domain=ErrorDomain.TEST)

    def subject(self, call: Call, dom: remote.NonnullDomain) -> Guest:
        """The domain that a call is about, if its caller may; VirtError NO_DOMAIN or ACCESS_DENIED."""
        guest = self.guests.by_ref(dom)
        call.authorize(guest)
        return guest

    def cpu_time(self) -> int:
        """Nanoseconds, from a clock of microseconds."""
        return int(self.now() * 1_000_000) * 1000

    @implements(remote.CONNECT_GET_TYPE)
    async def type(self, call: Call, args: None) -> remote.ConnectGetTypeRet:
        return remote.ConnectGetTypeRet(type="TEST")

    @implements(remote.CONNECT_GET_VERSION)
    async def version(self, call: Call, args: None) -> remote.ConnectGetVersionRet:
        return remote.ConnectGetVersionRet(hv_ver=VERSION)

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call: Call, args: None) -> remote.ConnectGetHostnameRet:
        return remote.ConnectGetHostnameRet(hostname=socket.gethostname())

    @implements(remote.CONNECT_GET_URI)
    async def uri(self, call: Call, args: None) -> remote.ConnectGetUriRet:
        return remote.ConnectGetUriRet(uri=call.uri)

    @implements(remote.CONNECT_IS_SECURE)
    async def is_secure(self, call: Call, args: None) -> remote.ConnectIsSecureRet:
        return remote.ConnectIsSecureRet(secure=1)

    @implements(remote.CONNECT_GET_SYSINFO)
    async def sysinfo(self, call: Call, args: remote.ConnectGetSysinfoArgs) -> remote.ConnectGetSysinfoRet:
        call.check_flags(args.flags)
        return remote.ConnectGetSysinfoRet(sysinfo=SYSINFO)

    @implements(remote.CONNECT_GET_CAPABILITIES)
    async def capabilities(self, call: Call, args: None) -> remote.ConnectGetCapabilitiesRet:
        return remote.ConnectGetCapabilitiesRet(capabilities=CAPABILITIES)

    @implements(remote.CONNECT_GET_DOMAIN_CAPABILITIES)
    async def domain_capabilities(
        self, call: Call, args: remote.ConnectGetDomainCapabilitiesArgs
    ) -> remote.ConnectGetDomainCapabilitiesRet:
        call.check_flags(args.flags)
        return remote.ConnectGetDomainCapabilitiesRet(capabilities=DOMAIN_CAPABILITIES)

    @implements(remote.CONNECT_GET_MAX_VCPUS)
    async def max_vcpus(self, call: Call, args: remote.ConnectGetMaxVcpusArgs) -> remote.ConnectGetMaxVcpusRet:
        return remote.ConnectGetMaxVcpusRet(max_vcpus=VCPUS_MAX)

    @implements(remote.NODE_GET_INFO)
    async def node_info(self, call: Call, args: None) -> remote.NodeGetInfoRet:
        model = b"i686".ljust(32, b"\0")
        return remote.NodeGetInfoRet(
            model=model, memory=3 << 20, cpus=16, mhz=1400, nodes=2, sockets=2, cores=2, threads=2
        )

    @implements(remote.NODE_GET_FREE_MEMORY)
    async def free_memory(self, call: Call, args: None) -> remote.NodeGetFreeMemoryRet:
        return remote.NodeGetFreeMemoryRet(free_mem=sum(CELLS_KIB) // 2)

    @implements(remote.NODE_GET_CELLS_FREE_MEMORY)
    async def cells_free_memory(
        self, call: Call, args: remote.NodeGetCellsFreeMemoryArgs
    ) -> remote.NodeGetCellsFreeMemoryRet:
        if not 0 <= args.start_cell < len(CELLS_KIB):
            raise call.error(ErrorCode.INVALID_ARG, "Range exceeds available cells")
        return remote.NodeGetCellsFreeMemoryRet(cells=list(CELLS_KIB[args.start_cell :]))

    @implements(remote.NODE_GET_CPU_MAP)
    async def cpu_map(self, call: Call, args: remote.NodeGetCpuMapArgs) -> remote.NodeGetCpuMapRet:
        call.check_flags(args.flags)
        online = CPU_MAP[0].bit_count() if args.need_online else 0
        return remote.NodeGetCpuMapRet(cpumap=CPU_MAP if args.need_map else b"", online=online, ret=CPUS)

    @implements(remote.NODE_GET_CPU_STATS)
    async def cpu_stats(self, call: Call, args: remote.NodeGetCpuStatsArgs) -> remote.NodeGetCpuStatsRet:
        call.check_flags(args.flags)
        params = [remote.NodeGetCpuStats(field=field, value=value) for field, value in CPU_STATS.items()]
        return remote.NodeGetCpuStatsRet(params=params, nparams=len(params))

    @implements(remote.NODE_GET_FREE_PAGES)
    async def free_pages(self, call: Call, args: remote.NodeGetFreePagesArgs) -> remote.NodeGetFreePagesRet:
        call.check_flags(args.flags)
        cells = range(args.start_cell, args.start_cell + args.cell_count)
        counts = [_free_pages(cell, place) for cell in cells for place in range(len(args.pages))]
        return remote.NodeGetFreePagesRet(counts=counts)

    @implements(remote.NODE_GET_SECURITY_MODEL)
    async def security_model(self, call: Call, args: None) -> remote.NodeGetSecurityModelRet:
        return remote.NodeGetSecurityModelRet(model=b"testSecurity\0", doi=b"\0")


def _free_pages(cell: int, place: int) -> int:
    """A count that differs by cell and by the place of the page size in the question: twice the one before and 7."""
    count = 7 + 12 * cell
    for _ in range(place):
        count = 2 * count + 7
    return count % (1 << 32)
