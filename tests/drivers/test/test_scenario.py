# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenarios: what a file makes, what goes wrong on purpose, and what is wrong with a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from virtproxy.driver import ErrorCode, HangUp, Place, VirtError
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.test import TestDriver
from virtproxy.drivers.test.config_files import read_text
from virtproxy.drivers.test.scenario import read_scenario
from virtproxy.protocol import remote
from virtproxy.toml.source import SourceError

GUESTS = """
[host]
seed = 3
base = "empty"
name = "fake.example.org"
[[guests]]
count = 20
name = "web-{n:03}"
memory = "1.5 GiB"
vcpus = 3
state = { running = 6, paused = 1, shutoff = 2, saved = 1 }
autostart = true
title = "Web & more"
[[guests]]
name = "one"
state = "crashed"
"""


class Timed(Clock):
    """A clock for timers only: files are read at once."""


class TimedPlace(Place):
    """A place whose blocking work is done at once, though it has a clock."""

    async def blocking(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)


def place(directory: Path, text: str, **settings: str) -> Place:
    """A place whose settings name a scenario."""
    (directory / "s.toml").write_text(text)
    named = {"test_scenario": str(directory / "s.toml"), **settings}
    return TimedPlace.under(directory, reactor=Timed(), settings=MappingProxyType(named))


async def client_of(where: Place) -> tuple[TestDriver, DriverHarness]:
    """A driver that has started, and a client of it."""
    driver = TestDriver(where)
    await driver.ready()
    return driver, DriverHarness(driver)


async def domains(client: DriverHarness) -> dict[str, remote.NonnullDomain]:
    """The domains, by name."""
    wanted = remote.ConnectListAllDomainsArgs(need_results=1, flags=0)
    return {dom.name: dom for dom in (await client.call(remote.CONNECT_LIST_ALL_DOMAINS, wanted)).domains}


async def states(client: DriverHarness) -> dict[str, int]:
    """Their states."""
    found = {}
    for name, dom in (await domains(client)).items():
        found[name] = (await client.call(remote.DOMAIN_GET_STATE, remote.DomainGetStateArgs(dom=dom, flags=0))).state
    return found


@pytest_twisted.ensureDeferred
async def test_guests_come_from_a_template_in_the_mix_that_is_asked_for(tmp_path: Path) -> None:
    _, client = await client_of(place(tmp_path, GUESTS))
    found = await states(client)
    assert Counter(found.values()) == {1: 12, 3: 2, 5: 4 + 2, 6: 1}
    assert {"web-001", "web-020", "one"} <= set(found)
    assert (await client.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "fake.example.org"
    dom = (await domains(client))["web-007"]
    xml = (await client.call(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=dom, flags=0))).xml
    assert "<memory unit='KiB'>1572864</memory>" in xml
    assert "<title>Web &amp; more</title>" in xml
    auto = await client.call(remote.DOMAIN_GET_AUTOSTART, remote.DomainGetAutostartArgs(dom=dom))
    assert auto.autostart == 1


@pytest_twisted.ensureDeferred
async def test_networks_are_made_and_kept(tmp_path: Path) -> None:
    text = """
    host.base = "empty"
    [[networks]]
    name = "lan-{n}"
    count = 2
    address = "10.1.0.1/24"
    dhcp = true
    autostart = true
    [[networks]]
    name = "idle"
    state = "inactive"
    """
    where = place(tmp_path, text, test_state=str(tmp_path / "state.xml"))
    driver, client = await client_of(where)
    wanted = remote.ConnectListAllNetworksArgs(need_results=1, flags=0)
    for _ in range(2):
        nets = {net.name: net for net in (await client.call(remote.CONNECT_LIST_ALL_NETWORKS, wanted)).nets}
        assert set(nets) == {"lan-1", "lan-2", "idle"}
        asked = remote.NetworkGetXmlDescArgs(net=nets["lan-2"], flags=0)
        xml = (await client.call(remote.NETWORK_GET_XML_DESC, asked)).xml
        assert "<range start='10.1.0.2' end='10.1.0.254'/>" in xml
        for name, active in (("lan-1", 1), ("idle", 0)):
            about = remote.NetworkIsActiveArgs(net=nets[name])
            assert (await client.call(remote.NETWORK_IS_ACTIVE, about)).active == active
            auto = await client.call(remote.NETWORK_GET_AUTOSTART, remote.NetworkGetAutostartArgs(net=nets[name]))
            assert auto.autostart == active
        # The second time as the file of the state has them.
        await driver.stop()
        driver, client = await client_of(where)


