# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's network "default": looked up, listed, started, stopped, dropped."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.guests import invalid
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import NETWORK
from virtproxy.drivers.test.thing import Thing, only, passes

LIST_FLAGS = 0x3F


class NetworkThing(Thing):
    """One network; all are persistent here."""

    def ref(self) -> remote.NonnullNetwork:
        """How the protocol names it."""
        return remote.NonnullNetwork(name=self.name, uuid=self.uuid)

    @property
    def bridge(self) -> str:
        """The bridge's name."""
        bridge = self.root.find("bridge")
        return "" if bridge is None else bridge.attributes.get("name", "")


class Networks(TestHost):
    """The procedures of the network family."""

    def reset(self) -> None:
        super().reset()
        self.networks = [NetworkThing(NETWORK)]

    @implements(remote.CONNECT_NUM_OF_NETWORKS)
    async def num_of_networks(self, call: Call, args: None) -> remote.ConnectNumOfNetworksRet:
        return remote.ConnectNumOfNetworksRet(num=len(self._networks(call, active=True)))

    @implements(remote.CONNECT_LIST_NETWORKS)
    async def list_networks(self, call: Call, args: remote.ConnectListNetworksArgs) -> remote.ConnectListNetworksRet:
        return remote.ConnectListNetworksRet(names=self._networks(call, active=True))

    @implements(remote.CONNECT_NUM_OF_DEFINED_NETWORKS)
    async def num_of_defined_networks(self, call: Call, args: None) -> remote.ConnectNumOfDefinedNetworksRet:
        return remote.ConnectNumOfDefinedNetworksRet(num=len(self._networks(call, active=False)))

    @implements(remote.CONNECT_LIST_DEFINED_NETWORKS)
    async def list_defined_networks(
        self, call: Call, args: remote.ConnectListDefinedNetworksArgs
    ) -> remote.ConnectListDefinedNetworksRet:
        return remote.ConnectListDefinedNetworksRet(names=self._networks(call, active=False))

    @implements(remote.CONNECT_LIST_ALL_NETWORKS)
    async def list_all_networks(
        self, call: Call, args: remote.ConnectListAllNetworksArgs
    ) -> remote.ConnectListAllNetworksRet:
        call.check_flags(args.flags, LIST_FLAGS)
        found = [
            net.ref()
            for net in call.visible(self.networks)
            if passes(args.flags, ((2, 1, net.active), (4, 8, True), (16, 32, net.autostart)))
        ]
        return remote.ConnectListAllNetworksRet(nets=found, ret=len(found))

    @implements(remote.NETWORK_LOOKUP_BY_NAME)
    async def network_by_name(self, call: Call, args: remote.NetworkLookupByNameArgs) -> remote.NetworkLookupByNameRet:
        return remote.NetworkLookupByNameRet(net=self._network(call, args.name).ref())

    @implements(remote.NETWORK_LOOKUP_BY_UUID)
    async def network_by_uuid(self, call: Call, args: remote.NetworkLookupByUuidArgs) -> remote.NetworkLookupByUuidRet:
        detail = f"no network with matching uuid '{args.uuid.hex()}'"
        net = only(self.networks, ErrorCode.NO_NETWORK, detail, lambda net: net.uuid == args.uuid)
        call.authorize(net)
        return remote.NetworkLookupByUuidRet(net=net.ref())

    @implements(remote.NETWORK_GET_XML_DESC)
    async def network_xml(self, call: Call, args: remote.NetworkGetXmlDescArgs) -> remote.NetworkGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.NetworkGetXmlDescRet(xml=self._network(call, args.net.name).xml)

    @implements(remote.NETWORK_GET_BRIDGE_NAME)
    async def bridge_name(self, call: Call, args: remote.NetworkGetBridgeNameArgs) -> remote.NetworkGetBridgeNameRet:
        return remote.NetworkGetBridgeNameRet(name=self._network(call, args.net.name).bridge)

    @implements(remote.NETWORK_IS_ACTIVE)
    async def network_active(self, call: Call, args: remote.NetworkIsActiveArgs) -> remote.NetworkIsActiveRet:
        return remote.NetworkIsActiveRet(active=int(self._network(call, args.net.name).active))

    @implements(remote.NETWORK_IS_PERSISTENT)
    async def network_persistent(
        self, call: Call, args: remote.NetworkIsPersistentArgs
    ) -> remote.NetworkIsPersistentRet:
        self._network(call, args.net.name)
        return remote.NetworkIsPersistentRet(persistent=1)

    @implements(remote.NETWORK_GET_AUTOSTART)
    async def network_autostart(
        self, call: Call, args: remote.NetworkGetAutostartArgs
    ) -> remote.NetworkGetAutostartRet:
        return remote.NetworkGetAutostartRet(autostart=int(self._network(call, args.net.name).autostart))

    @implements(remote.NETWORK_SET_AUTOSTART)
    async def set_network_autostart(self, call: Call, args: remote.NetworkSetAutostartArgs) -> None:
        self._network(call, args.net.name).autostart = bool(args.autostart)

    @implements(remote.NETWORK_CREATE)
    async def network_create(self, call: Call, args: remote.NetworkCreateArgs) -> None:
        net = self._network(call, args.net.name)
        if net.active:
            raise invalid(f"Network '{net.name}' is already running")
        net.active = True

    @implements(remote.NETWORK_DESTROY)
    async def network_destroy(self, call: Call, args: remote.NetworkDestroyArgs) -> None:
        self._network(call, args.net.name).active = False

    @implements(remote.NETWORK_UNDEFINE)
    async def network_undefine(self, call: Call, args: remote.NetworkUndefineArgs) -> None:
        net = self._network(call, args.net.name)
        if net.active:
            raise invalid(f"Network '{net.name}' is still running")
        self.networks.remove(net)

    def _network(self, call: Call, name: str) -> NetworkThing:
        detail = f"no network with matching name '{name}'"
        net = only(self.networks, ErrorCode.NO_NETWORK, detail, lambda net: net.name == name)
        call.authorize(net)
        return net

    def _networks(self, call: Call, *, active: bool) -> list[str]:
        return [net.name for net in call.visible(self.networks) if net.active is active]
