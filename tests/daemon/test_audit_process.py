# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit of whole daemons: nothing that was answered is missing, whatever happens to the daemon or its disk."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.test_lifecycle import tls_files
from tests.support.daemon_process import DaemonProcess, configuration, environment
from virtproxy.access.audit import files
from virtproxy.access.audit.chain import entry_of
from virtproxy.access.audit.verify import Verdict, Verifier, logs
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.frame import ERROR, HEADER, REPLY, Frame

USERS = (0, 40001, 40002, 40003, 40004)
URI = "test:///default"
# By number of call: a mix of reads, writes, errors and things that are denied on a read-only connection.
MIX: tuple[tuple[Procedure[Any, Any], Callable[[remote.NonnullDomain], Any]], ...] = (
    (remote.CONNECT_GET_TYPE, lambda dom: None),
    (remote.DOMAIN_LOOKUP_BY_NAME, lambda dom: remote.DomainLookupByNameArgs(name="test")),
    (remote.DOMAIN_GET_INFO, lambda dom: remote.DomainGetInfoArgs(dom=dom)),
    (remote.DOMAIN_SUSPEND, lambda dom: remote.DomainSuspendArgs(dom=dom)),
    (remote.DOMAIN_RESUME, lambda dom: remote.DomainResumeArgs(dom=dom)),
    (remote.DOMAIN_LOOKUP_BY_NAME, lambda dom: remote.DomainLookupByNameArgs(name="no such guest")),
    (remote.DOMAIN_GET_XML_DESC, lambda dom: remote.DomainGetXmlDescArgs(dom=dom, flags=0)),
    (remote.DOMAIN_DEFINE_XML, lambda dom: remote.DomainDefineXmlArgs(xml="<domain><graphics passwd='hush' <")),
    (remote.CONNECT_NUM_OF_DOMAINS, lambda dom: None),
)
Answer = tuple[int, int, str, str]


class User(threading.Thread):
    """Calls one after the other as one user, and keeps what was answered."""

    def __init__(self, path: Path, uid: int, first: int, calls: int) -> None:
        super().__init__(daemon=True)
        self.uid = uid
        self.answered: list[Answer] = []
        self.serial = first
        self._calls = calls
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        os.seteuid(uid)
        try:
            self._socket.connect(str(path))
        finally:
            os.seteuid(0)

    def open(self) -> remote.NonnullDomain:
        """Open the URI and look the guest up."""
        self.call(remote.AUTH_LIST, None)
        self.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=URI, flags=0))
        looked = self.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test"))
        return remote.DOMAIN_LOOKUP_BY_NAME.decode_ret(looked).dom

    def suspend(self) -> None:
        """Suspend the guest, or be refused, and leave."""
        self.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=self.open()))
        self.close()

    def run(self) -> None:
        try:
            dom = self.open()
            for number in range(self._calls):
                procedure, args = MIX[(number + self.uid) % len(MIX)]
                self.call(procedure, args(dom))
        except (ConnectionError, EOFError):
            pass  # the daemon was killed
        finally:
            self.close()

    def close(self) -> None:
        self._socket.close()

    def call(self, procedure: Procedure[Any, Any], args: Any) -> Frame:
        self.serial += 1
        self._socket.sendall(procedure.call_frame(self.serial, args).raw)
        frame = self._receive()
        assert (frame.type, frame.serial) == (REPLY, self.serial)
        self.answered.append((self.uid, frame.serial, procedure.name, "error" if frame.status == ERROR else "ok"))
        return frame

    def _receive(self) -> Frame:
        raw = self._exactly(4)
        raw += self._exactly(int.from_bytes(raw, "big") - 4)
        _, program, version, number, kind, serial, status = HEADER.unpack_from(raw)
        return Frame(raw, program, version, number, kind, serial, status)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


def started(place: Path, text: str) -> DaemonProcess:
    place.chmod(0o755)
    path = configuration(place, f'unix_sock_rw_perms = "0777"\n{text}')
    daemon = DaemonProcess(place, ["-v", "-f", str(path), "-p", str(place / "d.pid")], environ=environment(place))
    daemon.wait_for("is ready")
    return daemon


def recorded(path: Path) -> list[dict[str, Any]]:
    found = []
    for name in files.in_order(files.family(str(path))):
        with files.opened(name) as stream:
            found += [entry.members for line in stream if (entry := entry_of(line))]
    return found


def verdict(path: Path, key: bytes | None = None) -> Verdict:
    return Verifier(key).run(logs([str(path)])[0])


