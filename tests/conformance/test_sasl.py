# SPDX-License-Identifier: LGPL-2.1-or-later
"""SASL beside libvirtd, and Kerberos in front of one: virsh and libvirt-python through a security layer.

libvirtd 9.0.0 and virtproxyd get the same calls and must answer alike. Two things differ on purpose: a step before a
start ends libvirtd's process, and an anonymous login, which libvirtd offers on UNIX sockets, is none to virtproxyd.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from scramp import ScramClient

from tests.support.lab import BACKEND_SOCKETS, FAMILIES, INSIDE, Lab, lab, wait_until
from tests.support.raw import RawClient, raw_client
from tests.support.sasl import USERS, Realm, write_config, write_users
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.frame import CALL, ERROR, pack

pytestmark = [pytest.mark.conformance, pytest.mark.root]

INIT, START, STEP = remote.AUTH_SASL_INIT, remote.AUTH_SASL_START, remote.AUTH_SASL_STEP
LIST, OPEN = remote.AUTH_LIST, remote.CONNECT_OPEN
Call = tuple[Procedure[Any, Any], Any]
OPENING: Call = (OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
GOOD = b"\0joe\0" + USERS["joe"].encode()


def start(mechanism: str, data: bytes = b"", nil: int = 0) -> Call:
    """START."""
    return START, remote.AuthSaslStartArgs(mech=mechanism, nil=nil, data=data)


def step(data: bytes) -> Call:
    """STEP."""
    return STEP, remote.AuthSaslStepArgs(nil=0, data=data)


ask: Call = (LIST, None)
init: Call = (INIT, None)
CASES: dict[str, list[Call]] = {
    "a login": [ask, init, start("PLAIN", GOOD), ask, OPENING],
    "in two steps": [init, start("PLAIN"), step(GOOD), OPENING],
    "with nothing given": [init, start("PLAIN", b"", 1), step(GOOD), OPENING],
    "with something given that is nothing": [init, start("PLAIN", b"x", 1), step(GOOD), OPENING],
    "before it is asked for": [step(b"x"), start("PLAIN", GOOD), OPENING, init, start("PLAIN", GOOD)],
    "twice": [init, init, start("PLAIN", GOOD), init, start("PLAIN", GOOD), OPENING],
    "again after a failure": [init, start("PLAIN", b"\0joe\0wrong"), start("PLAIN", GOOD), init, start("PLAIN", GOOD)],
    "nobody": [init, start("PLAIN", b"\0nobody\0x"), ask, OPENING],
    "not on the list": [init, start("PLAIN", b"\0eve\0" + USERS["eve"].encode()), ask, OPENING],
    "as somebody else": [init, start("PLAIN", b"ann" + GOOD), OPENING],
    "another mechanism in the middle": [init, start("DIGEST-MD5"), start("PLAIN", GOOD), OPENING],
    "something else in the middle": [init, start("PLAIN"), init, ask, OPENING, step(GOOD), OPENING],
    "mechanisms there are none": [init, start("NOSUCH"), init, start(""), init, start("P" * 300)],
    "nonsense": [init, start("PLAIN", bytes(3)), init, start("GSSAPI", b"\x60" * 99), init, start("DIGEST-MD5", b"x")],
    "as much as there may be": [init, start("PLAIN", b"A" * 65536), init, start("SCRAM-SHA-256", b"n" * 65536)],
}  # fmt: skip


class Host:
    """A lab with libvirtd and virtproxyd before it, each asking for SASL with the same users."""

    def __init__(self, made: Lab, place: Path) -> None:
        self.lab, self.place = made, place
        settings = {"auth_unix_rw": '"sasl"', "sasl_allowed_username_list": '[ "joe", "an?" ]'}
        self.libvirtd = made.libvirtd(BACKEND_SOCKETS, **settings)
        backend = dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock-ro")
        self.proxy = made.virtproxyd(backend, flags=["--verbose"], **settings)

    def client(self, sockets: Path) -> AbstractContextManager[RawClient]:
        """A connection to a daemon."""
        return raw_client(Path(f"/proc/{self.lab.pid}/root{sockets}/libvirt-sock"))


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="vp"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def host(place: Path) -> Iterator[Host]:
    """Both daemons; libvirt.conf of SASL is found by the environment."""
    with pytest.MonkeyPatch.context() as patch, lab() as made:
        environ = write_config(place, "scram-sha-256 digest-md5 plain gssapi")
        write_users(place, environ, made.inside)
        patch.setenv("SASL_CONF_PATH", environ["SASL_CONF_PATH"])
        yield Host(made, place)


def answers(client: RawClient, calls: list[Call]) -> list[object]:
    """What each call got: an error's code, domain and text, or the reply without what is random."""
    found: list[object] = []
    for serial, (procedure, args) in enumerate(calls, 1):
        answer = client.call(procedure.call_frame(serial, args))
        if answer.status == ERROR:
            error = decode_error(answer)
            found.append((error.code, error.domain, error.message))
        else:
            reply = procedure.decode_ret(answer)
            data = getattr(reply, "data", None)
            found.append((reply, None) if data is None else (reply.complete, reply.nil, len(data) > 0))
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_same_answers(host: Host, case: str) -> None:
    got = []
    for sockets in (BACKEND_SOCKETS, Path("/run/libvirt")):
        with host.client(sockets) as client:
            got.append(answers(client, CASES[case]))
    assert str(got[1]) == str(got[0])
    assert len(got[0]) == len(CASES[case])


