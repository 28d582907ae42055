# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's tunables that the host would enforce: block I/O weights, NUMA nodes, scheduler, perf events."""

from __future__ import annotations

from virtproxy.documents.domain.values import cpu_numbers, cpu_text
from virtproxy.documents.markup import Element
from virtproxy.driver import Call, ErrorCode, Params, Type, VirtError, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, STRINGS, one_chosen, refused
from virtproxy.drivers.test.guests import invalid
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import children, number, part, put

SCHEDULER = "fair"
SCHEDULING = Params(weight=Type.UINT)
WEIGHT = 50
# Block devices' tunables by parameter: the element that holds each.
PER_DEVICE = {
    "device_weight": "weight", "device_read_iops_sec": "read_iops_sec", "device_write_iops_sec": "write_iops_sec",
    "device_read_bytes_sec": "read_bytes_sec", "device_write_bytes_sec": "write_bytes_sec",
}  # fmt: skip
BLKIO = Params({"weight": Type.UINT} | dict.fromkeys(PER_DEVICE, Type.STRING))
NUMA = Params(numa_mode=Type.INT, numa_nodeset=Type.STRING)
NUMA_MODES = ("strict", "preferred", "interleave", "restrictive")
PERF_EVENTS = (
    "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses", "branch_instructions",
    "branch_misses", "bus_cycles", "stalled_cycles_frontend", "stalled_cycles_backend", "ref_cpu_cycles",
    "cpu_clock", "task_clock", "page_faults", "context_switches", "cpu_migrations", "page_faults_min",
    "page_faults_maj", "alignment_faults", "emulation_faults",
)  # fmt: skip
PERF = Params(dict.fromkeys(PERF_EVENTS, Type.BOOLEAN))


