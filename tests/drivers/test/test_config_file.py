# SPDX-License-Identifier: LGPL-2.1-or-later
"""test:///path/to/file.xml beside libvirt's own driver: the same hosts, the same errors, and who may open a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.support.lab import client_environment, fetched_tree
from virtproxy.driver import ErrorCode, Identity, VirtError
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.test import TestDriver
from virtproxy.protocol import remote

SCRIPT = Path(__file__).with_name("config_script.py")
SPACE = "xmlns:test='http://libvirt.org/schemas/domain/test/1.0'"
REST = "<memory>1024</memory><os><type>hvm</type></os>"
CURRENT = "<active>1</active>"
UUID = "<uuid>8b907172-1422-4731-8d9e-5fb72837ba15</uuid>"


def one(name: str, extra: str = "") -> str:
    """A domain with elements of its own."""
    return f"<domain type='test' {SPACE}>{extra}<name>{name}</name>{REST}</domain>"


def node(name: str, extra: str) -> str:
    """A file with one domain."""
    return f"<node>{one(name, extra)}</node>"


def snapshot(name: str, active: str, extra: str = "") -> str:
    """A snapshot in a domain."""
    return (
        f"<test:domainsnapshot><name>{name}</name>{extra}<state>running</state><creationTime>1600000000</creationTime>"
        f"{active}</test:domainsnapshot>"
    )


# By file name; a document without a <node> is not the content of one.
DOMAINS = {
    "empty": "<node/>",
    "unknown": "<node><foo/>text</node>",
    "everything": f"""<node {SPACE}>
      <cpu><mhz>6000</mhz><model>i986</model><active>50</active><nodes>4</nodes><sockets>4</sockets><cores>4</cores>
      <threads>2</threads></cpu><memory>8192000</memory>
      {one("a")}{one("off", "<test:runstate>5</test:runstate>")}{one("p", "<test:runstate>3</test:runstate>")}
      {one("t", "<test:transient/>")}<domain file='one.part'/>
      {one("m", "<test:hasmanagedsave/><test:runstate>5</test:runstate>")}</node>""",
    **{f"state{number}": node("x", f"<test:runstate>{number}</test:runstate>") for number in range(9)},
    "state-word": node("x", "<test:runstate>on</test:runstate>"),
    "transient-off": node("x", "<test:transient/><test:runstate>5</test:runstate>"),
    "saved-on": node("x", "<test:hasmanagedsave/>"),
    "saved-no": node("x", "<test:hasmanagedsave>0</test:hasmanagedsave><test:runstate>5</test:runstate>"),
    "name-twice": f"<node>{one('x', UUID)}{one('x')}</node>",
    "uuid-twice": f"<node>{one('x', UUID)}{one('y', UUID)}</node>",
    "no-file": "<node><domain file='nope.xml'/></node>",
    "no-pool-file": "<node><pool file='nope.xml'/></node>",
    "bad-domain": "<node><domain type='test'><name>x</name></domain></node>",
    "not-node": "<nodes/>",
    "other-type": "<node><domain type='qemu'><name>x</name><memory>1</memory><os><type>hvm</type></os></domain></node>",
    **{f"cpu-{key}": f"<node><cpu><{key}>x</{key}></cpu></node>" for key in ("nodes", "mhz", "active", "sockets")},
    "cpu-cores": "<node><cpu><cores>-1</cores></cpu></node>",
    "cpu-threads": "<node><cpu><threads>0x10</threads></cpu></node>",
    "cpu-none": "<node><cpu><nodes>0</nodes></cpu></node>",
    "cpu-many": "<node><cpu><active>300</active><nodes>1</nodes></cpu></node>",
    "cpu-few": "<node><cpu><active>3</active></cpu></node>",
    "long-model": f"<node><cpu><model>{'m' * 32}</model></cpu></node>",
    "memory-word": "<node><memory>x</memory></node>",
    "memory-part": "<node><memory>1.5</memory></node>",
    "snapshot-nameless": node("x", "<test:domainsnapshot/>"),
    "snapshots-current": node("x", snapshot("a", CURRENT) + snapshot("b", CURRENT)),
    "snapshot-vague": node("x", snapshot("a", "")),
}
POOL = "<pool type='dir'><name>p</name><target><path>/p</path></target>{}</pool>"
DEVICE = """<device><name>d</name><capability type='system'><hardware><vendor>v</vendor><serial>1</serial>{}</hardware>
<firmware><vendor>x</vendor><version>1</version><release_date>d</release_date></firmware></capability></device>"""
OBJECTS = {
    "network": "<node><network><name>n</name><bridge name='virbr9'/>"
    "<ip address='10.0.0.1' netmask='255.255.255.0'/></network></node>",
    "networks": f"<node><network><name>n</name>{UUID}</network><network><name>m</name></network></node>",
    "network-nameless": "<node><network/></node>",
    "network-twice": f"<node><network><name>n</name>{UUID}</network><network><name>n</name></network></node>",
    "network-file": "<node><network file='network.part'/></node>",
    "interface": "<node><interface type='ethernet' name='eth9'><mac address='aa:bb:cc:dd:ee:00'/></interface></node>",
    "interface-typeless": "<node><interface/></node>",
    "interface-twice": "<node><interface type='ethernet' name='e'/><interface type='ethernet' name='e'/></node>",
    "pool": f"<node>{POOL.format('')}</node>",
    "volumes": "<node>"
    + POOL.format("""<volume><name>v1</name><capacity>1000000</capacity></volume>
    <volume file='volume.part'/>""")
    + "</node>",
    "pool-twice": f"<node>{POOL.format(UUID)}{POOL.format('')}</node>",
    "pool-typeless": "<node><pool/></node>",
    "volume-nameless": f"<node>{POOL.format('<volume/>')}</node>",
    "volume-large": "<node>"
    + POOL.format("<volume><name>v</name><capacity unit='TiB'>9</capacity></volume>")
    + "</node>",
    "volume-twice": "<node>" + POOL.format(2 * "<volume><name>v</name><capacity>1</capacity></volume>") + "</node>",
    "device": f"<node>{DEVICE.format(UUID)}</node>",
    "device-no-uuid": f"<node>{DEVICE.format('')}</node>",
    "device-nameless": "<node><device/></node>",
}
# What must differ, and why: docs/differences.md has it too.
DIFFERING = {"volume-large": "more than the pool can hold", "volume-twice": "C fails without a reason"}
# What 11.3.0, whose interface ours presents, words otherwise than 9.0.0.
CHANGED = {"no-file", "no-pool-file"}
PARTS = {
    "volume.part": "<volume><name>v2</name><capacity unit='MiB'>5</capacity></volume>",
    "network.part": "<network><name>f</name></network>",
    "one.part": f"<domain type='test'><name>f</name>{REST}</domain>",
}
MASKS = ((re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"), (re.compile(r"%1\$s"), "%s"))


def answers(uri: str, paths: list[Path], environment: dict[str, str]) -> dict[str, Any]:
    """What libvirt-python finds on the hosts."""
    command = ["/usr/bin/python3", str(SCRIPT), uri, *map(str, paths)]
    env = {**os.environ, **environment, "LIBVIRT_LOG_OUTPUTS": "3:file:/dev/null"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert ended.returncode == 0, ended.stderr
    text = ended.stdout
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    found: dict[str, Any] = json.loads(text)
    return found


def written(directory: Path, documents: dict[str, str]) -> list[Path]:
    """The documents as files, and what they need."""
    for name, text in {**PARTS, **documents}.items():
        (directory / name).write_text(text)
    return [directory / name for name in documents]


@pytest.mark.programs("virsh")
@pytest.mark.parametrize("documents", [DOMAINS, OBJECTS], ids=["domains", "objects"])
@pytest.mark.parametrize("version", ["9.0.0", pytest.param("11.3.0", marks=pytest.mark.conformance)])
def test_files_are_read_alike(version: str, documents: dict[str, str], daemon: Path, tmp_path: Path) -> None:
    environment = dict(client_environment(fetched_tree() if version == "11.3.0" else None))
    paths = written(tmp_path, documents)
    theirs = answers("test://{}", paths, environment)
    ours = answers(f"test+unix://{{}}?socket={daemon}/libvirt-sock", paths, environment)
    assert sum(isinstance(found, list) for found in theirs.values()) > len(documents) // 4
    changed = CHANGED if version == "9.0.0" else set()
    names = documents.keys() - changed - DIFFERING.keys()
    differing = [f"{name}: {ours[name]} is not {theirs[name]}" for name in names if ours[name] != theirs[name]]
    assert not differing, "\n".join(differing)


@pytest.mark.programs("virsh")
def test_what_is_no_xml_is_told_with_file_and_line(daemon: Path, tmp_path: Path) -> None:
    (path,) = written(tmp_path, {"cut": "<node>\n<domain></node>"})
    (code, domain, message), *_ = (
        found["cut"][1:4] for found in [answers(f"test+unix://{{}}?socket={daemon}/libvirt-sock", [path], {})]
    )
    assert (code, domain) == (ErrorCode.XML_DETAIL, 12)
    assert message.startswith(f"{path}:2: mismatched tag\n<domain></node>\n---")


# Who may

HERE = Identity(uid=os.geteuid(), pid=1)


async def opened(path: Path, identity: Identity, driver: TestDriver) -> DriverHarness:
    """A client of a file's host."""
    harness = DriverHarness(driver, uri="test:///default", identity=identity)
    harness.backend.close()
    serving = await driver.serving(f"test://{path}", identity)
    return DriverHarness(serving, uri=f"test://{path}", identity=identity)


