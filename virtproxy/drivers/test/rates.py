# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast a domain's network interfaces and disks may be, and how fast they pretend to have been."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element
from virtproxy.driver import Call, ErrorCode, Params, Type, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, STRINGS, one_chosen, refused
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import inside, number

DISK_BYTES = 1 << 40
DISK_METADATA_BYTES = 5177344
# VIR_DOMAIN_DISK_ERROR_UNSPEC, NO_SPACE by turns.
DISK_ERRORS = (1, 2)
BANDWIDTH = Params(
    {f"inbound.{word}": Type.UINT for word in ("average", "peak", "burst", "floor")}
    | {f"outbound.{word}": Type.UINT for word in ("average", "peak", "burst")}
)
_WRITTEN = ("average", "peak", "floor", "burst")
_RATES = tuple(f"{way}_{what}_sec" for what in ("bytes", "iops") for way in ("total", "read", "write"))
_PEAKS = tuple(f"{rate}_max" for rate in _RATES)
_LENGTHS = tuple(f"{peak}_length" for peak in _PEAKS)
IOTUNE_FIELDS = (*_RATES, *_PEAKS, "size_iops_sec", "group_name", *_LENGTHS)
IOTUNE = Params({field: Type.STRING if field == "group_name" else Type.ULLONG for field in IOTUNE_FIELDS})
IOTUNE_MAX = 10**15
_MICRO = 1_000_000


