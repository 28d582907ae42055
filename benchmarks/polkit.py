# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast polkit is asked: questions a second, and a list of many guests beside libvirtd's with the same rule.

    sudo .venv-check/bin/python -m benchmarks.polkit

A real polkitd on a bus of its own in a lab answers. Prints one line a figure.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import ensureDeferred, gatherResults

from tests.support.lab import BACKEND_SOCKETS, FAMILIES, Lab, wait_until
from tests.support.polkit_host import PolkitHost

QUESTIONS = 3000
AT_ONCE = (1, 16)
GUESTS = 300
ROUNDS = 5
AS_DAEMON = ("setpriv", "--reuid=daemon", "--regid=65534", "--clear-groups")
RULE = """polkit.addRule(function(action, subject) {
    if (subject.user == "daemon")
        return action.lookup("domain_name") == "g7" || action.id.indexOf("org.libvirt.api.connect.") == 0
            ? polkit.Result.YES : polkit.Result.NO;
});
"""
GUEST = "<domain type='qemu'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
DEFINE = """import libvirt, sys
connection = libvirt.open(sys.argv[1])
for number in range(int(sys.argv[2])):
    connection.defineXML(sys.argv[3].format(f"g{number}"))
"""
LISTED = """import json, libvirt, sys, time
connection = libvirt.open(sys.argv[1])
connection.listAllDomains()
taken = []
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    assert [guest.name() for guest in connection.listAllDomains()] == ["g7"]
    taken.append(time.perf_counter() - started)
print(json.dumps(sorted(taken)[len(taken) // 2]))
"""


def asker(pid: int) -> None:
    """Ask about that process; runs in the lab."""
    from twisted.internet import reactor as installed

    from virtproxy.auth.dbus import SystemBus
    from virtproxy.auth.peercred import process_start_time
    from virtproxy.auth.polkit import Authority
    from virtproxy.identity import Identity

    reactor = cast(Any, installed)
    polkit = Authority(SystemBus(reactor), reactor, 30)
    caller = Identity(uid=1, pid=pid, process_start_time=process_start_time(pid))
    details = {"connect_driver": "QEMU", "domain_name": "g7", "domain_uuid": "c7a5fdbd-edaf-9455-926a-d65c16db1801"}

    async def some(count: int) -> None:
        for _ in range(count):
            assert await polkit.permits(caller, "org.libvirt.api.domain.start", details)

    async def measure() -> None:
        await some(100)
        for at_once in AT_ONCE:
            started = time.perf_counter()
            await gatherResults([ensureDeferred(some(QUESTIONS // at_once)) for _ in range(at_once)])
            seconds = time.perf_counter() - started
            print(f"{at_once} at a time: {QUESTIONS // at_once * at_once / seconds:.0f} questions a second")
        polkit.close()
        reactor.stop()

    reactor.callWhenRunning(lambda: ensureDeferred(measure()).addErrback(lambda failure: failure.printTraceback()))
    reactor.run()


def listed(proxied: bool) -> float:
    """Seconds of a list of GUESTS guests of which the caller may see one."""
    with Lab() as lab:
        host = PolkitHost(lab)
        host.rule("10-bench.rules", RULE)
        host.polkitd()
        settings = {"access_drivers": '[ "polkit" ]', "unix_sock_rw_perms": '"0777"'}
        if proxied:
            lab.libvirtd(BACKEND_SOCKETS)
            lab.virtproxyd(dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock"), **settings)
        else:
            lab.libvirtd(BACKEND_SOCKETS, **settings)
        direct = f"qemu:///system?socket={BACKEND_SOCKETS}/libvirt-sock"
        lab.run("/usr/bin/python3", "-c", DEFINE, direct, str(GUESTS), GUEST)
        uri = "qemu:///system" if proxied else direct
        return float(json.loads(lab.run(*AS_DAEMON, "/usr/bin/python3", "-c", LISTED, uri, str(ROUNDS)).stdout))


def main() -> None:
    """Measure and print."""
    with Lab() as lab:
        host = PolkitHost(lab)
        host.rule("10-bench.rules", RULE)
        host.polkitd()
        lab.spawn("caller", *AS_DAEMON, "sleep", "1000")
        wait_until(lambda: lab.run("pgrep", "-u", "daemon", "sleep", check=False).stdout != "", "the caller")
        pid = lab.run("pgrep", "-u", "daemon", "sleep").stdout.strip()
        env = {"PYTHONPATH": str(Path(__file__).parents[1])}
        print(lab.run(sys.executable, "-m", "benchmarks.polkit", pid, env=env).stdout, end="", flush=True)
    for name, proxied in (("libvirtd", False), ("virtproxyd", True)):
        print(f"{name}: a list of {GUESTS} guests takes {listed(proxied) * 1000:.0f} ms", flush=True)


if __name__ == "__main__":
    asker(int(sys.argv[1])) if len(sys.argv) > 1 else main()
