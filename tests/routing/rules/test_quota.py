# SPDX-License-Identifier: LGPL-2.1-or-later
"""Quotas in front of the test driver: what one owns is counted, and many calls at once get no more than one by one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, DeferredList

from tests.routing.conftest import run
from tests.support.proxy import Proxy, settle
from tests.support.scripted import ScriptedDaemon
from virtproxy.access.owners import Owners
from virtproxy.access.policy.decider import PolicyDecider
from virtproxy.access.policy.load import load_policy
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.locals import local_drivers
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.rules.access import AccessRule
from virtproxy.routing.rules.documents import Documents
from virtproxy.routing.rules.quota import Quotas
from virtproxy.routing.stages import StageMaker

ME = pwd.getpwuid(os.getuid()).pw_name
POLICY = f"""
[[grant]]
to = "user:{ME}"
roles = ["owner", "viewer", "mover"]

[roles.mover]
permissions = ["domain:block_write"]

[[quota]]
to = "user:{ME}"
guests = 3
vcpus = 6
memory = "4MiB"
volumes = "10MiB"
"""
MIB = 1 << 20
SAME = "71f5752d-9ffe-478f-8f0a-f23b1421ff98"


@pytest.fixture
def make(loop: Any, tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """Makes proxies with the policy in front of the test driver, or of these sockets."""
    made: list[Proxy] = []
    (tmp_path / "policy.toml").write_text(POLICY)
    (tmp_path / "policy.toml").chmod(0o600)

    def making(sockets: dict[str, str] | None = None) -> Proxy:
        policy = PolicyDecider(load_policy(str(tmp_path / "policy.toml")))
        owners = Owners(None, policy.owner_of)
        access = AccessRule(policy, hides=True, owners=owners)
        stages: list[StageMaker] = [
            access,
            Documents(policy, owners, access.directories_of),
            Quotas(policy, owners, access.directories_of),
        ]
        row = ROWS["virtproxyd"]
        made.append(Proxy(loop, sockets or {}, local=local_drivers(row), stages=stages))
        return made[-1]

    yield making
    for proxy in made:
        run(proxy.close())


def guest(name: str, vcpus: int = 1, kib: int = 1024, uuid: str = "") -> remote.DomainDefineXmlArgs:
    identity = f"<uuid>{uuid}</uuid>" if uuid else ""
    return remote.DomainDefineXmlArgs(
        xml=f"<domain type='test'><name>{name}</name>{identity}<memory>{kib}</memory><vcpu>{vcpus}</vcpu>"
        "<os><type>hvm</type></os></domain>"
    )


async def refused(answer: Deferred[Any]) -> str:
    with pytest.raises(VirtError) as caught:
        await answer
    assert caught.value.code == ErrorCode.ACCESS_DENIED, caught.value
    return str(caught.value)


@pytest_twisted.ensureDeferred
async def test_guests_processors_and_memory_are_counted(make: Callable[..., Proxy]) -> None:
    client = await make().client("test:///default")
    first = (await client.call(remote.DOMAIN_DEFINE_XML, guest("q1", vcpus=4))).dom
    told = await refused(client.call(remote.DOMAIN_DEFINE_XML, guest("q2", vcpus=3)))
    assert "quota of 6 vCPUs (7 wanted)" in told
    told = await refused(client.call(remote.DOMAIN_DEFINE_XML, guest("q2", kib=3073)))
    assert f"quota of {4 * MIB} bytes of memory ({4 * MIB + 1024} wanted)" in told
    await client.call(remote.DOMAIN_DEFINE_XML, guest("q2", uuid=SAME))
    # The same guest again is no other one.
    await client.call(remote.DOMAIN_DEFINE_XML, guest("q2", vcpus=2, uuid=SAME))
    told = await refused(client.call(remote.DOMAIN_DEFINE_XML, guest("q2", vcpus=3, uuid=SAME)))
    assert "quota of 6 vCPUs (7 wanted)" in told
    await client.call(remote.DOMAIN_DEFINE_XML, guest("q2", uuid=SAME))
    await client.call(remote.DOMAIN_DEFINE_XML, guest("q3"))
    assert "quota of 3 guests (4 wanted)" in await refused(client.call(remote.DOMAIN_DEFINE_XML, guest("q4")))
    # What is gone counts no more.
    await client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=first))
    await client.call(remote.DOMAIN_DEFINE_XML, guest("q4", vcpus=4))


@pytest_twisted.ensureDeferred
async def test_a_guest_grows_within_the_quota(make: Callable[..., Proxy]) -> None:
    client = await make().client("test:///default")
    dom = (await client.call(remote.DOMAIN_DEFINE_XML, guest("g1", vcpus=2))).dom
    more = remote.DomainSetVcpusFlagsArgs(dom=dom, nvcpus=7, flags=4 | 2)
    assert "quota of 6 vCPUs (7 wanted)" in await refused(client.call(remote.DOMAIN_SET_VCPUS_FLAGS, more))
    memory = remote.DomainSetMaxMemoryArgs(dom=dom, memory=5000)
    assert "bytes of memory" in await refused(client.call(remote.DOMAIN_SET_MAX_MEMORY, memory))
    await client.call(remote.DOMAIN_SET_MAX_MEMORY, remote.DomainSetMaxMemoryArgs(dom=dom, memory=4000))
    told = await refused(client.call(remote.DOMAIN_DEFINE_XML, guest("g2")))
    assert "bytes of memory" in told
    stick = "<memory model='dimm'><target><size unit='KiB'>4096</size></target></memory>"
    attach = remote.DomainAttachDeviceFlagsArgs(dom=dom, xml=stick, flags=2)
    assert "bytes of memory" in await refused(client.call(remote.DOMAIN_ATTACH_DEVICE_FLAGS, attach))


@pytest_twisted.ensureDeferred
async def test_many_at_once_get_no_more(make: Callable[..., Proxy]) -> None:
    proxy = make()
    clients = [await proxy.client("test:///default") for _ in range(4)]
    answers = [clients[n % 4].call(remote.DOMAIN_DEFINE_XML, guest(f"m{n}")) for n in range(12)]
    results = await DeferredList(answers, consumeErrors=True)
    assert sum(success for success, _ in results) == 3
    failures: list[Any] = [result for success, result in results if not success]
    assert all("quota of 3 guests" in str(failure.value) for failure in failures)


@pytest_twisted.ensureDeferred
async def test_what_is_refused_by_the_daemon_is_not_counted(make: Callable[..., Proxy]) -> None:
    client = await make().client("test:///default")
    broken = remote.DomainDefineXmlArgs(xml="<domain type='test'><name></name></domain>")
    for _ in range(4):
        with pytest.raises(VirtError):
            await client.call(remote.DOMAIN_DEFINE_XML, broken)
    for number in range(3):
        await client.call(remote.DOMAIN_DEFINE_XML, guest(f"r{number}"))


@pytest_twisted.ensureDeferred
async def test_a_migration_counts_until_it_has_come(loop: Any, make: Callable[..., Proxy]) -> None:
    daemon = ScriptedDaemon(loop)
    try:
        prepared = remote.DomainMigratePrepare3Ret(cookie_out=b"", uri_out=None)
        there: dict[str, remote.NonnullDomain] = {}

        def found(args: Any) -> remote.NonnullDomain:
            wanted = getattr(args, "name", None) or getattr(args, "uuid", None) or args.dom.uuid
            for dom in there.values():
                if wanted in (dom.name, dom.uuid):
                    return dom
            raise VirtError.of(ErrorCode.NO_DOMAIN)

        def prepares(args: Any) -> remote.DomainMigratePrepare3Ret:
            uuid = UUID(args.dom_xml.partition("<uuid>")[2].partition("<")[0])
            there[args.dname] = remote.NonnullDomain(name=args.dname, uuid=uuid.bytes, id=1)
            return prepared

        def failed(args: Any) -> Any:
            del there[args.dname]
            raise VirtError.of(ErrorCode.OPERATION_FAILED, "it did not come")

        daemon.script.answers.update(
            {
                remote.CONNECT_SET_IDENTITY: None,
                remote.DOMAIN_LOOKUP_BY_NAME: lambda args: remote.DomainLookupByNameRet(dom=found(args)),
                remote.DOMAIN_LOOKUP_BY_UUID: lambda args: remote.DomainLookupByUuidRet(dom=found(args)),
                remote.DOMAIN_GET_XML_DESC: lambda args: remote.DomainGetXmlDescRet(xml=guest(found(args).name).xml),
                remote.DOMAIN_GET_INFO: lambda args: remote.DomainGetInfoRet(
                    state=1, max_mem=1024, memory=1024, nr_virt_cpu=int(bool(found(args))), cpu_time=0
                ),
                remote.DOMAIN_MIGRATE_PREPARE3: prepares,
                remote.DOMAIN_MIGRATE_FINISH3: failed,
            }
        )
        proxy = make({"qemu": daemon.path})
        client = await proxy.client("qemu:///system")

        def prepare(name: str) -> Deferred[Any]:
            xml = guest(name, uuid=str(uuid4())).xml
            args = remote.DomainMigratePrepare3Args(
                cookie_in=b"", uri_in=None, flags=0, dname=name, resource=0, dom_xml=xml
            )
            return client.call(remote.DOMAIN_MIGRATE_PREPARE3, args)

        for name in ("a", "b", "c"):
            await prepare(name)
        assert "quota of 3 guests (4 wanted)" in await refused(prepare("d"))
        finish = remote.DomainMigrateFinish3Args(
            dname="a", cookie_in=b"", dconnuri=None, uri=None, flags=0, cancelled=1
        )
        with pytest.raises(VirtError, match="did not come"):
            await client.call(remote.DOMAIN_MIGRATE_FINISH3, finish)
        await prepare("d")
        # What was not brought to its end is given up with the connection.
        client.abort("gone")
        there.clear()
        await settle(loop)
        client = await proxy.client("qemu:///system")
        for name in ("e", "f", "g"):
            await prepare(name)
    finally:
        daemon.close()


POOL = remote.NonnullStoragePool(name="p", uuid=bytes(15) + b"\7")


DOM = remote.NonnullDomain(name="mine", uuid=bytes(15) + b"\10", id=1)


class Storage:
    """A storage daemon with one pool."""

    def __init__(self, daemon: ScriptedDaemon) -> None:
        self.sizes: dict[str, int] = {}
        daemon.script.answers.update(
            {
                remote.CONNECT_SET_IDENTITY: None,
                remote.STORAGE_POOL_LOOKUP_BY_UUID: remote.StoragePoolLookupByUuidRet(pool=POOL),
                remote.STORAGE_POOL_LOOKUP_BY_NAME: remote.StoragePoolLookupByNameRet(pool=POOL),
                remote.STORAGE_VOL_LOOKUP_BY_NAME: self.found,
                remote.STORAGE_VOL_GET_INFO: lambda args: remote.StorageVolGetInfoRet(
                    type=0, capacity=self.sizes[args.vol.name], allocation=0
                ),
                remote.STORAGE_VOL_CREATE_XML: self.created,
                remote.STORAGE_VOL_RESIZE: None,
                remote.STORAGE_VOL_LOOKUP_BY_PATH: lambda args: remote.StorageVolLookupByPathRet(
                    vol=remote.NonnullStorageVol(pool="p", name=args.path.rpartition("/")[2], key=args.path)
                ),
                # The same daemon has a guest.
                remote.DOMAIN_LOOKUP_BY_UUID: remote.DomainLookupByUuidRet(dom=DOM),
                remote.DOMAIN_GET_XML_DESC: remote.DomainGetXmlDescRet(
                    xml="<domain><devices><disk><source file='/p/v1'/><target dev='vda'/></disk></devices></domain>"
                ),
                remote.DOMAIN_BLOCK_RESIZE: None,
            }
        )

    def created(self, args: remote.StorageVolCreateXmlArgs) -> remote.StorageVolCreateXmlRet:
        name = args.xml.partition("<name>")[2].partition("<")[0]
        self.sizes[name] = int(args.xml.partition("'M'>")[2].partition("<")[0]) * MIB
        return remote.StorageVolCreateXmlRet(vol=remote.NonnullStorageVol(pool="p", name=name, key=f"/p/{name}"))

    def found(self, args: remote.StorageVolLookupByNameArgs) -> remote.StorageVolLookupByNameRet:
        if args.name not in self.sizes:
            raise VirtError.of(ErrorCode.NO_STORAGE_VOL)
        vol = remote.NonnullStorageVol(pool="p", name=args.name, key=f"/p/{args.name}")
        return remote.StorageVolLookupByNameRet(vol=vol)


@pytest_twisted.ensureDeferred
async def test_capacities_of_volumes_are_counted(loop: Any, make: Callable[..., Proxy]) -> None:
    daemon = ScriptedDaemon(loop)
    try:
        Storage(daemon)
        proxy = make({"storage": daemon.path, "qemu": daemon.path})
        client = await proxy.client("qemu:///system")

        def volume(name: str, mib: int) -> Deferred[Any]:
            xml = f"<volume><name>{name}</name><capacity unit='M'>{mib}</capacity></volume>"
            args = remote.StorageVolCreateXmlArgs(pool=POOL, xml=xml, flags=0)
            return client.call(remote.STORAGE_VOL_CREATE_XML, args)

        vol = (await volume("v1", 6)).vol
        told = await refused(volume("v2", 5))
        assert f"quota of {10 * MIB} bytes of volumes ({11 * MIB} wanted)" in told
        await volume("v2", 4)
        for capacity, flags in ((7 * MIB, 0), (MIB, 2)):
            args = remote.StorageVolResizeArgs(vol=vol, capacity=capacity, flags=flags)
            assert "bytes of volumes" in await refused(client.call(remote.STORAGE_VOL_RESIZE, args))
        for disk in ("vda", "/p/v1"):
            grow = remote.DomainBlockResizeArgs(dom=DOM, disk=disk, size=7 * 1024, flags=0)
            assert "bytes of volumes" in await refused(client.call(remote.DOMAIN_BLOCK_RESIZE, grow))
        grow = remote.DomainBlockResizeArgs(dom=DOM, disk="vda", size=6 * MIB, flags=1)
        await client.call(remote.DOMAIN_BLOCK_RESIZE, grow)
        args = remote.StorageVolResizeArgs(vol=vol, capacity=5 * MIB, flags=0)
        await client.call(remote.STORAGE_VOL_RESIZE, args)
    finally:
        daemon.close()