class Rates(TestHost):
    """Interfaces are known by target or MAC address, disks by target or source."""

    @implements(remote.DOMAIN_GET_INTERFACE_PARAMETERS)
    async def bandwidth(
        self, call: Call, args: remote.DomainGetInterfaceParametersArgs
    ) -> remote.DomainGetInterfaceParametersRet:
        call.check_flags(args.flags, LIVE, CONFIG, STRINGS)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        if args.nparams == 0:
            return remote.DomainGetInterfaceParametersRet(params=[], nparams=len(BANDWIDTH))
        nic = interface(document, args.device)
        values = {}
        for field in BANDWIDTH.fields:
            way, _, word = field.partition(".")
            held = nic.find(f"bandwidth/{way}")
            values[field] = int(held.attributes.get(word, "0")) if held is not None else 0
        return remote.DomainGetInterfaceParametersRet(params=BANDWIDTH.format(values), nparams=len(BANDWIDTH))

    @implements(remote.DOMAIN_SET_INTERFACE_PARAMETERS)
    async def set_bandwidth(self, call: Call, args: remote.DomainSetInterfaceParametersArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        wanted = BANDWIDTH.parse(args.params)
        nic = interface(one_chosen(self.subject(call, args.dom), args.flags), args.device)
        band = inside(nic, "bandwidth")
        ways = {}
        for way in ("inbound", "outbound"):
            given = {word: wanted[f"{way}.{word}"] for word in _WRITTEN if f"{way}.{word}" in wanted}
            kept = band.find(way)
            if given:
                limited = given.get("average") or given.get("floor")
                words = {word: str(value) for word, value in given.items() if value}
                kept = Element(way, words) if limited else None
            ways[way] = kept
        band.children = [way for way in ways.values() if way is not None]

    @implements(remote.DOMAIN_INTERFACE_STATS)
    async def interface_stats(
        self, call: Call, args: remote.DomainInterfaceStatsArgs
    ) -> remote.DomainInterfaceStatsRet:
        interface(self.subject(call, args.dom).active_document(), args.device)
        now = self.cpu_time() // 1000
        return remote.DomainInterfaceStatsRet(
            rx_bytes=now // 10, rx_packets=now // 100, rx_errs=now // _MICRO, rx_drop=now // (2 * _MICRO),
            tx_bytes=now // 20, tx_packets=now // 110, tx_errs=now // (3 * _MICRO), tx_drop=now // (4 * _MICRO),
        )  # fmt: skip

    @implements(remote.DOMAIN_BLOCK_STATS)
    async def block_stats(self, call: Call, args: remote.DomainBlockStatsArgs) -> remote.DomainBlockStatsRet:
        if self.subject(call, args.dom).active_document().find_disk(args.path) is None:
            raise call.error(ErrorCode.INVALID_ARG, f"invalid path: {args.path}")
        now = self.cpu_time() // 1000
        return remote.DomainBlockStatsRet(
            rd_req=now // 10, rd_bytes=now // 20, wr_req=now // 30, wr_bytes=now // 40, errs=now // _MICRO // 2
        )

    @implements(remote.DOMAIN_GET_BLOCK_INFO)
    async def block_info(self, call: Call, args: remote.DomainGetBlockInfoArgs) -> remote.DomainGetBlockInfoRet:
        call.check_flags(args.flags)
        if self.subject(call, args.dom).document.find_disk(args.path) is None:
            raise call.error(ErrorCode.INVALID_ARG, f"invalid path {args.path} not assigned to domain")
        capacity = DISK_BYTES - DISK_METADATA_BYTES
        return remote.DomainGetBlockInfoRet(allocation=DISK_BYTES, capacity=capacity, physical=DISK_BYTES)

    @implements(remote.DOMAIN_GET_DISK_ERRORS)
    async def disk_errors(self, call: Call, args: remote.DomainGetDiskErrorsArgs) -> remote.DomainGetDiskErrorsRet:
        call.check_flags(args.flags)
        disks = self.subject(call, args.dom).active_document().devices("disk")
        if args.maxerrors == 0:
            return remote.DomainGetDiskErrorsRet(errors=[], nerrors=len(disks))
        errors = [
            remote.DomainDiskError(disk=disk.target or "", error=DISK_ERRORS[place % 2])
            for place, disk in enumerate(disks)
        ][: args.maxerrors]
        return remote.DomainGetDiskErrorsRet(errors=errors, nerrors=len(errors))

    @implements(remote.DOMAIN_GET_BLOCK_IO_TUNE)
    async def block_io_tune(self, call: Call, args: remote.DomainGetBlockIoTuneArgs) -> remote.DomainGetBlockIoTuneRet:
        call.check_flags(args.flags, LIVE, CONFIG, STRINGS)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        if args.nparams == 0:
            return remote.DomainGetBlockIoTuneRet(params=[], nparams=len(IOTUNE))
        values = _iotune(self._disk(call, document, args.disk or ""))
        return remote.DomainGetBlockIoTuneRet(params=IOTUNE.format(values, args.flags), nparams=len(IOTUNE))

    @implements(remote.DOMAIN_SET_BLOCK_IO_TUNE)
    async def set_block_io_tune(self, call: Call, args: remote.DomainSetBlockIoTuneArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        wanted = IOTUNE.parse(args.params)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        disk = self._disk(call, document, args.disk)
        if any(isinstance(value, int) and value > IOTUNE_MAX for value in wanted.values()):
            detail = f"block I/O throttle limit value must be no more than {IOTUNE_MAX}"
            raise call.error(ErrorCode.ARGUMENT_UNSUPPORTED, detail)
        values = _iotune(disk) | wanted
        self._check_iotune(call, values)
        tune = inside(disk, "iotune")
        named = "group_name" in wanted or tune.find("group_name") is not None
        tune.children = [
            Element(field, text=str(values[field]))
            for field in IOTUNE_FIELDS
            if values[field] or (field == "group_name" and named)
        ]

    def _check_iotune(self, call: Call, values: dict[str, int | str]) -> None:
        """VirtError INVALID_ARG if limits contradict each other."""
        for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
            if values[f"total_{what}"] and (values[f"read_{what}"] or values[f"write_{what}"]):
                detail = f"total and read/write of {what} cannot be set at the same time"
                raise call.error(ErrorCode.INVALID_ARG, detail)
        for rate in _RATES:
            if int(values[rate]) > int(values[f"{rate}_max"]):
                raise call.error(ErrorCode.INVALID_ARG, f"{rate} cannot be set higher than {rate}_max")

    def _disk(self, call: Call, document: DomainDocument, path: str) -> Element:
        disk = document.find_disk(path)
        if disk is None:
            raise call.error(ErrorCode.INVALID_ARG, f"disk '{path}' was not found in the domain config")
        return disk.element


def interface(document: DomainDocument, name: str) -> Element:
    """The interface with that target or MAC address; VirtError INVALID_ARG."""
    for nic in document.devices("interface"):
        if nic.target == name or nic.mac == name.lower():
            return nic.element
    raise refused(ErrorCode.INVALID_ARG, f"'{name}' is not a known interface")


def _iotune(disk: Element) -> dict[str, int | str]:
    """All limits of a disk; 0 and nothing where there is none."""
    tune = disk.find("iotune") or Element("iotune")
    return {
        field: (tune.value(field) or "") if field == "group_name" else number(tune.find(field)) or 0
        for field in IOTUNE_FIELDS
    }
