# SPDX-License-Identifier: LGPL-2.1-or-later
"""In front of C libvirtd, a caller who may not see some things: nothing that it receives tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.conformance.hidden import (
    FRONT,
    HUSH_SECRET,
    NETWORK,
    POOL,
    TRACES,
    URI,
    UUIDS,
    Caller,
    admin,
    arguments,
    failed,
    host,
    uuid_of,
)
from tests.support.lab import INSIDE, Lab, fetched_tree, wait_until
from virtproxy.access.objects import about
from virtproxy.access.rules import rules_of
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.wire import frame as wire
from virtproxy.wire.limits import PACKET_MIN

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", params=["9.0", "11.3"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with host(fetched_tree() if request.param == "11.3" else None) as made:
        yield made


@pytest.fixture
def caller(lab: Lab) -> Iterator[Caller]:
    with Caller(lab.outside(FRONT) / "libvirt-sock") as made:
        yield made


def traces(received: bytes) -> list[str]:
    """What of the hidden things is in something that was received."""
    folded = received.lower()
    found = [trace for trace in TRACES if trace.encode() in folded]
    return found + [f"{kind} UUID" for kind, uuid in UUIDS.items() if bytes.fromhex(uuid.replace("-", "")) in received]


def names_a_thing(procedure: Procedure[Any, Any]) -> bool:
    what = about(procedure)
    named = [field for field in what.fields if not field.optional and not field.many]
    return bool(named or what.name or what.lookup)


PROCEDURES = [
    procedure
    for program in (remote.PROGRAM, qemu.PROGRAM, lxc.PROGRAM)
    for procedure in program.procedures.values()
    if not procedure.event and rules_of(procedure.acl) and names_a_thing(procedure)
]


@pytest.mark.parametrize("family", Family, ids=lambda family: family.value)
def test_a_hidden_thing_and_an_absent_one_get_the_same_answer(caller: Caller, family: Family) -> None:
    for procedure in PROCEDURES:
        if procedure.family is not family:
            continue
        hidden = caller.frame(procedure, arguments(procedure.args, "hush", 0))
        absent = caller.frame(procedure, arguments(procedure.args, "gone", 1))
        assert hidden.status == absent.status == wire.ERROR, procedure
        told = absent.raw[PACKET_MIN:].replace(b"gone", b"hush")
        for kind, uuid in UUIDS.items():
            told = told.replace(str(UUID(bytes=uuid_of(kind, 1))).encode(), uuid.encode())
        assert hidden.raw[PACKET_MIN:] == told, procedure


def test_every_procedure_that_names_a_thing_was_tried() -> None:
    assert len(PROCEDURES) > 270


def test_lists_and_counts_tell_of_open_things_only(caller: Caller) -> None:
    for procedure in remote.PROGRAM.procedures.values():
        if not procedure.aclfilter or procedure.edge:
            continue
        for results in (0, 1):
            args = listed(procedure, results)
            answer = caller.call(procedure, args)
            assert not failed(answer), (procedure.name, answer)
            numbers = [value for value in answer if isinstance(value, int)]
            entries = [value for value in answer if isinstance(value, list)]
            kind = rules_of(procedure.aclfilter)[0].kind
            expected = 0 if kind in ("node_device", "interface", "nwfilter_binding") else 1
            if "DEFINED" in procedure.name:
                expected = 0
            told = numbers[0] if numbers else len(entries[0])
            assert told == expected, (procedure.name, answer)
            if results == 0 and hasattr(args, "need_results"):
                assert entries == [[]]
    assert traces(caller.received) == []


def listed(procedure: Procedure[Any, Any], results: int) -> Any:
    if procedure.args is None:
        return None
    values: dict[str, Any] = {
        "need_results": results,
        "maxnames": 100,
        "maxids": 100,
        "maxuuids": 100,
        "flags": 0,
        "stats": 0,
    }
    values |= {"doms": [], "cap": None}
    named = procedure.args.__match_args__
    return procedure.args(*(values[name] if name in values else OPEN[name] for name in named))


OPEN: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def open_things(caller: Caller) -> None:
    net = remote.NetworkLookupByNameArgs(name="open-net")
    OPEN["network"] = caller.call(remote.NETWORK_LOOKUP_BY_NAME, net).net
    pool = remote.StoragePoolLookupByNameArgs(name="open-pool")
    OPEN["pool"] = caller.call(remote.STORAGE_POOL_LOOKUP_BY_NAME, pool).pool
    guest = remote.DomainLookupByNameArgs(name="open-guest")
    OPEN["dom"] = caller.call(remote.DOMAIN_LOOKUP_BY_NAME, guest).dom


def test_a_forged_reference_leads_nowhere_else(lab: Lab, caller: Caller) -> None:
    dom = OPEN["dom"]
    forged = remote.NonnullDomain(name="open-guest", uuid=uuid_of("guest", 0), id=dom.id)
    error = caller.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=forged))
    assert error.code == ErrorCode.NO_DOMAIN
    # A hidden guest's name and number beside an open one's UUID is the open one.
    odd = remote.NonnullDomain(name="hush-guest", uuid=dom.uuid, id=2)
    xml = caller.call(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=odd, flags=0)).xml
    assert "<name>open-guest</name>" in xml
    net = remote.NonnullNetwork(name="open-net", uuid=uuid_of("net", 0))
    assert caller.call(remote.NETWORK_DESTROY, remote.NetworkDestroyArgs(net=net)).code == ErrorCode.NO_NETWORK
    odd_net = remote.NonnullNetwork(name="hush-net", uuid=OPEN["network"].uuid)
    xml = caller.call(remote.NETWORK_GET_XML_DESC, remote.NetworkGetXmlDescArgs(net=odd_net, flags=0)).xml
    assert "<name>open-net</name>" in xml
    odd_pool = remote.NonnullStoragePool(name="hush-pool", uuid=OPEN["pool"].uuid)
    xml = caller.call(remote.STORAGE_POOL_GET_XML_DESC, remote.StoragePoolGetXmlDescArgs(pool=odd_pool, flags=0)).xml
    assert "<name>open-pool</name>" in xml
    odd_volume = remote.NonnullStorageVol("open-pool", "open-vol", "/var/lib/libvirt/hush/hush-vol")
    path = caller.call(remote.STORAGE_VOL_GET_PATH, remote.StorageVolGetPathArgs(vol=odd_volume)).name
    assert path == "/var/lib/libvirt/open/open-vol"
    inner = remote.NonnullStorageVol("open-pool", "hush-vol", "/var/lib/libvirt/open/open-vol")
    error = caller.call(remote.STORAGE_VOL_DELETE, remote.StorageVolDeleteArgs(vol=inner, flags=0))
    assert error.code == ErrorCode.NO_STORAGE_VOL
    usage = remote.NonnullSecret(uuid=uuid_of("secret", 0), usage_type=2, usage_id="open-secret")
    error = caller.call(remote.SECRET_UNDEFINE, remote.SecretUndefineArgs(secret=usage))
    assert error.code == ErrorCode.NO_SECRET
    # Nothing happened to anything.
    assert sorted(admin(lab, "list", "--name").split()) == ["hush-guest", "open-guest"]
    assert "hush-net" in admin(lab, "net-list", "--name").split()
    assert "hush-vol" in admin(lab, "vol-list", "open-pool")


def test_leases_and_numbers_of_connections_tell_of_seen_guests_only(lab: Lab, caller: Caller) -> None:
    lab.run("ip", "netns", "add", "client")
    lab.run("ip", "link", "add", "lease0", "type", "veth", "peer", "name", "lease1", "netns", "client")
    lab.run("ip", "link", "set", "lease0", "master", "virbr91", "up")
    lab.run("ip", "-n", "client", "link", "set", "lease1", "up")
    guests = ("lease1", "52:54:00:aa:00:0a", "open-name", "lease1", "52:54:00:aa:00:0b", "hush-name")
    lab.run("ip", "netns", "exec", "client", "python3", "/run/lab/dhcp_client.py", *guests)
    wait_until(lambda: "hush-name" in admin(lab, "net-dhcp-leases", "open-net"), "the lease of the hidden guest")
    args = remote.NetworkGetDhcpLeasesArgs(net=OPEN["network"], mac=None, need_results=1, flags=0)
    answer = caller.call(remote.NETWORK_GET_DHCP_LEASES, args)
    assert [lease.hostname for lease in answer.leases] == ["open-name"]
    assert answer.ret == 1
    args = remote.NetworkGetDhcpLeasesArgs(net=OPEN["network"], mac="52:54:00:aa:00:0b", need_results=0, flags=0)
    assert caller.call(remote.NETWORK_GET_DHCP_LEASES, args) == remote.NetworkGetDhcpLeasesRet(leases=[], ret=0)
    whole = remote.NetworkGetXmlDescArgs(net=OPEN["network"], flags=0)
    assert "connections=" in admin(lab, "net-dumpxml", "open-net")
    assert "connections=" not in caller.call(remote.NETWORK_GET_XML_DESC, whole).xml
    assert traces(caller.received) == []


def test_events_tell_of_open_things_only(lab: Lab, caller: Caller) -> None:
    for event in range(27):
        args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=event, dom=None)
        assert not failed(caller.call(remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args))
    old = Caller(lab.outside(FRONT) / "libvirt-sock")
    assert not failed(old.call(remote.CONNECT_DOMAIN_EVENT_REGISTER))
    for event in range(1, 16):
        assert not failed(
            old.call(remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY, remote.ConnectDomainEventRegisterAnyArgs(event))
        )
    hidden = remote.NonnullDomain(name="hush-guest", uuid=uuid_of("guest", 0), id=-1)
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=hidden)
    caller.call(remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args)
    caller.call(remote.CONNECT_NETWORK_EVENT_REGISTER_ANY, remote.ConnectNetworkEventRegisterAnyArgs(0, None))
    for event in (0, 1):
        caller.call(
            remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, remote.ConnectStoragePoolEventRegisterAnyArgs(event, None)
        )
        caller.call(remote.CONNECT_SECRET_EVENT_REGISTER_ANY, remote.ConnectSecretEventRegisterAnyArgs(event, None))
        caller.call(
            remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, remote.ConnectNodeDeviceEventRegisterAnyArgs(event, None)
        )
    monitor = qemu.ConnectDomainMonitorEventRegisterArgs(dom=None, event=None, flags=0)
    caller.call(qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, monitor)
    for word in ("hush", "open"):
        for command in ("suspend", "resume", "destroy", "start"):
            admin(lab, command, f"{word}-guest")
        admin(lab, "pool-refresh", f"{word}-pool")
        admin(lab, "net-destroy", f"{word}-net")
        admin(lab, "net-start", f"{word}-net")
    for client, least in ((caller, 8), (old, 4)):
        heard = client.heard(1.0)
        assert len(heard) >= least
        assert all("open-" in repr(message) for message in heard), heard
        assert traces(client.received) == []
    old.socket.close()


def test_errors_do_not_name_hidden_things(caller: Caller) -> None:
    pool = POOL.format(word="drop", uuid="").replace("/var/lib/libvirt/drop", "/var/lib/libvirt/hush")
    args = remote.StoragePoolDefineXmlArgs(xml=pool, flags=0)
    error = caller.call(remote.STORAGE_POOL_DEFINE_XML, args)
    assert failed(error)
    net = NETWORK.format(word="drop", uuid=f"<uuid>{UUIDS['net']}</uuid>", number=93)
    error = caller.call(remote.NETWORK_DEFINE_XML, remote.NetworkDefineXmlArgs(xml=net))
    assert error.code == ErrorCode.ACCESS_DENIED
    assert b"hush-pool" not in caller.received


def test_virsh_learns_of_open_things_only(lab: Lab) -> None:
    tee = Path(__file__).parents[1] / "support" / "tee.py"
    listener = INSIDE / "tee-sock"
    spy = lab.spawn("tee", "/usr/bin/python3", tee, INSIDE / "packets", f"{listener}={FRONT}/libvirt-sock")
    lab.wait_for_socket(spy, listener)
    uri = URI.replace(f"{FRONT}/libvirt-sock", f"{INSIDE}/tee-sock")
    out = lab.run("virsh", "-c", uri, "-q", COMMANDS.replace("\n", "; "), check=False)
    assert "open-guest" in out.stdout
    assert "hush" not in out.stdout + out.stderr
    packets = lab.outside(INSIDE / "packets").read_text().splitlines()
    received = b"".join(bytes.fromhex(line.split()[2]) for line in packets if line.split()[1] == "<")
    assert traces(received) == []
    assert HUSH_SECRET.encode() not in received


COMMANDS = """list --all
domstats
domstats open-guest
net-list --all
net-dhcp-leases open-net
net-port-list open-net
pool-list --all --details
vol-list open-pool --details
nwfilter-list
nwfilter-binding-list
secret-list
nodedev-list
iface-list --all
dumpxml open-guest
dominfo open-guest
domiflist open-guest
net-info open-net
net-dumpxml open-net
pool-info open-pool
vol-info open-vol --pool open-pool
vol-dumpxml open-vol --pool open-pool
vol-pool /var/lib/libvirt/open/open-vol
secret-dumpxml 11111111-2222-4333-8444-5555555500a1
capabilities
nodeinfo
sysinfo
snapshot-list open-guest"""
