# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m tests.support.record``: record conversations of real libvirt clients and daemons for the codec's
tests.

Needs root, libvirt's daemon and clients, and the unpacked newer release (fetch_lab.sh). In a lab, with a tee on the
daemon's sockets, it runs every script the conformance tests have, the calls of record_session.py and virt-admin; of
what went over the sockets it keeps the first packets of each kind in tests/data/packets.jsonl.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance.labs import HOST_UUID, SCRIPTS, furnish, script
from tests.support.lab import BACKEND_SOCKETS, INSIDE, SYSTEM_SOCKETS, Lab, client_environment, fetched_tree
from tests.support.transcript import Transcript, parse
from virtproxy.protocol import admin, keepalive, programs, remote

OUTPUT = Path(__file__).parent.parent / "data" / "packets.jsonl"
SUPPORT = Path(__file__).parent
SOCKETS = ("libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock")
KINDS = ("call", "reply", "event", "stream", "call with fds", "reply with fds", "stream hole")
# Of each kind and procedure so many, and none longer; errors all look the same.
KEPT, LONGEST, ERRORS = 2, 4096, 60
MARK = "VIRTPROXY_RECORDING"
ADMIN = """srv-list
srv-threadpool-info libvirtd
srv-threadpool-set libvirtd --max-workers 21
srv-clients-list libvirtd
srv-clients-info libvirtd
srv-clients-set libvirtd --max-clients 5001
srv-update-tls libvirtd
client-info libvirtd 1
daemon-log-outputs
daemon-log-outputs --outputs 3:stderr
daemon-log-filters
daemon-log-filters --filters 3:remote
daemon-timeout --timeout 100000
version
client-disconnect libvirtd 1"""


def old_client(path: Path) -> socket.socket:
    """Subscribe as clients did before callback ids, which no present library does; return the connection to keep."""
    calls = [
        remote.AUTH_LIST.call_frame(1, None),
        remote.CONNECT_OPEN.call_frame(2, remote.ConnectOpenArgs(name="qemu:///system", flags=0)),
        remote.CONNECT_GET_URI.call_frame(3, None),
        remote.CONNECT_LIST_DEFINED_DOMAINS.call_frame(4, remote.ConnectListDefinedDomainsArgs(maxnames=16)),
        remote.CONNECT_LIST_DEFINED_NETWORKS.call_frame(5, remote.ConnectListDefinedNetworksArgs(maxnames=16)),
        remote.CONNECT_LIST_DEFINED_STORAGE_POOLS.call_frame(6, remote.ConnectListDefinedStoragePoolsArgs(maxnames=16)),
        remote.CONNECT_DOMAIN_EVENT_REGISTER.call_frame(7, None),
    ]
    for event in range(1, 16):
        arguments = remote.ConnectDomainEventRegisterAnyArgs(event_id=event)
        calls.append(remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY.call_frame(10 + event, arguments))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    for frame in calls:
        connection.sendall(frame.raw)
    threading.Thread(target=drain, args=(connection,), daemon=True).start()
    return connection


def drain(connection: socket.socket) -> None:
    """Read so that the daemon is never held up; the tee writes it down."""
    while connection.recv(1 << 16):
        pass


def converse(lab: Lab, tree: Path | None) -> None:
    """Run every client there is through the tee."""
    env = client_environment(tree)
    virsh = Path("/usr/bin/virsh") if tree is None else tree / "usr/bin/virsh"
    Transcript(lab, virsh, env).run(parse((SCRIPTS / "virsh.script").read_text()))
    argv, api_env = script("api", "qemu:///system", env=env)
    lab.run(*argv, env=api_env, timeout=200, check=False)
    test = f"test+unix:///default?socket={SYSTEM_SOCKETS}/libvirt-sock"
    lab.run("/usr/bin/python3", "record_session.py", test, "qemu:///system", env=env, timeout=120, check=False)
    for line in ADMIN.splitlines():
        lab.run("virt-admin", *line.split(), check=False)


def packets(tree: Path | None) -> Iterator[bytes]:
    """What went over the sockets of a daemon of the system's release, or of the unpacked one."""
    with Lab(tree) as lab:
        furnish(lab)
        for name in ("tee.py", "record_session.py"):
            shutil.copy(SUPPORT / name, lab.directory)
        lab.libvirtd(BACKEND_SOCKETS, host_uuid=HOST_UUID)
        pairs = [f"{INSIDE / 'old-sock'}={BACKEND_SOCKETS / SOCKETS[0]}"]
        pairs += [f"{SYSTEM_SOCKETS / name}={BACKEND_SOCKETS / name}" for name in SOCKETS]
        tee = lab.spawn("tee", "/usr/bin/python3", "tee.py", INSIDE / "packets", *pairs)
        lab.wait_for_socket(tee, SYSTEM_SOCKETS / SOCKETS[-1])
        with old_client(lab.directory / "old-sock") as connection:
            converse(lab, tree)
            connection.shutdown(socket.SHUT_RDWR)
        text = (lab.directory / "packets").read_text()
    yield from (bytes.fromhex(line.split()[2]) for line in text.splitlines())


def rows(recorded: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The packets to keep, named."""
    known = {**programs.BY_NUMBER, **{module.PROGRAM.number: module.PROGRAM for module in (admin, keepalive)}}
    seen: set[bytes] = set()
    counts: Counter[object] = Counter()
    for packet in recorded:
        number, _, procedure, kind, _, status = (int.from_bytes(packet[at : at + 4], "big") for at in range(4, 28, 4))
        body = packet[:20] + packet[24:]
        group = "error" if status == 1 else (number, procedure, kind)
        limit = ERRORS if status == 1 else KEPT
        if body in seen or len(packet) > LONGEST or counts[group] >= limit:
            continue
        seen.add(body)
        counts[group] += 1
        program = known[number]
        yield {
            "program": program.name,
            "procedure": program.procedures[procedure].name,
            "kind": "error" if status == 1 else KINDS[kind],
            "packet": packet.hex(),
        }


def main() -> None:
    """Record with both releases and write the file."""
    socket.sethostname("recorder")
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    recorded = [packet for tree in (None, fetched_tree()) for packet in packets(tree)]
    chosen = sorted(rows(recorded), key=lambda row: (row["program"], row["procedure"], row["kind"], row["packet"]))
    OUTPUT.write_text("".join(json.dumps(row) + "\n" for row in chosen))
    procedures = {(row["program"], row["procedure"]) for row in chosen}
    print(f"{len(recorded)} packets; kept {len(chosen)}, of {len(procedures)} procedures")


if __name__ == "__main__":
    if MARK not in os.environ:
        # The host's name is in many replies; a namespace of our own has another. In a session of its own, because
        # clients that look for a terminal would find this one and stop.
        command = ["unshare", "--uts", sys.executable, "-m", "tests.support.record"]
        sys.exit(subprocess.run(command, env=os.environ | {MARK: "1"}, start_new_session=True, check=False).returncode)
    main()
