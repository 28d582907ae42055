# SPDX-License-Identifier: LGPL-2.1-or-later
"""The embedded test driver beside libvirt's own: the same clients, the same calls, the same answers.

virsh and libvirt-python once use the C driver inside their own process, and once ours through virtproxyd and a
real socket. What must differ is listed in DIFFERENCES, with the reason, and in docs/test-driver.md.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.lab import client_environment, fetched_tree

SCRIPT = Path(__file__).with_name("api_script.py")
INSIDE = "test:///default"

# What differs from 11.3.0, whose interface ours presents, by the call's label in api_script.py.
DIFFERENCES = {
    "broken cut": "the text is the XML parser's own, and ours is another parser",
    "broken doctype": "we take no document type declaration, so that there are no entities to expand",
}
# What else differs from 9.0.0, because it changed in between.
CHANGED = {
    "getLibVersion": "11.3.0 is presented",
    "getCapabilities": "CPU clusters are new",
    "getDomainCapabilities": "new",
    "getFreePages": "9.0.0 counts otherwise, and tells remote callers of an error",
    "broken empty": "errors in documents named the kind of document",
}
CHANGED_COMMANDS = {"capabilities", "domcapabilities", "freepages --all"}

MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b1[6-9]\d{17}\b"), "<cpu time>"),
    (re.compile(r"\b1[6-9]\d{13}\b"), "<vcpu time>"),
    (re.compile(r"CPU time: +[\d.]+s"), "CPU time: <s>"),
    (re.compile(r"%1\$s"), "%s"),  # how libvirt since 9.1 writes a template
    (re.compile(r"test\+unix:///default\?socket=\S+"), INSIDE),
)

# No managedsave: virsh 9.0 watches it from a second thread, and now and then waits for itself with the C driver.
SESSIONS = {
    "facts": [
        "uri", "hostname", "nodeinfo", "nodecpumap", "maxvcpus", "freecell --all", "nodecpustats", "sysinfo",
        "capabilities", "nodememstats", "domcapabilities", "node-memory-tune", "secret-list", "nwfilter-list",
        "allocpages 4 1", "nodesuspend mem 60", "freepages --all",
    ],
    "one domain": [
        "list --all", "dominfo test", "domid test", "domuuid test", "domname 1", "domstate test --reason",
        "dumpxml test", "dumpxml test --inactive", "dumpxml test --security-info", "vcpucount test", "vcpuinfo test",
        "vcpupin test", "emulatorpin test", "schedinfo test", "dommemstat test", "domblklist test",
        "domiflist test", "domblkinfo test vda", "domifaddr test", "domfsinfo test", "domtime test",
        "domhostname test", "domcontrol test", "domjobinfo test", "snapshot-list test", "checkpoint-list test",
        "snapshot-current test", "iothreadinfo test", "domdisplay test", "domstats", "domstats --raw",
        "domstats --vcpu", "list --title", "list --name", "list --uuid", "metadata test urn:x", "desc test",
        "desc test --title", "guestinfo test",
    ],
    "lifecycle": [
        "suspend test", "list", "suspend test", "domstate test --reason", "resume test", "resume test",
        "domstate test --reason", "reboot test", "reset test", "list --all --managed-save",
        "managedsave-remove test", "destroy test", "domstate test --reason", "start test", "start test",
        "shutdown test",
        "shutdown test --mode agent", "list --all", "dominfo test", "start test --paused", "start test", "domid test",
        "destroy test --graceful", "destroy test", "autostart test", "dominfo test", "list --all --autostart",
        "autostart test --disable", "domrename test other", "list --all", "undefine other --managed-save",
        "undefine other", "list --all", "dominfo test", "domstate other",
    ],
    "definitions": [
        "define {xml}", "define {xml}", "define --validate {xml}", "start m", "domstate m --reason",
        "undefine m --nvram", "undefine m", "dominfo m", "setmem m 512", "setmem m 4096", "setmaxmem m 2048 --config",
        "setvcpus m 2", "setvcpus m 2 --maximum --config", "dumpxml m --inactive", "create {xml}", "destroy m",
        "create {xml} --paused", "create {xml} --autodestroy", "create {xml}", "list --all --transient",
        "list --all --persistent", "list --inactive", "list --state-running", "list --with-snapshot",
        "list --without-managed-save --name", "define {full}", "dumpxml full", "define {broken}",
        "setmaxmem full 1048576", "setmem full 262144 --config", "setvcpus full 3 --config", "dominfo full",
        "vcpucount full", "start full", "domifaddr full",
    ],
    "families": [
        "net-list --all", "net-info default", "net-dumpxml default", "net-uuid default", "net-destroy default",
        "net-list", "net-list --inactive", "net-start default", "net-start default", "net-undefine default",
        "net-autostart default", "net-list --autostart", "net-info zz", "net-event --list", "net-dhcp-leases default",
        "iface-list --all", "iface-dumpxml eth1", "iface-mac eth1", "iface-destroy eth1", "iface-list --inactive",
        "iface-start eth1", "iface-start eth1", "iface-undefine eth1", "iface-list --all", "iface-dumpxml zz",
        "pool-list --all --details", "pool-info default-pool", "pool-dumpxml default-pool", "pool-uuid default-pool",
        "vol-list default-pool", "vol-info zz default-pool", "vol-path zz", "pool-refresh default-pool",
        "pool-undefine default-pool", "pool-destroy default-pool", "vol-list default-pool", "pool-list --inactive",
        "pool-start default-pool", "pool-autostart default-pool", "pool-list --type dir", "pool-list --type disk",
        "pool-info zz", "nodedev-dumpxml computer", "nodedev-dumpxml scsi_host11", "nodedev-dumpxml zz",
        "event --list", "nwfilter-binding-list",
    ],
}  # fmt: skip

MINIMAL = "<domain type='test'><name>m</name><memory>1024</memory><os><type>hvm</type></os></domain>"
FULL = """<!-- a comment -->
<domain type='test' id='44' xmlns:q='urn:q'>
  <description>it's 1 &lt; "2"</description><title>T</title><name>full</name>
  <uuid>e1b1a3a4-0ee2-44d5-8a3a-6ad2a5c1f9bb</uuid>
  <metadata><q:a x="1"><q:b/>text</q:a></metadata>
  <memory unit='MiB'>512</memory><currentMemory unit='GB'>1</currentMemory>
  <vcpu current='1'>4</vcpu><cputune><shares>200</shares></cputune>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='cdrom'/></os>
  <features><acpi/><apic/></features><on_reboot>destroy</on_reboot><clock offset='localtime'/>
  <devices>
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
    <disk type='file' device='disk'><source file='/a'/><target dev='vda'/></disk>
    <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='b'/></interface>
    <emulator>/bin/x</emulator>
  </devices>