class Tuning(TestHost):
    """Each pair reads and sets one part of the document."""

    @implements(remote.DOMAIN_GET_SCHEDULER_TYPE)
    async def scheduler(self, call: Call, args: remote.DomainGetSchedulerTypeArgs) -> remote.DomainGetSchedulerTypeRet:
        self.subject(call, args.dom)
        return remote.DomainGetSchedulerTypeRet(type=SCHEDULER, nparams=1)

    @implements(remote.DOMAIN_GET_SCHEDULER_PARAMETERS)
    async def scheduling(
        self, call: Call, args: remote.DomainGetSchedulerParametersArgs
    ) -> remote.DomainGetSchedulerParametersRet:
        self.subject(call, args.dom)
        return remote.DomainGetSchedulerParametersRet(params=SCHEDULING.format({"weight": WEIGHT})[: args.nparams])

    @implements(remote.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS)
    async def scheduling_flags(
        self, call: Call, args: remote.DomainGetSchedulerParametersFlagsArgs
    ) -> remote.DomainGetSchedulerParametersFlagsRet:
        call.check_flags(args.flags)
        self.subject(call, args.dom)
        params = SCHEDULING.format({"weight": WEIGHT})
        return remote.DomainGetSchedulerParametersFlagsRet(params=params[: args.nparams])

    @implements(remote.DOMAIN_SET_SCHEDULER_PARAMETERS)
    async def set_scheduling(self, call: Call, args: remote.DomainSetSchedulerParametersArgs) -> None:
        self.subject(call, args.dom)
        SCHEDULING.parse(args.params)

    @implements(remote.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS)
    async def set_scheduling_flags(self, call: Call, args: remote.DomainSetSchedulerParametersFlagsArgs) -> None:
        call.check_flags(args.flags)
        self.subject(call, args.dom)
        SCHEDULING.parse(args.params)

    @implements(remote.DOMAIN_GET_BLKIO_PARAMETERS)
    async def blkio(self, call: Call, args: remote.DomainGetBlkioParametersArgs) -> remote.DomainGetBlkioParametersRet:
        call.check_flags(args.flags, LIVE, CONFIG, STRINGS)
        tune = one_chosen(self.subject(call, args.dom), args.flags).root.find("blkiotune")
        values: dict[str, int | str] = {"weight": (number(tune.find("weight")) or 0) if tune is not None else 0}
        for field, name in PER_DEVICE.items():
            held = ((device.value("path"), device.value(name)) for device in children(tune, "device"))
            values[field] = ",".join(f"{path},{value}" for path, value in held if value)
        return remote.DomainGetBlkioParametersRet(params=BLKIO.format(values, args.flags), nparams=len(BLKIO))

    @implements(remote.DOMAIN_SET_BLKIO_PARAMETERS)
    async def set_blkio(self, call: Call, args: remote.DomainSetBlkioParametersArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        wanted = BLKIO.parse(args.params)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        pairs = {field: _device_pairs(field, text) for field, text in wanted.items() if field in PER_DEVICE}
        if "weight" in wanted:
            put(document, "blkiotune/weight", str(wanted["weight"]) if wanted["weight"] else None)
        tune = part(document, "blkiotune")
        for field, values in pairs.items():
            for path, value in values.items():
                _set_device(tune, path, PER_DEVICE[field], value)
        devices = sorted(children(tune, "device"), key=lambda device: device.value("path") or "")
        tune.children = [*children(tune, "weight"), *devices]
        if not tune.children:
            document.drop("blkiotune")

    @implements(remote.DOMAIN_GET_NUMA_PARAMETERS)
    async def numa(self, call: Call, args: remote.DomainGetNumaParametersArgs) -> remote.DomainGetNumaParametersRet:
        call.check_flags(args.flags, LIVE, CONFIG, STRINGS)
        memory = one_chosen(self.subject(call, args.dom), args.flags).root.find("numatune/memory")
        held = {} if memory is None else memory.attributes
        mode = NUMA_MODES.index(held.get("mode", "strict"))
        values = {"numa_mode": mode, "numa_nodeset": held.get("nodeset", "")}
        return remote.DomainGetNumaParametersRet(params=NUMA.format(values, args.flags), nparams=len(NUMA))

    @implements(remote.DOMAIN_SET_NUMA_PARAMETERS)
    async def set_numa(self, call: Call, args: remote.DomainSetNumaParametersArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        wanted = NUMA.parse(args.params)
        guest = self.subject(call, args.dom)
        document = one_chosen(guest, args.flags)
        memory = document.root.find("numatune/memory")
        held = {} if memory is None else memory.attributes
        mode = wanted.get("numa_mode", NUMA_MODES.index(held.get("mode", "strict")))
        if not 0 <= mode < len(NUMA_MODES):
            raise call.error(ErrorCode.INVALID_ARG, f"unsupported numatune mode: '{mode}'")
        nodes = _nodes(wanted["numa_nodeset"]) if wanted.get("numa_nodeset") else held.get("nodeset")
        if document is guest.live and NUMA_MODES[mode] != held.get("mode", "strict"):
            raise invalid("can't change numatune mode for running domain")
        if nodes is None:
            detail = "nodeset for NUMA memory tuning must be set if 'placement' is 'static'"
            raise refused(ErrorCode.CONFIG_UNSUPPORTED, detail)
        part(document, "numatune/memory").attributes = {"mode": NUMA_MODES[mode], "nodeset": nodes}

    @implements(remote.DOMAIN_GET_PERF_EVENTS)
    async def perf_events(self, call: Call, args: remote.DomainGetPerfEventsArgs) -> remote.DomainGetPerfEventsRet:
        call.check_flags(args.flags, LIVE, CONFIG, STRINGS)
        perf = one_chosen(self.subject(call, args.dom), args.flags).root.find("perf")
        on = {event.attributes.get("name"): event.attributes.get("enabled") for event in children(perf, "event")}
        return remote.DomainGetPerfEventsRet(params=PERF.format({name: on.get(name) == "yes" for name in PERF_EVENTS}))

    @implements(remote.DOMAIN_SET_PERF_EVENTS)
    async def set_perf_events(self, call: Call, args: remote.DomainSetPerfEventsArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        wanted = PERF.parse(args.params)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        perf = part(document, "perf")
        held = {event.attributes.get("name", ""): event.attributes.get("enabled", "no") for event in perf.elements}
        held |= {name: "yes" if on else "no" for name, on in wanted.items()}
        perf.children = [
            Element("event", {"name": name, "enabled": held[name]}) for name in PERF_EVENTS if name in held
        ]


def _device_pairs(field: str, text: str) -> dict[str, int]:
    """ "/dev/a,1,/dev/b,2" as a dict; VirtError INVALID_ARG."""
    words = text.split(",")
    if text and len(words) % 2:
        raise refused(ErrorCode.INVALID_ARG, f"unable to parse blkio device '{field}' '{text}'")
    pairs: dict[str, int] = {}
    for path, value in zip(words[::2], words[1::2], strict=False):
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            detail = f"invalid value '{value}' for parameter '{field}' of device '{path}'"
            raise refused(ErrorCode.INVALID_ARG, detail)
        pairs[path] = int(value)
    return pairs


def _nodes(text: str) -> str:
    """A set of nodes as libvirt writes it; VirtError INVALID_ARG."""
    nodes = cpu_numbers(text)
    if nodes is None:
        raise VirtError.of(ErrorCode.INVALID_ARG, f"Failed to parse bitmap '{text}'")
    return cpu_text(nodes)


def _set_device(tune: Element, path: str, name: str, value: int) -> None:
    """One tunable of one block device; 0 takes it away."""
    old = next((each for each in children(tune, "device") if each.value("path") == path), Element("device"))
    held = {each: old.value(each) for each in PER_DEVICE.values()} | {name: str(value) if value else None}
    new = Element("device")
    new.children = [Element("path", text=path)]
    new.children += [Element(each, text=text) for each, text in held.items() if text]
    tune.children = [each for each in tune.children if each is not old]
    if len(new.children) > 1:
        tune.children.append(new)