@pytest_twisted.ensureDeferred
async def test_the_scenario_that_the_documentation_shows_is_a_good_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/fake-libvirt.md").read_text()
    (tmp_path / "odd.xml").write_text(
        "<domain type='test'><name>{name}</name><memory>{n}</memory><os><type>hvm</type></os></domain>"
    )
    driver, _ = await client_of(place(tmp_path, page.partition("```toml\n")[2].partition("```")[0]))
    # Not asked for by a call: the faults that it shows would be met.
    assert len(list(driver.guests)) == 201
    assert len(driver.faults.counted) == 4


@pytest_twisted.ensureDeferred
async def test_pools_have_their_volumes_and_guests_disks_in_them(tmp_path: Path) -> None:
    text = """
    [[pools]]
    name = "images"
    path = "/srv/images"
    volumes = [{ name = "base-{n}.qcow2", count = 2, size = "3 GiB", format = "qcow2" }]
    [[pools]]
    name = "idle"
    state = "inactive"
    [[guests]]
    name = "g{n}"
    count = 2
    disks = [{ pool = "images", size = "1 GiB" }, { pool = "default-pool", format = "raw" }, { file = "/x/{name}" }]
    """
    where = place(tmp_path, text, test_state=str(tmp_path / "state.xml"))
    driver, client = await client_of(where)
    wanted = remote.ConnectListAllStoragePoolsArgs(need_results=1, flags=0)
    for _ in range(2):
        pools = {pool.name: pool for pool in (await client.call(remote.CONNECT_LIST_ALL_STORAGE_POOLS, wanted)).pools}
        assert set(pools) == {"default-pool", "images", "idle"}
        asked = remote.StoragePoolListAllVolumesArgs(pool=pools["images"], need_results=1, flags=0)
        volumes = {vol.name: vol for vol in (await client.call(remote.STORAGE_POOL_LIST_ALL_VOLUMES, asked)).vols}
        assert set(volumes) == {"base-1.qcow2", "base-2.qcow2", "g1-vda.qcow2", "g2-vda.qcow2"}
        info = remote.StorageVolGetInfoArgs(vol=volumes["base-1.qcow2"])
        assert (await client.call(remote.STORAGE_VOL_GET_INFO, info)).capacity == 3 << 30
        about = remote.StoragePoolIsActiveArgs(pool=pools["idle"])
        assert (await client.call(remote.STORAGE_POOL_IS_ACTIVE, about)).active == 0
        dom = (await domains(client))["g2"]
        xml = (await client.call(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(dom=dom, flags=0))).xml
        for path in ("/srv/images/g2-vda.qcow2", "/default-pool/g2-vdb.raw", "/x/g2"):
            assert f"<source file='{path}'/>" in xml
        # The second time as the file of the state has them.
        await driver.stop()
        driver, client = await client_of(where)


@pytest_twisted.ensureDeferred
async def test_the_same_seed_makes_the_same_host(tmp_path: Path) -> None:
    first = read_scenario(str(tmp_path / "x"), lambda path: GUESTS)
    assert first == read_scenario(str(tmp_path / "x"), lambda path: GUESTS)
    assert first.plan != read_scenario(str(tmp_path / "x"), lambda path: GUESTS.replace("seed = 3", "seed = 4")).plan


@pytest_twisted.ensureDeferred
async def test_the_usual_host_is_the_base_unless_another_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.xml").write_text(
        "<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>{n}</memory>"
        "<os><type>hvm</type></os></domain>"
    )
    text = '[[guests]]\nname = "of-file-{n}"\ncount = 2\nxml = "t.xml"\n'
    _, client = await client_of(place(tmp_path, text))
    assert set(await domains(client)) == {"test", "of-file-1", "of-file-2"}
    (tmp_path / "node.xml").write_text(
        "<node><domain type='test'><name>n</name><memory>1</memory><os><type>hvm</type></os></domain></node>"
    )
    _, client = await client_of(place(tmp_path, '[host]\nbase = "node.xml"\n' + text))
    assert set(await domains(client)) == {"n", "of-file-1", "of-file-2"}