</domain>
"""
BROKEN = "<domain type='test'><name>n</name><memory>1024</memory><os><type>beos</type></os></domain>"


class Client(NamedTuple):
    """A version of libvirt's client programs."""

    version: str
    virsh: str
    environment: Mapping[str, str]


def masked(text: str) -> str:
    """What does not change from run to run."""
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


@pytest.fixture(params=["9.0.0", pytest.param("11.3.0", marks=pytest.mark.conformance)])
def client(request: pytest.FixtureRequest) -> Client:
    """libvirt's own client programs, with the driver inside: Debian's, and the newer ones the lab fetches."""
    version: str = request.param
    tree = None if version == "9.0.0" else fetched_tree()
    program = "virsh" if tree is None else str(tree / "usr/bin/virsh")
    # With the driver inside, virsh logs like a daemon: of a host name that cannot be resolved, for one.
    quiet = {"LIBVIRT_LOG_OUTPUTS": "3:file:/dev/null"}
    return Client(version, program, {**os.environ, **quiet, **client_environment(tree)})


def api_answers(client: Client, uri: str) -> dict[str, str]:
    """Each call's label and what it gave."""
    command = ["/usr/bin/python3", str(SCRIPT), uri]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=client.environment)
    assert ended.returncode == 0, ended.stderr
    answers: dict[str, str] = {}
    for line in masked(ended.stdout).splitlines():
        label, _, answer = line.partition(" -> ") if " -> " in line else ("   events", "", line)
        while label in answers:
            label += "'"
        answers[label] = answer
    return answers


def virsh(client: Client, uri: str, commands: list[str]) -> list[str]:
    """The lines that one virsh writes for all the commands, then its errors and its status."""
    command = [client.virsh, "-c", uri, "; ".join(commands)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=client.environment)
    return [*masked(ended.stdout).splitlines(), *masked(ended.stderr).splitlines(), f"status {ended.returncode}"]


@pytest.mark.programs("virsh")
@pytest.mark.timeout(120)
def test_every_call_of_libvirt_python_is_answered_alike(client: Client, uri: str) -> None:
    theirs, ours = api_answers(client, INSIDE), api_answers(client, uri)
    assert len(theirs) > 450
    assert list(theirs) == list(ours)
    differing = {label for label, answer in theirs.items() if ours[label] != answer}
    shown = "\n".join(f"{label}\n  theirs {theirs[label]}\n  ours   {ours[label]}" for label in sorted(differing))
    expected = DIFFERENCES | (CHANGED if client.version == "9.0.0" else {})
    assert differing == set(expected), shown


@pytest.mark.programs("virsh")
@pytest.mark.parametrize("session", SESSIONS)
def test_a_virsh_session_looks_alike(client: Client, session: str, uri: str, tmp_path: Path) -> None:
    documents = {"xml": MINIMAL, "full": FULL, "broken": BROKEN}
    for name, text in documents.items():
        (tmp_path / name).write_text(text)
    files = {name: str(tmp_path / name) for name in documents}
    left_out = CHANGED_COMMANDS if client.version == "9.0.0" else set()
    commands = [command.format(**files) for command in SESSIONS[session] if command not in left_out]
    theirs, ours = virsh(client, INSIDE, commands), virsh(client, uri, commands)
    assert len(theirs) > len(commands)
    difference = "\n".join(difflib.unified_diff(theirs, ours, "theirs", "ours", lineterm=""))
    assert not difference, difference


@pytest.mark.root  # a user's own daemon has no read-only socket
@pytest.mark.programs("virsh")
def test_the_read_only_socket_reads_and_writes_nothing(client: Client, uri: str, readonly_uri: str) -> None:
    commands = ["domstate test", "destroy test", "dumpxml test --security-info", "net-destroy default", "domstate test"]
    seen = virsh(client, readonly_uri, commands)
    assert seen.count("running") == 2
    assert [line.partition("operation forbidden: ")[2] for line in seen if "operation forbidden" in line] == [
        "read only access prevents virDomainDestroy",
        "virDomainGetXMLDesc with secure flag",
        "read only access prevents virNetworkDestroy",
    ]
    assert "running" in virsh(client, uri, ["domstate test"])
