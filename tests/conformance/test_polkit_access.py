# SPDX-License-Identifier: LGPL-2.1-or-later
"""access_drivers = [ "polkit" ]: virtproxyd in front of a libvirtd without it, and a libvirtd with it, side by side.

They ask polkit the same, and under the same rules of a real polkitd virsh shows the same.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import BACKEND_SOCKETS, FAMILIES, SYSTEM_SOCKETS, Daemon, Lab, wait_until
from tests.support.polkit_host import ASKED, PolkitHost

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(60)]

SCRIPTS = Path(__file__).parent / "scripts"
SETTINGS = {"unix_sock_rw_perms": '"0777"', "access_drivers": '[ "polkit" ]'}
AS_ROOT: tuple[str, ...] = ()
AS_DAEMON = ("setpriv", "--reuid=daemon", "--regid=65534", "--clear-groups")
PROXY = "qemu:///system"
LIBVIRTD = f"qemu:///system?socket={BACKEND_SOCKETS}/libvirt-sock"


def proxied(lab: Lab, **settings: str) -> Daemon:
    """virtproxyd with access rules in front of a libvirtd without."""
    lab.libvirtd(BACKEND_SOCKETS)
    socket = BACKEND_SOCKETS / "libvirt-sock"
    return lab.virtproxyd(dict.fromkeys(FAMILIES, socket), **{**SETTINGS, "polkit_timeout": "2", **settings})


# What is asked


def questions(ours: bool) -> dict[str, Any]:
    """What polkit was asked for each call of polkit_steps.py, and how the call ended."""
    with Lab() as lab:
        host = PolkitHost(lab)
        host.recorder()
        if ours:
            proxied(lab)
        else:
            lab.libvirtd(SYSTEM_SOCKETS, **SETTINGS)
        shutil.copy(SCRIPTS / "polkit_steps.py", lab.directory)
        uri = (PROXY,) if ours else ()
        run = lab.run(*AS_DAEMON, "/usr/bin/python3", "/run/lab/polkit_steps.py", ASKED, *uri)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return {name: (error, Counter(question(*asked) for asked in questions)) for name, error, questions in rows}


def question(action: str, details: dict[str, str]) -> str:
    """A question in one line. libvirtd 9.0.0 sends "[Invalid UTF-8]" for what it does not know."""
    known = [f"{key}={value}" for key, value in sorted(details.items()) if value != "[Invalid UTF-8]"]
    return " ".join([action, *known])


# Calls for which the two differ, and why nobody gets more by it.
SEARCHED = "a list with a choice: libvirtd also asks about what the choice leaves out"
DIFFERENT = {
    "library version": "libvirtd answers it without asking",
    "from native": "libvirtd does not have the call and says so before it asks",
    "pool defined names": SEARCHED,
    "defined nets": SEARCHED,
    "device list": SEARCHED,
    "interface addresses": "libvirtd also asks as a client of its own network driver",
    "net update": "the feature is the hypervisor's where the proxy is asked for it, and the network driver's there",
}


def test_polkit_is_asked_the_same() -> None:
    theirs, ours = questions(ours=False), questions(ours=True)
    assert list(theirs) == list(ours)
    assert len(theirs) > 180
    assert {name: error for name, (error, _) in ours.items()} == {name: error for name, (error, _) in theirs.items()}
    assert {name for name in theirs if set(theirs[name][1]) != set(ours[name][1])} <= set(DIFFERENT)
    # Never more often, where libvirtd asks at all: it asks itself again within some calls.
    more = {name for name in theirs if not ours[name][1] <= theirs[name][1]}
    assert more <= {"library version", "from native", "net update"}
    kinds = {asked.split(".")[0] for _, asked_for in ours.values() for asked in asked_for}
    assert kinds == {
        "connect", "domain", "interface", "network", "network-port", "node-device", "nwfilter", "nwfilter-binding",
        "secret", "storage-pool", "storage-vol",
    }  # fmt: skip


# What a user gets

UUIDS = {"mine": "c7a5fdbd-edaf-9455-926a-d65c16db1801", "other": "c7a5fdbd-edaf-9455-926a-d65c16db1802"}
GUEST = "<domain type='qemu'><name>{}</name><uuid>{}</uuid><memory>65536</memory><os><type>hvm</type></os></domain>"
# The user daemon has one guest, and may look at networks but change none.
RULE = """polkit.addRule(function(action, subject) {
    if (subject.user != "daemon") return;
    if (action.id.indexOf("org.libvirt.api.domain.") == 0)
        return action.lookup("connect_driver") == "QEMU" && action.lookup("domain_name") == "mine"
            ? polkit.Result.YES : polkit.Result.NO;
});
"""
COMMANDS = [
    "list --all",
    "list --all --name",
    "list --all --uuid",
    "dominfo mine",
    "dominfo other",
    f"domname {UUIDS['mine']}",
    f"domname {UUIDS['other']}",
    "domuuid other",
    "dominfo nosuch",
    "dumpxml other",
    "start other",
    "start mine",
    "domid mine",
    "list",
    "domstats --state",
    "domstats other --state",
    "suspend mine",
    "domstate mine",
    "domstate other",
    "destroy other",
    "destroy mine",
    "undefine other",
    "schedinfo other",
    "snapshot-list other",
    "snapshot-list mine",
    "setmem other 65536 --config",
    "define /run/lab/other.xml",
    "define /run/lab/third.xml",
    "net-list --all",
    "net-define /run/lab/net.xml",
    "pool-list --all",
    "pool-define-as p dir --target /run/lab/p",
    "vol-list nosuch",
    "secret-list",
    "nodedev-list --cap system",
    "nodeinfo",
    "cpu-models x86_64",
    "managedsave mine",
    "undefine mine",
    "list --all",
]


@dataclass
class Site:
    """A lab with the rule, and where the daemon that keeps it listens."""

    lab: Lab
    host: PolkitHost
    polkitd: Daemon
    uri: str

    def virsh(self, command: str, user: tuple[str, ...] = AS_DAEMON, uri: str | None = None) -> str:
        """What virsh prints."""
        run = self.lab.run(*user, "virsh", "-c", uri or self.uri, *command.split(), check=False)
        return f"{run.stdout}{run.stderr}"

    def furnish(self) -> None:
        """Two guests, and documents of things to be made."""
        for name, uuid in UUIDS.items():
            self.lab.write(f"{name}.xml", GUEST.format(name, uuid))
            self.lab.run("virsh", "-c", LIBVIRTD, "define", f"/run/lab/{name}.xml")
        self.lab.write("third.xml", GUEST.format("third", "c7a5fdbd-edaf-9455-926a-d65c16db1803"))
        self.lab.write("net.xml", "<network><name>n</name></network>")


def site(lab: Lab, uri: str) -> Site:
    """A lab with the rule and no daemon yet."""
    host = PolkitHost(lab)
    host.rule("10-test.rules", RULE)
    return Site(lab, host, host.polkitd(), uri)


@pytest.fixture(scope="module")
def theirs() -> Iterator[Site]:
    """libvirtd with the rule, and a virtproxyd without in front of it."""
    with Lab() as lab:
        made = site(lab, LIBVIRTD)
        lab.libvirtd(BACKEND_SOCKETS, "--listen", listen_tls="0", listen_tcp="1", auth_tcp='"none"', **SETTINGS)
        lab.virtproxyd(dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock"), unix_sock_rw_perms='"0777"')
        made.furnish()
        yield made


@pytest.fixture(scope="module")
def ours() -> Iterator[Site]:
    """virtproxyd with the rule."""
    with Lab() as lab:
        made = site(lab, PROXY)
        proxied(lab, listen_tcp="1", auth_tcp='"none"', listen_addr='"127.0.0.1"')
        made.furnish()
        yield made


@pytest.fixture
def polkitd(ours: Site) -> Iterator[Daemon]:
    """The polkitd of ours; a test may end it."""
    yield ours.polkitd
    if not ours.polkitd.alive():
        ours.polkitd = ours.host.polkitd()


def test_one_user_sees_one_guest(theirs: Site, ours: Site) -> None:
    expected = [theirs.virsh(command) for command in COMMANDS]
    found = [ours.virsh(command) for command in COMMANDS]
    # A libvirtd with all drivers calls itself QEMU in everything; drivers in daemons of their own have their names.
    comparable = [re.sub("'(network|storage)' denied", "'QEMU' denied", text) for text in found]
    assert dict(zip(COMMANDS, comparable, strict=True)) == dict(zip(COMMANDS, expected, strict=True))
    told = dict(zip(COMMANDS, found, strict=True))
    assert "other" not in told["list --all --name"] and "mine" in told["list --all --name"]
    assert told["dominfo other"] == told["start other"] == "\nerror: failed to get domain 'other'\n"
    assert "Domain 'mine' started" in told["start mine"]
    assert "'storage' denied access" in told["pool-define-as p dir --target /run/lab/p"]


def test_the_error_of_a_lookup(theirs: Site, ours: Site) -> None:
    def error(at: Site, name: str) -> Any:
        shutil.copy(SCRIPTS / "polkit_client.py", at.lab.directory)
        run = at.lab.run(*AS_DAEMON, "/usr/bin/python3", "/run/lab/polkit_client.py", "--lookup", name, at.uri)
        return json.loads(run.stdout)["error"]

    for name in ("other", "nosuch"):
        assert error(ours, name) == error(theirs, name)
    assert error(ours, "other")[2] == "access denied: 'QEMU' denied access"


def test_a_libvirtd_with_rules_knows_the_proxys_clients(theirs: Site) -> None:
    theirs.furnish()
    for command in ("list --all", "dominfo other", "start other", "net-list --all"):
        assert theirs.virsh(command, uri=PROXY) == theirs.virsh(command)
    assert "mine" in theirs.virsh("list --all", uri=PROXY)


def test_who_is_no_process_of_this_host_gets_nothing(theirs: Site, ours: Site) -> None:
    remote = "qemu+tcp://127.0.0.1/system"
    expected = theirs.virsh("list --all", AS_ROOT, remote)
    assert ours.virsh("list --all", AS_ROOT, remote) == expected
    assert expected.endswith("error: access denied: 'QEMU' denied access\n")


def test_events_are_of_ones_own_guests(ours: Site) -> None:
    ours.furnish()
    waiting = ours.lab.spawn("events", *AS_DAEMON, "stdbuf", "-oL", "virsh", "-c", PROXY, "event", "--all", "--loop")
    for name in ("other", "mine"):
        ours.virsh(f"start {name}", AS_ROOT)

    def heard() -> bool:
        for name in ("other", "mine"):
            ours.virsh(f"suspend {name}", AS_ROOT)
            ours.virsh(f"resume {name}", AS_ROOT)
        return "event 'lifecycle' for domain 'mine': Resumed" in waiting.log_text()

    wait_until(heard, "the events")
    assert "other" not in waiting.log_text()
    waiting.kill()
    for name in ("other", "mine"):
        ours.virsh(f"destroy {name}", AS_ROOT)


def test_root_may_everything_as_polkit_has_it(ours: Site) -> None:
    ours.furnish()
    assert {"mine", "other"} <= set(ours.virsh("list --all --name", AS_ROOT).split())


def test_without_an_answer_nobody_may_anything(theirs: Site, ours: Site, polkitd: Daemon) -> None:
    # Root too: it is polkit that grants root everything.
    with polkitd.stopped():
        assert ours.virsh("list --all", AS_ROOT).endswith("error: access denied: 'QEMU' denied access\n")
    polkitd.kill()
    theirs.polkitd.kill()
    for user in (AS_ROOT, AS_DAEMON):
        assert ours.virsh("list --all", user) == theirs.virsh("list --all", user)
    ours.polkitd = ours.host.polkitd()
    assert "mine" in ours.virsh("list --all")


def test_a_driver_of_the_proxys_own_is_asked_about_too(ours: Site) -> None:
    # libvirt's test driver has no access checks.
    uri = "test+unix:///default?socket=/run/libvirt/libvirt-sock"
    assert ours.virsh("list --all --name", uri=uri).split() == []
    assert ours.virsh("list --all --name", AS_ROOT, uri).split() == ["test"]
    assert "denied access" in ours.virsh("net-destroy default", uri=uri)
