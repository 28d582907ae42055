# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a pretended host is to be made of: read from a file by node_config and scenario, made by furnish.

Documents are XML as a client would give it. Nothing here is checked: the driver's own procedures do that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RUNNING, PAUSED, SHUTOFF = 1, 3, 5


@dataclass(frozen=True, slots=True)
class GuestPlan:
    """A domain. `state` as the public API numbers it; `snapshots` are documents with whether it is the current one."""

    xml: str
    state: int = RUNNING
    transient: bool = False
    managed_save: bool = False
    autostart: bool = False
    snapshots: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A persistent network."""

    xml: str
    active: bool = True
    autostart: bool = False


@dataclass(frozen=True, slots=True)
class InterfacePlan:
    """A host's interface."""

    xml: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A persistent storage pool and its volumes' documents."""

    xml: str
    volumes: tuple[str, ...] = ()
    active: bool = True
    autostart: bool = False


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The machine. Memory in KiB."""

    model: str = "i686"
    memory: int = 3 << 20
    cpus: int = 16
    mhz: int = 1400
    nodes: int = 2
    sockets: int = 2
    cores: int = 2
    threads: int = 2


@dataclass
class HostPlan:
    """A host: everything that is on it, in the order in which it is made, and nothing else."""

    facts: NodeFacts = NodeFacts()
    guests: list[GuestPlan] = field(default_factory=list)
    networks: list[NetworkPlan] = field(default_factory=list)
    interfaces: list[InterfacePlan] = field(default_factory=list)
    pools: list[PoolPlan] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    # Volumes of the pools above or of those that were there, by the pool's name.
    volumes: list[tuple[str, str]] = field(default_factory=list)
