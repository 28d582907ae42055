# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scenario: the TOML file that says what a made-up host is made of, and what goes wrong on it.

`read_scenario` is called in a thread, and by the daemon when it starts. Every mistake is told with its line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from virtproxy.drivers.test.faults import Fault
from virtproxy.drivers.test.plan import HostPlan
from virtproxy.drivers.test.scenario_faults import read_faults
from virtproxy.drivers.test.scenario_guests import read_guests
from virtproxy.drivers.test.scenario_objects import DEFAULT_POOL, read_networks, read_pools
from virtproxy.errors import VirtError
from virtproxy.toml.source import Source, SourceError, Table, shown

Read = Callable[[str], str]


@dataclass(frozen=True)
class Scenario:
    """What the file says. `base` is "default", "empty" or the path of a configuration file; `plan` comes on top."""

    seed: int = 0
    base: str = "default"
    hostname: str | None = None
    plan: HostPlan = field(default_factory=HostPlan)
    faults: tuple[Fault, ...] = ()


def read_scenario(path: str, read: Read) -> Scenario:
    """The scenario in a file; `read` gives a file's text. SourceError, or VirtError if a file cannot be read."""
    source = Source(path, read(path).encode())
    top = Table(source, (), source.tree, ("host", "guests", "networks", "pools", "faults"))
    host = Table(source, ("host",), top.raw("host") if "host" in top else {}, ("seed", "base", "name"))
    seed = host.number("seed") or 0
    base = _base(host, path)
    names = DEFAULT_POOL if base == "default" else {}
    plan = HostPlan()
    plan.networks = read_networks(source, top, seed)
    plan.pools, places = read_pools(source, top, seed)
    guests = read_guests(source, top, Random(seed), {**names, **places}, _reader(path, read))
    plan.guests, plan.volumes = guests.plans, guests.volumes
    faults = read_faults(source, top)
    if source.errors:
        raise SourceError(path, source.errors)
    return Scenario(seed, base, host.text("name") or None, plan, tuple(faults))


def _base(host: Table, path: str) -> str:
    base = host.text("base", "default")
    if base in ("default", "empty"):
        return base
    if not base.endswith(".xml"):
        host.error("base", f'base must be "default", "empty" or a file.xml, not {shown(base)}')
    return os.path.join(os.path.dirname(path), base)


def _reader(path: str, read: Read) -> Callable[[str], str]:
    """Reads files whose paths are relative to the scenario's."""

    def read_beside(name: str) -> str:
        try:
            return read(os.path.join(os.path.dirname(path), name))
        except VirtError as error:
            raise ValueError(str(error.message)) from None

    return read_beside