def test_a_login_is_complete(host: Host) -> None:
    """Or all of the above would be the same refusals."""
    with host.client(Path("/run/libvirt")) as client:
        found = answers(client, CASES["in two steps"])
    assert found[1:] == [(0, 0, False), (1, 1, False), (None, None)]


def test_too_much_is_refused_and_the_negotiation_lives(host: Host) -> None:
    # An opaque of 65,537 bytes: one more than the protocol allows.
    body = (5).to_bytes(4, "big") + b"PLAIN\0\0\0" + bytes(4) + (65537).to_bytes(4, "big") + bytes(65540)
    for sockets in (BACKEND_SOCKETS, Path("/run/libvirt")):
        with host.client(sockets) as client:
            answers(client, [init])
            answer = client.call(pack(remote.PROGRAM.number, 1, START.number, CALL, 9, 0, body))
            error = decode_error(answer)
            assert (error.code, (error.message or "")[:32]) == (39, "Unable to decode message payload")
            assert answers(client, [start("PLAIN", GOOD)]) == [(1, 1, False)]


def test_scram_with_both(host: Host) -> None:
    for sockets in (BACKEND_SOCKETS, Path("/run/libvirt")):
        scram = ScramClient(["SCRAM-SHA-256"], "joe", USERS["joe"])
        with host.client(sockets) as client:
            answers(client, [init])
            procedure, args = start("SCRAM-SHA-256", scram.get_client_first().encode())
            first = procedure.decode_ret(client.call(procedure.call_frame(2, args)))
            scram.set_server_first(first.data.decode())
            procedure, args = step(scram.get_client_final().encode())
            last = procedure.decode_ret(client.call(procedure.call_frame(3, args)))
            scram.set_server_final(last.data.decode())
            assert (last.complete, last.nil) == (1, 0)


def test_a_step_before_a_start_ends_nothing(host: Host) -> None:
    failed = (45, 7, "authentication failed: authentication failed")
    with host.client(Path("/run/libvirt")) as client:
        assert answers(client, [init, step(b"x"), init, start("PLAIN", GOOD)])[1::2] == [failed, (1, 1, False)]
    assert host.proxy.alive()


CAPTURE = INSIDE / "loopback.pcap"
MARK = "a-mark-that-nobody-may-read"
LARGE = 3 * 1024 * 1024
PYTHON = """\
import hashlib, libvirt, sys
def ask(credentials, what):
    for credential in credentials:
        credential[4] = {name: value for name, value in zip((libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE),
                                                            sys.argv[2:4])}[credential[0]]
    return 0
kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]
connection = libvirt.openAuth(sys.argv[1], [kinds, ask, None], 0)
print(len(connection.listAllDomains()), len(connection.lookupByName("large").XMLDesc()))
"""


