# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules before a driver in this process: permissions, denials, what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.routing.rules.conftest import Guarded
from tests.routing.rules.deciders import SlowDecider, WrittenDecider, hiding
from tests.support.proxy import settle
from virtproxy.access.decision import Decision, Thing
from virtproxy.access.owners import Owners
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.rpc.client import ClientConnection

URI = "test:///default"
GUEST = "<domain type='test'><name>{name}</name><memory>1024</memory><os><type>hvm</type></os></domain>"


async def lookup(client: ClientConnection, name: str) -> remote.NonnullDomain:
    return (await client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name=name))).dom


async def define(client: ClientConnection, name: str) -> remote.NonnullDomain:
    args = remote.DomainDefineXmlArgs(xml=GUEST.format(name=name))
    return (await client.call(remote.DOMAIN_DEFINE_XML, args)).dom


async def refused(client: ClientConnection, procedure: Any, args: Any = None) -> VirtError:
    with pytest.raises(VirtError) as caught:
        await client.call(procedure, args)
    return caught.value


@pytest_twisted.ensureDeferred
async def test_what_is_granted_passes_and_is_not_asked_again(guarded: Guarded) -> None:
    decider = WrittenDecider(lambda permission, thing: True)
    client = await guarded(decider).client(URI)
    args = remote.DomainGetInfoArgs(dom=await lookup(client, "test"))
    first = await client.call(remote.DOMAIN_GET_INFO, args)
    asked = len(decider.asked)
    again = await client.call(remote.DOMAIN_GET_INFO, args)
    assert (first.max_mem, asked) == (again.max_mem, len(decider.asked))


@pytest_twisted.ensureDeferred
async def test_a_refusal_names_what_is_missing(guarded: Guarded) -> None:
    client = await guarded(WrittenDecider(lambda permission, thing: permission != "suspend")).client(URI)
    error = await refused(client, remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=await lookup(client, "test")))
    assert error.code == ErrorCode.ACCESS_DENIED
    assert error.domain == ErrorDomain.ACCESS
    assert error.message == "access denied: domain:suspend on 'test' is not granted"


@pytest_twisted.ensureDeferred
async def test_libvirts_own_rules_refuse_in_libvirts_words_and_hide_nothing(guarded: Guarded) -> None:
    proxy = guarded(SlowDecider(lambda permission, thing: thing.kind == "connect"), hides=False)
    client = await proxy.client(URI)
    error = await refused(client, remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test"))
    assert (error.code, error.message) == (ErrorCode.ACCESS_DENIED, "access denied: 'Test' denied access")
    absent = await refused(client, remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="ghost"))
    assert absent.code == ErrorCode.NO_DOMAIN


@pytest_twisted.ensureDeferred
async def test_all_rules_that_apply_must_be_granted(guarded: Guarded) -> None:
    client = await guarded(WrittenDecider(lambda permission, thing: permission != "read_secure")).client(URI)
    dom = await lookup(client, "test")
    await client.call(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=dom, flags=0))
    error = await refused(client, remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=dom, flags=1))
    assert "domain:read_secure" in str(error.message)


@pytest_twisted.ensureDeferred
async def test_a_forged_name_leads_to_the_true_thing(guarded: Guarded) -> None:
    decider = WrittenDecider(lambda permission, thing: thing.kind == "connect" or thing.name in ("mine", "seen"))
    proxy = guarded(decider)
    admin = await guarded(WrittenDecider(lambda permission, thing: True)).client(URI)
    del admin
    client = await proxy.client(URI)
    mine = await define(client, "mine")
    true = remote.NonnullDomain(name="test", uuid=bytes.fromhex("6695eb01f6a4830479aa97f2502e193f"), id=1)
    forged = remote.NonnullDomain(name="mine", uuid=true.uuid, id=mine.id)
    for reference in (true, forged):
        error = await refused(client, remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=reference))
        assert error.code == ErrorCode.NO_DOMAIN
        assert error.str2 == f"no domain with matching uuid '6695eb01-f6a4-8304-79aa-97f2502e193f' ({reference.name})"
    # The other way round: a wrong name beside the right UUID is no harm.
    await client.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=remote.NonnullDomain("test", mine.uuid, -1)))


@pytest_twisted.ensureDeferred
async def test_what_changes_its_name_is_judged_anew(guarded: Guarded) -> None:
    def rule(permission: str, thing: Any) -> bool:
        return thing.kind == "connect" or str(thing.name).startswith("a")

    proxy = guarded(WrittenDecider(rule))
    client = await proxy.client(URI)
    dom = await define(client, "abc")
    info = remote.DomainGetInfoArgs(dom=dom)
    await client.call(remote.DOMAIN_GET_INFO, info)
    await client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=dom))
    await settle(proxy.reactor)
    error = await refused(client, remote.DOMAIN_GET_INFO, info)
    assert error.code == ErrorCode.NO_DOMAIN


