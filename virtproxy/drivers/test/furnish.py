# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a pretended host of a plan, by the procedures that a client would use, and tells the facts of its machine.

A host of a plan has nothing that the plan does not name. It is kept as its clients leave it.
"""

from __future__ import annotations

import re

from virtproxy.documents.nodedev import parse
from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.driver.own_calls import call_own
from virtproxy.drivers.test.guests import State
from virtproxy.drivers.test.nodedevs import DeviceThing, NodeDevices
from virtproxy.drivers.test.plan import (
    SHUTOFF,
    GuestPlan,
    HostPlan,
    InterfacePlan,
    NetworkPlan,
    NodeFacts,
    PoolPlan,
)

REDEFINE, CURRENT = 1, 2
_CELLS = re.compile(r"<cells num=.*</cells>", re.DOTALL)
_NO_CELLS = "<cells num='0'>\n      </cells>"


class Furnished(NodeDevices):
    """A host that a plan may describe."""

    # None on the usual host.
    facts: NodeFacts | None = None
    # None to have the real host's.
    host_name: str | None = None

    async def furnish(self, plan: HostPlan) -> None:
        """Put what `plan` says in place of everything that is there; VirtError if something in it cannot be."""
        self.keep_state, self.facts = True, plan.facts
        self.empty()
        for device in plan.devices:
            self.devices.add(DeviceThing(parse(device)))
        await self.add(plan)

    async def add(self, plan: HostPlan) -> None:
        """Add what `plan` says to what is there; VirtError if something in it cannot be."""
        for network in plan.networks:
            await self._make_network(network)
        for pool in plan.pools:
            await self._make_pool(pool)
        for interface in plan.interfaces:
            await self._make_interface(interface)
        for name, volume in plan.volumes:
            await self._make_volume(name, volume)
        for guest in plan.guests:
            await self._make_guest(guest)

    async def _make_network(self, plan: NetworkPlan) -> None:
        wanted = remote.NetworkDefineXmlArgs(xml=plan.xml)
        net = (await call_own(self, remote.NETWORK_DEFINE_XML, wanted)).net
        if plan.active:
            await call_own(self, remote.NETWORK_CREATE, remote.NetworkCreateArgs(net=net))
        if plan.autostart:
            await call_own(self, remote.NETWORK_SET_AUTOSTART, remote.NetworkSetAutostartArgs(net=net, autostart=1))

    async def _make_interface(self, plan: InterfacePlan) -> None:
        wanted = remote.InterfaceDefineXmlArgs(xml=plan.xml, flags=0)
        iface = (await call_own(self, remote.INTERFACE_DEFINE_XML, wanted)).iface
        running = (await call_own(self, remote.INTERFACE_IS_ACTIVE, remote.InterfaceIsActiveArgs(iface=iface))).active
        # A file may describe one twice: the later description wins.
        if plan.active and not running:
            await call_own(self, remote.INTERFACE_CREATE, remote.InterfaceCreateArgs(iface=iface, flags=0))

    async def _make_pool(self, plan: PoolPlan) -> None:
        wanted = remote.StoragePoolDefineXmlArgs(xml=plan.xml, flags=0)
        pool = (await call_own(self, remote.STORAGE_POOL_DEFINE_XML, wanted)).pool
        await call_own(self, remote.STORAGE_POOL_CREATE, remote.StoragePoolCreateArgs(pool=pool, flags=0))
        for xml in plan.volumes:
            volume = remote.StorageVolCreateXmlArgs(pool=pool, xml=xml, flags=0)
            await call_own(self, remote.STORAGE_VOL_CREATE_XML, volume)
        if not plan.active:
            await call_own(self, remote.STORAGE_POOL_DESTROY, remote.StoragePoolDestroyArgs(pool=pool))
        if plan.autostart:
            args = remote.StoragePoolSetAutostartArgs(pool=pool, autostart=1)
            await call_own(self, remote.STORAGE_POOL_SET_AUTOSTART, args)

    async def _make_volume(self, pool: str, xml: str) -> None:
        wanted = remote.StoragePoolLookupByNameArgs(name=pool)
        found = (await call_own(self, remote.STORAGE_POOL_LOOKUP_BY_NAME, wanted)).pool
        args = remote.StorageVolCreateXmlArgs(pool=found, xml=xml, flags=0)
        await call_own(self, remote.STORAGE_VOL_CREATE_XML, args)

    async def _make_guest(self, plan: GuestPlan) -> None:
        if plan.transient:
            made = await call_own(
                self, remote.DOMAIN_CREATE_XML, remote.DomainCreateXmlArgs(xml_desc=plan.xml, flags=0)
            )
            dom = made.dom
        else:
            dom = (await call_own(self, remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=plan.xml))).dom
            if plan.state != SHUTOFF:
                await call_own(self, remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=dom))
        guest = self.guests.by_ref(dom)
        guest.state, guest.reason = State(plan.state), 0
        guest.managed_save, guest.autostart = plan.managed_save, plan.autostart
        for xml, current in plan.snapshots:
            flags = REDEFINE | (CURRENT if current else 0)
            snapshot = remote.DomainSnapshotCreateXmlArgs(dom=guest.ref(), xml_desc=xml, flags=flags)
            await call_own(self, remote.DOMAIN_SNAPSHOT_CREATE_XML, snapshot)

    # The facts of its machine

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call: Call, args: None) -> remote.ConnectGetHostnameRet:
        return remote.ConnectGetHostnameRet(hostname=self.host_name or (await super().hostname(call, args)).hostname)

    @implements(remote.CONNECT_GET_CAPABILITIES)
    async def capabilities(self, call: Call, args: None) -> remote.ConnectGetCapabilitiesRet:
        usual = await super().capabilities(call, args)
        if self.facts is None:
            return usual
        return remote.ConnectGetCapabilitiesRet(capabilities=_CELLS.sub(_NO_CELLS, usual.capabilities))

    @implements(remote.NODE_GET_INFO)
    async def node_info(self, call: Call, args: None) -> remote.NodeGetInfoRet:
        facts = self.facts
        if facts is None:
            return await super().node_info(call, args)
        return remote.NodeGetInfoRet(
            model=facts.model.encode().ljust(32, b"\0"),
            memory=facts.memory,
            cpus=facts.cpus,
            mhz=facts.mhz,
            nodes=facts.nodes,
            sockets=facts.sockets,
            cores=facts.cores,
            threads=facts.threads,
        )

    @implements(remote.NODE_GET_FREE_MEMORY)
    async def free_memory(self, call: Call, args: None) -> remote.NodeGetFreeMemoryRet:
        return remote.NodeGetFreeMemoryRet(free_mem=0) if self.facts else await super().free_memory(call, args)

    @implements(remote.NODE_GET_CELLS_FREE_MEMORY)
    async def cells_free_memory(
        self, call: Call, args: remote.NodeGetCellsFreeMemoryArgs
    ) -> remote.NodeGetCellsFreeMemoryRet:
        if self.facts is not None:
            raise call.error(ErrorCode.INVALID_ARG, "Range exceeds available cells")
        return await super().cells_free_memory(call, args)