@pytest.fixture(scope="module")
def realm_host(place: Path) -> Iterator[tuple[Lab, Realm]]:
    """libvirtd, virtproxyd on TCP before it, a key server, and somebody who listens on the wire."""
    with pytest.MonkeyPatch.context() as patch, lab() as made:
        kerberos = place / "realm"
        kerberos.mkdir()
        realm = Realm(kerberos, made.inside)
        environ = {**write_config(place, "scram-sha-256 digest-md5 gssapi"), **realm.environ}
        write_users(place, environ, made.inside)
        for name, value in environ.items():
            patch.setenv(name, value)
        backend = made.libvirtd(BACKEND_SOCKETS)
        sockets = dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock")
        made.virtproxyd(sockets, flags=["--verbose"], listen_tcp="1", tcp_port='"16509"', tcp_min_ssf="128")
        made.write("large.xml", domain_of(LARGE))
        yield made, realm
        assert backend.alive()
        realm.close()


def domain_of(size: int) -> str:
    """A domain with that much to say."""
    text = (MARK + " ") * (size // (len(MARK) + 1))
    return (
        "<domain type='qemu'><name>large</name><memory>65536</memory><os><type>hvm</type></os>"
        f"<description>{text}</description></domain>"
    )


def test_kerberos_on_the_wire(realm_host: tuple[Lab, Realm]) -> None:
    host, realm = realm_host
    # A string may have 4 MiB: the document is most of that, both ways.
    joe, uri = realm.ticket("joe"), "qemu+tcp://localhost/system"
    tcpdump = host.spawn("tcpdump", "tcpdump", "-i", "lo", "-U", "-s", "0", "-w", CAPTURE, "tcp port 16509")
    wait_until(lambda: "listening on lo" in tcpdump.log_text(), "tcpdump")
    host.run("virsh", "-c", uri, "define", INSIDE / "large.xml", env=joe)
    shown = host.run("virsh", "-c", uri, "dumpxml", "large", env=joe).stdout
    assert shown.count(MARK) == domain_of(LARGE).count(MARK)
    payload = os.urandom(8 * 1024 * 1024 + 4321)
    host.outside(INSIDE / "payload").write_bytes(payload)
    for command in (
        "pool-define-as images dir --target /var/lib/libvirt/images", "pool-build images", "pool-start images",
        f"vol-create-as images data.img {len(payload)}", "vol-upload data.img /run/lab/payload images",
        "vol-download data.img /run/lab/copy images",
    ):  # fmt: skip
        host.run("virsh", "-c", uri, *command.split(), env=joe)
    copy = host.outside(INSIDE / "copy").read_bytes()
    assert hashlib.sha256(copy).digest() == hashlib.sha256(payload).digest()
    tcpdump.kill(2)
    captured = host.outside(CAPTURE).read_bytes()
    assert len(captured) > 2 * len(payload)
    assert b"GSSAPI" in captured
    for readable in (MARK.encode(), b"qemu:///system", payload[:64], payload[-64:]):
        assert readable not in captured
    log = (host.directory / "virtproxyd.log").read_text()
    assert "a client logged in: SASL user joe over tcp from [::1]:" in log


def test_libvirt_python_with_a_password_and_a_layer(realm_host: tuple[Lab, Realm]) -> None:
    """DIGEST-MD5 is weak and shipped switched off; it is the layer that works without Kerberos."""
    host, _ = realm_host
    command = ["/usr/bin/python3", "-c", PYTHON, "qemu+tcp://localhost/system?auth=sasl.DIGEST-MD5"]
    assert host.run(*command, "joe", USERS["joe"]).stdout.startswith("1 314")
    refused = host.run(*command, "joe", "wrong", check=False)
    assert refused.returncode == 1
    assert "authentication failed" in refused.stderr


def test_libvirt_python_with_scram_over_tcp(realm_host: tuple[Lab, Realm]) -> None:
    host, _ = realm_host
    command = ["/usr/bin/python3", "-c", PYTHON, "qemu+tcp://localhost/system?auth=sasl.SCRAM-SHA-256"]
    refused = host.run(*command, "joe", USERS["joe"], check=False)
    assert refused.returncode == 1
    assert "SCRAM-SHA-256" in refused.stderr