@pytest_twisted.ensureDeferred
async def test_whoever_defines_a_guest_owns_it(guarded: Guarded) -> None:
    owners = Owners(None, lambda identity: f"uid:{identity.uid}")

    def rule(permission: str, thing: Any) -> bool:
        return thing.kind == "connect" or thing.owner is not None

    client = await guarded(WrittenDecider(rule), owners=owners).client(URI)
    dom = await define(client, "mine")
    listed = await client.call(remote.CONNECT_LIST_ALL_DOMAINS, remote.ConnectListAllDomainsArgs(1, 0))
    assert [each.name for each in listed.domains] == ["mine"]
    await client.call(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=dom))
    assert [thing.kind for thing, _ in owners] == ["domain"]


@pytest_twisted.ensureDeferred
async def test_a_name_that_is_taken_tells_nothing_of_who_has_it(guarded: Guarded) -> None:
    client = await guarded(WrittenDecider(hiding("test"))).client(URI)
    uuid = "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
    document = GUEST.format(name="other").replace("<memory>", uuid + "<memory>")
    error = await refused(client, remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=document))
    assert error.message == "access denied: domain:write on domain 'other' is not granted"


@pytest_twisted.ensureDeferred
async def test_other_rules_count_at_once(guarded: Guarded) -> None:
    decider = WrittenDecider(lambda permission, thing: True)
    proxy = guarded(decider)
    client = await proxy.client(URI)
    info = remote.DomainGetInfoArgs(dom=await lookup(client, "test"))
    await client.call(remote.DOMAIN_GET_INFO, info)
    decider.rule = hiding("test")
    proxy.sessions[-1].refresh()
    assert (await refused(client, remote.DOMAIN_GET_INFO, info)).code == ErrorCode.NO_DOMAIN


@pytest_twisted.ensureDeferred
async def test_what_was_judged_by_rules_that_changed_meanwhile_is_not_remembered(guarded: Guarded) -> None:
    turns: list[Deferred[None]] = []

    class Thinking(WrittenDecider):
        async def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision:
            granted = self.rule(permission, thing)
            if permission == "read" and granted:
                turns.append(Deferred())
                await turns[-1]
            return Decision(granted)

    decider = Thinking(lambda permission, thing: True)
    proxy = guarded(decider)
    client = await proxy.client(URI)
    info = remote.DomainGetInfoArgs(dom=await lookup(client, "test"))
    under_way = client.call(remote.DOMAIN_GET_INFO, info)
    await settle(proxy.reactor)
    decider.rule = hiding("test")
    proxy.sessions[-1].refresh()
    turns.pop().callback(None)
    await under_way
    assert (await refused(client, remote.DOMAIN_GET_INFO, info)).code == ErrorCode.NO_DOMAIN


@pytest_twisted.ensureDeferred
async def test_a_call_before_anything_is_opened_finds_nothing(guarded: Guarded) -> None:
    client = await guarded(WrittenDecider(lambda permission, thing: True)).client()
    args = remote.DomainLookupByNameArgs(name="test")
    error = await refused(client, remote.DOMAIN_LOOKUP_BY_NAME, args)
    assert "connection not open" in str(error.message)


@pytest_twisted.ensureDeferred
async def test_who_may_not_connect_cannot_open(guarded: Guarded) -> None:
    proxy = guarded(WrittenDecider(lambda permission, thing: thing.uri != URI))
    error = await refused(await proxy.client(), remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=URI + "?x=1", flags=0))
    assert error.code == ErrorCode.ACCESS_DENIED


@pytest_twisted.ensureDeferred
async def test_a_directory_that_cannot_answer_admits_nobody(guarded: Guarded, daemons: Any) -> None:
    """The hypervisor's daemon lets the client in, and then the directory finds nobody at its socket."""
    daemon = daemons["qemu"]
    proxy = guarded(WrittenDecider(lambda permission, thing: True), sockets={"qemu": daemon.path})
    client = await proxy.client("qemu:///system")
    proxy.router.sockets["qemu"] = "/nonexistent/sock"  # type: ignore[index]
    dom = remote.NonnullDomain(name="any", uuid=bytes(16), id=1)
    error = await refused(client, remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom))
    assert "Failed to connect" in str(error.message)
    assert remote.DOMAIN_DESTROY not in [procedure for procedure, _ in daemon.script.sessions[0].calls]