@pytest_twisted.ensureDeferred
async def test_a_host_of_a_scenario_stays_as_it_is_left_and_is_there_again_after_a_restart(tmp_path: Path) -> None:
    where = place(tmp_path, GUESTS, test_state=str(tmp_path / "state.xml"))
    driver, client = await client_of(where)
    before = await states(client)
    running = next(name for name, state in before.items() if state == 1)
    dom = (await domains(client))[running]
    await client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom))
    snapshot = "<domainsnapshot><name>s</name></domainsnapshot>"
    other = (await domains(client))["one"]
    wanted = remote.DomainSnapshotCreateXmlArgs(dom=other, xml_desc=snapshot, flags=0)
    await client.call(remote.DOMAIN_SNAPSHOT_CREATE_XML, wanted)
    client.close()
    client = DriverHarness(driver)
    left = await states(client)
    assert left == before | {running: 5}
    await driver.stop()
    assert (tmp_path / "state.xml").stat().st_mode & 0o777 == 0o600

    _, again = await client_of(where)
    assert await states(again) == left
    other = (await domains(again))["one"]
    wanted_names = remote.DomainSnapshotListNamesArgs(dom=other, maxnames=9, flags=0)
    assert (await again.call(remote.DOMAIN_SNAPSHOT_LIST_NAMES, wanted_names)).names == ["s"]
    auto = await again.call(remote.DOMAIN_GET_AUTOSTART, remote.DomainGetAutostartArgs(dom=dom))
    assert auto.autostart == 1


# Faults


def fault(rows: str) -> str:
    """A scenario with faults only."""
    return "".join(f"[[faults]]\n{row}\n" for row in rows.split("|"))


async def outcomes(client: DriverHarness, count: int) -> str:
    """What became of so many calls: a letter each."""
    found = ""
    for _ in range(count):
        try:
            await client.call(remote.NODE_GET_INFO, None)
            found += "."
        except VirtError as error:
            found += "E" if error.code == ErrorCode.OPERATION_FAILED else "?"
    return found


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        ("", "EEEEEEEE"),
        ("nth = 3", "..E....."),
        ("every = 3", "..E..E.."),
        ("every = 2\ntimes = 2", ".E.E...."),
        ("chance = 0", "........"),
        ("times = 1", "E......."),
    ],
)
@pytest_twisted.ensureDeferred
async def test_when_a_fault_strikes(when: str, struck: str, tmp_path: Path) -> None:
    text = fault(f'calls = "virNode*"\nerror = "OPERATION_FAILED"\n{when}')
    _, client = await client_of(place(tmp_path, text))
    assert await outcomes(client, 8) == struck


@pytest_twisted.ensureDeferred
async def test_chance_is_the_seeds(tmp_path: Path) -> None:
    text = "[host]\nseed = {}\n" + fault('calls = "NODE_GET_INFO"\nerror = 9\nchance = 0.3').replace("{", "{{")
    seen = []
    for seed in (1, 1, 2):
        _, client = await client_of(place(tmp_path, text.format(seed)))
        seen.append(await outcomes(client, 200))
    assert seen[0] == seen[1] != seen[2]
    assert 30 < seen[0].count("E") < 90


@pytest_twisted.ensureDeferred
async def test_a_fault_may_be_about_one_object_only(tmp_path: Path) -> None:
    rows = 'calls = "virDomainSuspend"\nobject = "web-00*"\nerror = "AGENT_UNRESPONSIVE"\nmessage = "no answer"'
    _, client = await client_of(place(tmp_path, GUESTS.replace("{ running = 6,", "{ running = 99,") + fault(rows)))
    found = await domains(client)
    with pytest.raises(VirtError, match="no answer") as refused:
        await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=found["web-002"]))
    assert refused.value.code == ErrorCode.AGENT_UNRESPONSIVE
    await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=found["web-012"]))


@pytest_twisted.ensureDeferred
async def test_a_slow_call_is_answered_later_and_one_that_hangs_never(tmp_path: Path) -> None:
    text = fault('calls = "virNodeGetInfo"\ndelay = 2|calls = "virConnectGetHostname"\nhang = true')
    driver, client = await client_of(place(tmp_path, text))
    slow = Deferred.fromCoroutine(client.call(remote.NODE_GET_INFO, None))
    hung = Deferred.fromCoroutine(client.call(remote.CONNECT_GET_HOSTNAME, None))
    clock: Clock = driver.place.reactor
    clock.advance(1.9)
    assert not slow.called
    clock.advance(0.2)
    assert (await slow).cpus == 16
    clock.advance(3600)
    assert not hung.called
    client.close()
    assert not clock.getDelayedCalls()