async def names(client: DriverHarness) -> set[str]:
    """The domains it sees."""
    wanted = remote.ConnectListAllDomainsArgs(need_results=1, flags=0)
    return {dom.name for dom in (await client.call(remote.CONNECT_LIST_ALL_DOMAINS, wanted)).domains}


@pytest_twisted.ensureDeferred
@pytest_twisted.ensureDeferred
async def test_each_client_has_its_own_host(tmp_path: Path) -> None:
    (path,) = written(tmp_path, {"two": f"<node>{one('a')}{one('b')}</node>"})
    driver = TestDriver()
    first, second = await opened(path, HERE, driver), await opened(path, HERE, driver)
    shared = DriverHarness(driver)
    dom = (await first.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="a"))).dom
    await first.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=dom))
    await first.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom))
    assert await names(first) == {"b"}
    assert await names(second) == {"a", "b"}
    assert await names(shared) == {"test"}


@pytest.mark.parametrize(
    "who",
    [
        Identity(uid=os.geteuid() + 1, pid=1),
        Identity(transport="tcp", sasl_user="root"),
        Identity(transport="tls", x509_dname="CN=root"),
        Identity(transport="tls", uid=0),
        Identity(),
    ],
)
@pytest_twisted.ensureDeferred
@pytest_twisted.ensureDeferred
async def test_nobody_else_makes_the_daemon_read_a_file(who: Identity, tmp_path: Path) -> None:
    (path,) = written(tmp_path, {"two": f"<node>{one('a')}</node>"})
    for named in (path, tmp_path / "none"):
        with pytest.raises(VirtError) as refused:
            await opened(named, who, TestDriver())
        assert refused.value.code == ErrorCode.ACCESS_DENIED


@pytest_twisted.ensureDeferred
@pytest_twisted.ensureDeferred
async def test_a_scenario_may_be_opened_by_its_path_too(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("host.base = 'empty'\n[[guests]]\nname = 'g{n}'\ncount = 2\n")
    first, second = await opened(path, HERE, TestDriver()), await opened(path, HERE, TestDriver())
    dom = (await first.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="g1"))).dom
    await first.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom))
    await first.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=dom))
    assert (await names(first), await names(second)) == ({"g2"}, {"g1", "g2"})
    path.write_text("[[guests]]\nname = 'g'\nmemory = 1\n")
    with pytest.raises(VirtError, match=r"s\.toml:3: memory must be a size[^(]*$"):
        await opened(path, HERE, TestDriver())


@pytest_twisted.ensureDeferred
async def test_only_plain_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero"), tmp_path / "none"):
        with pytest.raises(VirtError, match=r"failed to parse xml document|Failed to open file"):
            await opened(path, HERE, TestDriver())
