# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's networks: defined, made for a while, changed, started, stopped, dropped.

Leases and ports are answered "not supported", as there are no guests behind a network.
"""

from __future__ import annotations

from virtproxy.documents.network import NetworkDocument, parse
from virtproxy.documents.network.update import apply
from virtproxy.documents.validate import validate
from virtproxy.driver import Call, ErrorCode, ErrorDomain, Objects, VirtError, implements, kinds, remote
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import NETWORK
from virtproxy.drivers.test.thing import THINGS, Thing, invalid
from virtproxy.errors import internal

LIST_FLAGS = 0x3F
VALIDATE = 1
LIVE, CONFIG = 1, 2
# The kinds of notes that are a text; any other kind is an element.
TEXTS = {0: "description", 1: "title"}
DEFINED, UNDEFINED, STARTED, STOPPED = range(4)


class NetworkThing(Thing):
    """One network. `config`: what it will be made of, where that differs from what runs."""

    def __init__(self, document: NetworkDocument, *, persistent: bool, active: bool) -> None:
        super().__init__(document.name, document.uuid, persistent=persistent, active=active)
        self.document = document
        self.config: NetworkDocument | None = None

    def ref(self) -> remote.NonnullNetwork:
        """How the protocol names it."""
        return remote.NonnullNetwork(name=self.name, uuid=self.uuid)

    def affected(self, flags: int) -> int:
        """What a change is made to: LIVE, CONFIG or both, as `flags` say; VirtError if that is not there."""
        affected = flags or (LIVE if self.active else CONFIG)
        if affected & LIVE and not self.active:
            raise invalid("network is not running", ErrorDomain.NETWORK)
        if affected & CONFIG and not self.persistent:
            raise invalid("cannot change persistent config of a transient network", ErrorDomain.NETWORK)
        return affected

    def documents(self, flags: int) -> list[NetworkDocument]:
        """The documents that a change is made to."""
        affected, found = self.affected(flags), []
        if self.active and self.config is None:
            self.config = self.document.copy()
        if affected & LIVE or not self.active:
            found.append(self.document)
        if affected & CONFIG and self.config is not None and self.active:
            found.append(self.config)
        return found

    def redefine(self, document: NetworkDocument) -> None:
        """Take a new definition, which counts once the network is stopped."""
        self.persistent = True
        if self.active:
            self.config = document
        else:
            self.document = document


class Networks(TestHost):
    """The procedures of the network family."""

    def empty(self) -> None:
        super().empty()
        self.networks: Objects[NetworkThing] = Objects(kinds.NETWORKS.of(ErrorDomain.TEST))

    def reset(self) -> None:
        super().reset()
        self.networks.add(NetworkThing(parse(NETWORK), persistent=True, active=True))

    @implements(remote.CONNECT_NUM_OF_NETWORKS)
    async def num_of_networks(self, call: Call, args: None) -> remote.ConnectNumOfNetworksRet:
        return remote.ConnectNumOfNetworksRet(num=len(self._network_names(call, active=True)))

    @implements(remote.CONNECT_LIST_NETWORKS)
    async def list_networks(self, call: Call, args: remote.ConnectListNetworksArgs) -> remote.ConnectListNetworksRet:
        return remote.ConnectListNetworksRet(names=self._network_names(call, active=True))

    @implements(remote.CONNECT_NUM_OF_DEFINED_NETWORKS)
    async def num_of_defined_networks(self, call: Call, args: None) -> remote.ConnectNumOfDefinedNetworksRet:
        return remote.ConnectNumOfDefinedNetworksRet(num=len(self._network_names(call, active=False)))

    @implements(remote.CONNECT_LIST_DEFINED_NETWORKS)
    async def list_defined_networks(
        self, call: Call, args: remote.ConnectListDefinedNetworksArgs
    ) -> remote.ConnectListDefinedNetworksRet:
        return remote.ConnectListDefinedNetworksRet(names=self._network_names(call, active=False))

    @implements(remote.CONNECT_LIST_ALL_NETWORKS)
    async def list_all_networks(
        self, call: Call, args: remote.ConnectListAllNetworksArgs
    ) -> remote.ConnectListAllNetworksRet:
        call.check_flags(args.flags, LIST_FLAGS)
        found = [net.ref() for net in THINGS.select(call.visible(self.networks), args.flags)]
        return remote.ConnectListAllNetworksRet(nets=found, ret=len(found))

    @implements(remote.NETWORK_LOOKUP_BY_NAME)
    async def network_by_name(self, call: Call, args: remote.NetworkLookupByNameArgs) -> remote.NetworkLookupByNameRet:
        return remote.NetworkLookupByNameRet(net=self._network(call, args.name).ref())

    @implements(remote.NETWORK_LOOKUP_BY_UUID)
    async def network_by_uuid(self, call: Call, args: remote.NetworkLookupByUuidArgs) -> remote.NetworkLookupByUuidRet:
        return remote.NetworkLookupByUuidRet(net=self._network_by_uuid(call, args.uuid).ref())

    @implements(remote.NETWORK_GET_XML_DESC)
    async def network_xml(self, call: Call, args: remote.NetworkGetXmlDescArgs) -> remote.NetworkGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.NetworkGetXmlDescRet(xml=self._network(call, args.net.name).document.format())

    @implements(remote.NETWORK_GET_BRIDGE_NAME)
    async def bridge_name(self, call: Call, args: remote.NetworkGetBridgeNameArgs) -> remote.NetworkGetBridgeNameRet:
        net = self._network(call, args.net.name)
        if not net.document.bridge:
            raise internal(f"network '{net.name}' does not have a bridge name.", ErrorDomain.TEST)
        return remote.NetworkGetBridgeNameRet(name=net.document.bridge)

    @implements(remote.NETWORK_IS_ACTIVE)
    async def network_active(self, call: Call, args: remote.NetworkIsActiveArgs) -> remote.NetworkIsActiveRet:
        return remote.NetworkIsActiveRet(active=int(self._network_by_uuid(call, args.net.uuid).active))

    @implements(remote.NETWORK_IS_PERSISTENT)
    async def network_persistent(
        self, call: Call, args: remote.NetworkIsPersistentArgs
    ) -> remote.NetworkIsPersistentRet:
        return remote.NetworkIsPersistentRet(persistent=int(self._network_by_uuid(call, args.net.uuid).persistent))

    @implements(remote.NETWORK_GET_AUTOSTART)
    async def network_autostart(
        self, call: Call, args: remote.NetworkGetAutostartArgs
    ) -> remote.NetworkGetAutostartRet:
        return remote.NetworkGetAutostartRet(autostart=int(self._network(call, args.net.name).autostart))

    @implements(remote.NETWORK_SET_AUTOSTART)
    async def set_network_autostart(self, call: Call, args: remote.NetworkSetAutostartArgs) -> None:
        self._network(call, args.net.name).autostart = bool(args.autostart)

    # Changing

    @implements(remote.NETWORK_DEFINE_XML)
    async def network_define(self, call: Call, args: remote.NetworkDefineXmlArgs) -> remote.NetworkDefineXmlRet:
        return remote.NetworkDefineXmlRet(net=self._define_network(call, args.xml).ref())

    @implements(remote.NETWORK_DEFINE_XML_FLAGS)
    async def network_define_flags(
        self, call: Call, args: remote.NetworkDefineXmlFlagsArgs
    ) -> remote.NetworkDefineXmlFlagsRet:
        call.check_flags(args.flags, VALIDATE)
        return remote.NetworkDefineXmlFlagsRet(net=self._define_network(call, args.xml, args.flags).ref())

    @implements(remote.NETWORK_CREATE_XML)
    async def network_create_xml(self, call: Call, args: remote.NetworkCreateXmlArgs) -> remote.NetworkCreateXmlRet:
        return remote.NetworkCreateXmlRet(net=self._create_network(call, args.xml).ref())

    @implements(remote.NETWORK_CREATE_XML_FLAGS)
    async def network_create_xml_flags(
        self, call: Call, args: remote.NetworkCreateXmlFlagsArgs
    ) -> remote.NetworkCreateXmlFlagsRet:
        call.check_flags(args.flags, VALIDATE)
        return remote.NetworkCreateXmlFlagsRet(net=self._create_network(call, args.xml, args.flags).ref())

    @implements(remote.NETWORK_UPDATE)
    async def network_update(self, call: Call, args: remote.NetworkUpdateArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        net = self._network_by_uuid(call, args.net.uuid)
        affected = net.affected(args.flags)
        change = (args.command, args.section, args.parent_index, args.xml)
        config = apply(net.config or net.document, *change) if affected & CONFIG else None
        if affected & LIVE:
            net.config = net.config or net.document
            net.document = apply(net.document, *change)
        if config is not None:
            net.redefine(config)

    @implements(remote.NETWORK_CREATE)
    async def network_create(self, call: Call, args: remote.NetworkCreateArgs) -> None:
        net = self._network(call, args.net.name)
        if net.active:
            raise invalid(f"Network '{net.name}' is already running")
        net.active = True
        self.emit(remote.NETWORK_EVENT_LIFECYCLE, net, STARTED, 0)

    @implements(remote.NETWORK_DESTROY)
    async def network_destroy(self, call: Call, args: remote.NetworkDestroyArgs) -> None:
        net = self._network(call, args.net.name)
        net.active = False
        self.emit(remote.NETWORK_EVENT_LIFECYCLE, net, STOPPED, 0)
        if not net.persistent:
            self.networks.remove(net)

    @implements(remote.NETWORK_UNDEFINE)
    async def network_undefine(self, call: Call, args: remote.NetworkUndefineArgs) -> None:
        net = self._network(call, args.net.name)
        if net.active:
            raise invalid(f"Network '{net.name}' is still running")
        self.networks.remove(net)
        self.emit(remote.NETWORK_EVENT_LIFECYCLE, net, UNDEFINED, 0)

    @implements(remote.NETWORK_GET_METADATA)
    async def network_metadata(self, call: Call, args: remote.NetworkGetMetadataArgs) -> remote.NetworkGetMetadataRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        net = self._network_by_uuid(call, args.network.uuid)
        document = net.documents(args.flags)[0]
        name = TEXTS.get(args.type)
        found = document.metadata(args.uri or "") if name is None else document.text(name)
        if not found:
            detail = "Requested metadata element is not present"
            raise VirtError.of(ErrorCode.NO_NETWORK_METADATA, detail, domain=ErrorDomain.NETWORK)
        return remote.NetworkGetMetadataRet(metadata=found)

    @implements(remote.NETWORK_SET_METADATA)
    async def set_network_metadata(self, call: Call, args: remote.NetworkSetMetadataArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        net = self._network_by_uuid(call, args.network.uuid)
        name = TEXTS.get(args.type)
        for document in net.documents(args.flags):
            if name is None:
                document.set_metadata(args.uri or "", args.key or "", args.metadata)
            else:
                document.set_text(name, args.metadata)
        self.emit(remote.NETWORK_EVENT_CALLBACK_METADATA_CHANGE, net, args.type, args.uri)

    # Around them

    def _define_network(self, call: Call, xml: str, flags: int = 0) -> NetworkThing:
        document = self._network_document(xml, flags)
        made = NetworkThing(document, persistent=True, active=False)
        call.authorize(made)
        net = self.networks.claim(document.name, document.uuid)
        if net is None:
            net = self.networks.add(made)
        else:
            net.redefine(document)
        self.emit(remote.NETWORK_EVENT_LIFECYCLE, net, DEFINED, 0)
        return net

    def _create_network(self, call: Call, xml: str, flags: int = 0) -> NetworkThing:
        document = self._network_document(xml, flags)
        made = NetworkThing(document, persistent=False, active=True)
        call.authorize(made)
        net = self.networks.claim(document.name, document.uuid)
        if net is not None and net.active:
            raise invalid(f"network is already active as '{net.name}'", ErrorDomain.NETWORK)
        if net is None:
            net = self.networks.add(made)
        else:
            net.document, net.active = document, True
        self.emit(remote.NETWORK_EVENT_LIFECYCLE, net, STARTED, 0)
        return net

    def _network_document(self, xml: str, flags: int) -> NetworkDocument:
        if flags & VALIDATE:
            validate(xml, "network")
        return parse(xml)

    def _network(self, call: Call, name: str) -> NetworkThing:
        net = self.networks.by_name(name)
        call.authorize(net)
        return net

    def _network_by_uuid(self, call: Call, uuid: bytes) -> NetworkThing:
        net = self.networks.by_uuid(uuid)
        call.authorize(net)
        return net

    def _network_names(self, call: Call, *, active: bool) -> list[str]:
        return [net.name for net in call.visible(self.networks) if net.active is active]