def calls_of(path: Path) -> set[Answer]:
    return {
        (record["subject"]["uid"], record["serial"], record["procedure"], record["result"])
        for record in recorded(path)
        if "serial" in record
    }


def work(place: Path, calls: int, first: int = 0) -> list[User]:
    users = [User(place / "libvirt-sock", uid, first, calls) for uid in USERS]
    for user in users:
        user.start()
    return users


def answers(users: list[User]) -> list[Answer]:
    for user in users:
        user.join(25)
        assert not user.is_alive()
    return [answer for user in users for answer in user.answered]


@pytest.mark.root
@pytest.mark.timeout(90)
def test_ten_thousand_calls_a_kill_and_rotations(place: Path) -> None:
    log, key = place / "log" / "audit.jsonl", place / "key"
    key.write_text("k" * 64)
    key.chmod(0o600)
    text = f'audit_file = "{log}"\naudit_record = "all"\naudit_key_file = "{key}"\n'
    text += "audit_rotate_mib = 1\naudit_compress = 1\n"
    daemon = started(place, text)
    users = work(place, 2000)
    while sum(len(user.answered) for user in users) < 4000:
        assert any(user.is_alive() for user in users)
        time.sleep(0.005)
    os.kill(daemon.pid, signal.SIGKILL)
    before = answers(users)
    daemon.stop()
    daemon = started(place, text)
    after = answers(work(place, (10_000 - len(before)) // len(USERS) + 1, first=100_000))
    assert daemon.stop() == 0
    assert len(before) + len(after) >= 10_000
    assert {answer[3] for answer in before + after} == {"ok", "error"}
    assert set(before + after) <= calls_of(log), "what was answered is recorded"
    found = verdict(log, b"k" * 64)
    assert (found.broken, found.gaps, found.unclean) == (None, 0, 1)
    assert len(files.rotated(str(log))) >= 4
    assert any(name.endswith(".gz") for name in files.rotated(str(log)))
    for name in files.family(str(log)):
        with files.opened(name) as stream:
            assert b"hush" not in stream.read()
    cli = [sys.executable, "-m", "virtproxy.cli.main", "audit", "verify", str(log), "--key", str(key), "--json"]
    told = subprocess.run(cli, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["lines"] == found.lines


@pytest.fixture
def disk(place: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    path = place / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.root
@pytest.mark.programs("mount", "umount")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("sync", ["none", "always"])
def test_a_full_disk(place: Path, disk: Path, sync: str) -> None:
    log = disk / "audit.jsonl"
    daemon = started(place, f'audit_file = "{log}"\naudit_record = "all"\naudit_sync = "{sync}"\n')
    users = work(place, 400)
    ballast = disk / "ballast"
    while sum(len(user.answered) for user in users) < 200:
        time.sleep(0.005)
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    got = answers(users)
    daemon.wait_for("cannot be written: No space left on device")
    one = User(place / "libvirt-sock", 0, 700_000, 0)
    refusal = VirtError.from_net(decode_error(one.call(remote.AUTH_LIST, None)))
    one.close()
    assert "the audit log cannot be written, so the call was not carried out: No space left" in str(refusal)
    ballast.unlink()
    daemon.wait_for("is written again")
    more = answers(work(place, 50, first=800_000))
    assert daemon.stop() == 0
    lines = calls_of(log)
    assert {answer for answer in got + more if answer[3] == "ok"} <= lines
    # Every error is recorded too, or is one of the refusals that the gap counts.
    missing = [answer for answer in got if answer[3] == "error" and answer not in lines]
    found = verdict(log)
    assert (found.broken, found.gaps, found.lost) == (None, 1, 0)
    assert found.refused == len(missing) + 1 > 1


@pytest.mark.root
def test_renamed_files_and_reloads(place: Path) -> None:
    log = place / "audit.jsonl"
    daemon = started(place, f'audit_file = "{log}"\naudit_record = "all"\n')
    first = answers(work(place, 20))
    os.rename(log, place / "audit.jsonl.1")
    daemon.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while not log.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = answers(work(place, 20, first=1000))
    assert daemon.stop() == 0
    assert set(first + second) <= calls_of(log)
    assert [record["event"] for record in recorded(log)].count("reload") == 1
    assert recorded(log)[-1]["event"] == "stop"
    assert verdict(log).broken is None
    assert oct(os.stat(log).st_mode & 0o777) == "0o600"


def test_clients_that_are_turned_away_are_recorded(place: Path) -> None:
    log = place / "audit.jsonl"
    daemon = started(place, f'audit_file = "{log}"\naudit_record = "denials"\n{tls_files(place)}')
    (port,) = daemon.ports()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        client.recv(100)
    daemon.wait_for("handshake failed")
    assert daemon.stop() == 0
    (record,) = [record for record in recorded(log) if record["event"] == "refused"]
    assert (record["transport"], record["decision"]) == ("tls", "denied")
    assert record["address"].startswith("127.0.0.1") and record["reason"]


@pytest.mark.programs("virt-admin")
def test_what_administrators_do_is_recorded(place: Path) -> None:
    log = place / "audit.jsonl"
    daemon = started(place, f'audit_file = "{log}"\naudit_record = "denials"\n')
    uri = f"libvirtd:///session?socket={place}/libvirt-admin-sock"
    for command in ("server-list", "server-clients-set virtproxyd --max-clients 77", "client-disconnect virtproxyd 9",
                    "daemon-log-filters 1:rpc", "daemon-log-filters 9:x"):  # fmt: skip
        subprocess.run(["virt-admin", "-c", uri, *command.split()], capture_output=True)
    assert daemon.stop() == 0
    found = [record for record in recorded(log) if record["event"] == "admin"]
    assert [(one["procedure"], one["result"]) for one in found] == [
        ("SERVER_SET_CLIENT_LIMITS", "ok"),
        ("CONNECT_SET_LOGGING_FILTERS", "ok"),
        ("CONNECT_SET_LOGGING_FILTERS", "error"),
    ]
    assert found[0]["uid"] == os.getuid() and found[0]["pid"] > 0
    assert found[0]["args"]["params"] == [{"nclients_max": 77}]
    assert found[1]["args"]["filters"] == "1:rpc"
    assert "9:x" in found[2]["error"]["message"]
    assert verdict(log).broken is None


def mistake(place: Path, text: str) -> tuple[int, str]:
    daemon = DaemonProcess(place, ["-f", str(configuration(place, text)), "-p", str(place / "d.pid")])
    code = daemon.process.wait(15)
    daemon.stop()
    return code, daemon.said()


def test_without_its_log_it_does_not_start(place: Path) -> None:
    log = place / "audit.jsonl"
    log.write_text("a diary\n")
    code, said = mistake(place, f'audit_file = "{log}"\n')
    assert code == 10 and said.count("\n") == 1
    assert "exists and is not an audit log: move it away" in said
    assert sorted(os.listdir(place)) == ["audit.jsonl", "audit.jsonl.lock", "d.conf", "output"]


def test_two_daemons_do_not_share_a_log(place: Path) -> None:
    text = f'audit_file = "{place}/audit.jsonl"\n'
    daemon = started(place, text)
    other = place / "other"
    other.mkdir()
    code, said = mistake(other, text)
    assert code == 10 and "another process writes the audit log" in said
    assert daemon.stop() == 0


GRANT = '[[grant]]\nto = ["uid:{uid}"]\nroles = ["{role}"]\n'


@pytest.mark.root
def test_what_a_policy_decides_is_recorded(place: Path) -> None:
    log, policy = place / "audit.jsonl", place / "policy.toml"
    policy.write_text(GRANT.format(uid=40001, role="viewer"))
    daemon = started(place, f'audit_file = "{log}"\npolicy_file = "{policy}"\npolicy_owners_file = "{place}/owners"\n')
    User(place / "libvirt-sock", 40001, 0, 0).suspend()
    policy.write_text(
        f'{GRANT.format(uid=40001, role="viewer")}{GRANT.format(uid=40001, role="operator")}on = ["domain:te*"]\n'
    )
    deadline = time.monotonic() + 15
    while "rules" not in [record["event"] for record in recorded(log)]:
        assert time.monotonic() < deadline, daemon.said()
        time.sleep(0.05)
    User(place / "libvirt-sock", 40001, 100, 0).suspend()
    assert daemon.stop() == 0
    denied, granted = [record for record in recorded(log) if record.get("procedure") == "DOMAIN_SUSPEND"]
    assert (denied["decision"], denied["error"]["name"], denied["subject"]["uid"]) == ("denied", "ACCESS_DENIED", 40001)
    assert "domain:suspend" in denied["missing"] and denied["objects"][0]["name"] == "test"
    assert (granted["decision"], granted["result"]) == ("granted", "ok")
    assert "operator" in granted["rule"] or "policy.toml" in granted["rule"]
    assert verdict(log).broken is None