@pytest_twisted.ensureDeferred
async def test_a_fault_may_hang_up(tmp_path: Path) -> None:
    _, client = await client_of(place(tmp_path, fault('calls = "virNodeGetInfo"\ndisconnect = true\nnth = 2')))
    assert await outcomes(client, 1) == "."
    with pytest.raises(HangUp):
        await client.call(remote.NODE_GET_INFO, None)


@pytest_twisted.ensureDeferred
async def test_opening_may_fail(tmp_path: Path) -> None:
    driver, _ = await client_of(place(tmp_path, fault('calls = "virConnectOpen"\nerror = "NO_CONNECT"\nnth = 1')))
    who = DriverHarness(driver).backend.identity
    with pytest.raises(VirtError) as refused:
        await driver.serving("test:///default", who)
    assert refused.value.code == ErrorCode.NO_CONNECT
    assert await driver.serving("test:///default", who) is driver


# What is wrong with a file


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[host]\nseed = 1\nbse = 'x'", 3, 'there is no key "bse" here; did you mean base?'),
        ("guest = 1", 1, 'there is no key "guest" here; did you mean guests?'),
        ("[host]\nbase = 'node'", 2, "base must be"),
        ("[host]\nseed = -1", 2, "seed must be a whole number"),
        ("[[guests]]\nname = 'a'\ncount = 2", 2, "2 objects need different names"),
        ("[[guests]]\nname = '{x}'", 2, "name must be a name"),
        ("[[guests]]\nname = '{n:0.__class__}'", 2, "name must be a name"),
        ("[[guests]]\nmemory = '1 GiB'", 1, "name must be a name"),
        ("[[guests]]\nname = 'a'\nmemory = '1'", 3, "memory must be a size"),
        ("[[guests]]\nname = 'a'\ncount = 1000000", 3, "count must be a number from 1"),
        ("[[guests]]\nname = 'a'\nstate = 'runing'", 3, 'there is no key "runing" here; did you mean running?'),
        ("[[guests]]\nname = 'a'\nstate = { running = 0 }", 3, "running must be a number above 0"),
        ("[[guests]]\nname = 'a'\nxml = 'none.xml'", 3, "No such file"),
        ("[[guests]]\nname = 'a'\n[[guests.disks]]\npool = 'p'", 4, "a pool of this scenario"),
        ("[[pools]]\nname = 'a'\nstate = 'on'", 3, "state must be"),
        ("[[networks]]\nname = 'a'\naddress = '10.0.0.1/99'", 3, "address must be"),
        ("[[networks]]\nname = 'a'\ndhcp = true", 3, "dhcp needs an address"),
        ("[[faults]]\nhang = true", 1, "a fault says which calls"),
        ("[[faults]]\ncalls = 'virDomainCrate'\nhang = true", 2, "did you mean virDomainCreate?"),
        ("[[faults]]\ncalls = 'virDomain*'", 1, "a fault has one of error, hang and disconnect, or a delay"),
        ("[[faults]]\ncalls = 'virDomain*'\nhang = true\nerror = 1", 1, "a fault has one of error, hang"),
        ("[[faults]]\ncalls = 'virDomain*'\nhang = true\nnth = 1\nevery = 1", 1, "a fault has one of nth"),
        ("[[faults]]\ncalls = 'virDomain*'\nerror = 'NO_DOMAN'", 3, "did you mean NO_DOMAIN?"),
        ("[[faults]]\ncalls = 'virDomain*'\nerror = 9999", 3, "error must be one of libvirt's"),
        ("[[faults]]\ncalls = 'virDomain*'\ndelay = [2, 1]", 3, "delay must be seconds"),
        ("[[faults]]\ncalls = 'virDomain*'\nhang = true\nchance = 2", 4, "chance must be a number from 0 to 1"),
        ("x = ", 1, "is not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(SourceError) as wrong:
        read_scenario(str(path), read_text)
    assert str(wrong.value).startswith(f"{path}:{line}: ")
    assert says in str(wrong.value)
