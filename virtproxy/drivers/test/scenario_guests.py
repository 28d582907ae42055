# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests of a scenario: many of a template, in a mix of states, with disks in pools."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from virtproxy.documents.markup import escape
from virtproxy.drivers.test.plan import PAUSED, RUNNING, SHUTOFF, GuestPlan
from virtproxy.drivers.test.scenario_objects import volume_xml
from virtproxy.drivers.test.scenario_values import kib, made_up_mac, made_up_uuid, named, tables
from virtproxy.toml.source import Source, Table, hint, shown

STATES = {"running": RUNNING, "paused": PAUSED, "shutoff": SHUTOFF, "crashed": 6, "pmsuspended": 7, "saved": SHUTOFF}
_KEYS = (
    "name", "count", "state", "memory", "vcpus", "disks", "networks", "autostart", "transient", "title",
    "description", "xml",
)  # fmt: skip
_MIB, _GIB = 1 << 10, 1 << 20


@dataclass
class Guests:
    """What was read: the guests, and the volumes that their disks need, by pool."""

    plans: list[GuestPlan] = field(default_factory=list)
    volumes: list[tuple[str, str]] = field(default_factory=list)


class _Reader:
    def __init__(self, source: Source, chance: Random, pools: Mapping[str, str], read: Callable[[str], str]) -> None:
        self.source, self.chance, self.pools, self.read = source, chance, pools, read
        self.found = Guests()
        # Of the whole scenario, so that made-up identifiers follow from it.
        self.seed = chance.randrange(1 << 62)

    def group(self, table: Table) -> None:
        names, template = named(table), self._template(table)
        for (number, name), state in zip(names, self._states(table, len(names)), strict=True):
            xml = self._filled(template, number, name) if template else self._document(table, number, name)
            transient = table.flag("transient") and state != "shutoff"
            plan = GuestPlan(xml, STATES[state], transient, state == "saved", table.flag("autostart"))
            self.found.plans.append(plan)

    def _states(self, table: Table, count: int) -> list[str]:
        """A state for each; of a mix as many as its weights say, in an order that the seed makes."""
        given = table.raw("state") if "state" in table else "running"
        mix = Table(self.source, table.place("state"), {given: 1} if isinstance(given, str) else given, STATES)
        weights = {state: mix.raw(state) for state in mix if state in STATES}
        for state, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < 1e9:
                mix.error(state, f"{state} must be a number above 0, the weight of the state, not {shown(weight)}")
                return ["running"] * count
        if not weights:
            return ["running"] * count
        steps, states = list(accumulate(weights.values())), list(weights)
        found = [states[bisect(steps, (place + 0.5) / count * steps[-1])] for place in range(count)]
        self.chance.shuffle(found)
        return found

    def _template(self, table: Table) -> str:
        name = table.text("xml")
        if not name:
            return ""
        try:
            return self.read(name)
        except ValueError as error:
            table.error("xml", f"xml: {error}")
            return ""

    def _filled(self, template: str, number: int, name: str) -> str:
        uuid = made_up_uuid(self.seed, "guest", name)
        return template.replace("{name}", escape(name)).replace("{n}", str(number)).replace("{uuid}", uuid)

    def _document(self, table: Table, number: int, name: str) -> str:
        memory, vcpus = kib(table, "memory", 512 * _MIB), table.number("vcpus") or 1
        texts = "".join(f"<{key}>{escape(table.text(key))}</{key}>" for key in ("title", "description") if key in table)
        devices = self._disks(table, name) + self._interfaces(table, name)
        return (
            f"<domain type='test'><name>{escape(name)}</name><uuid>{made_up_uuid(self.seed, 'guest', name)}</uuid>"
            f"{texts}<memory unit='KiB'>{memory}</memory><vcpu>{vcpus}</vcpu>"
            f"<os><type arch='x86_64'>hvm</type></os><devices>{devices}</devices></domain>"
        )

    def _disks(self, table: Table, name: str) -> str:
        parts = []
        for index, disk in enumerate(tables(self.source, table, "disks", ("pool", "file", "size", "format"))):
            target = f"vd{chr(ord('a') + index % 26)}"
            kind = disk.text("format", "qcow2")
            path = disk.text("file").replace("{name}", name) or self._volume(disk, f"{name}-{target}.{kind}", kind)
            parts.append(
                f"<disk type='file' device='disk'><driver name='qemu' type='{escape(kind)}'/>"
                f"<source file='{escape(path)}'/><target dev='{target}' bus='virtio'/></disk>"
            )
        return "".join(parts)

    def _volume(self, disk: Table, name: str, kind: str) -> str:
        pool = disk.text("pool")
        if pool not in self.pools:
            near = hint(pool, self.pools)
            disk.error("pool", f"a disk needs a file, or a pool of this scenario, not {shown(pool)}{near}")
            return ""
        self.found.volumes.append((pool, volume_xml(name, kib(disk, "size", 10 * _GIB), kind)))
        return f"{self.pools[pool]}/{name}"

    def _interfaces(self, table: Table, name: str) -> str:
        return "".join(
            f"<interface type='network'><mac address='{made_up_mac(self.seed, name, index)}'/>"
            f"<source network='{escape(network)}'/><model type='virtio'/></interface>"
            for index, (_, network) in enumerate(table.texts("networks"))
        )


def read_guests(
    source: Source, top: Table, chance: Random, pools: Mapping[str, str], read: Callable[[str], str]
) -> Guests:
    """Each [[guests]]. `pools` has where each keeps its volumes; `read` gives a template's text, or raises ValueError.

    Mistakes are noted in the source.
    """
    reader = _Reader(source, chance, pools, read)
    for table in tables(source, top, "guests", _KEYS):
        reader.group(table)
    return reader.found
