# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every way to name a caller, proven for real: virsh by Kerberos, by password, by certificate, by address and group."""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.daemon_process import DaemonProcess, configuration, environment
from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair
from tests.support.sasl import REALM, USERS, Realm, write_config, write_credentials, write_users

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.programs("virsh", "kdb5_util", "krb5kdc", "kadmin.local", "kinit", "saslpasswd2"),
]

GROUP = grp.getgrgid(pwd.getpwuid(os.getuid()).pw_gid).gr_name
SETTINGS = """\
listen_tls = 1
listen_tcp = 1
listen_addr = "127.0.0.1"
tls_port = "0"
tcp_port = "0"
auth_unix_rw = "sasl"
auth_unix_ro = "none"
ca_file = "{place}/cacert.pem"
cert_file = "{place}/servercert.pem"
key_file = "{place}/serverkey.pem"
policy_file = "{place}/policy.toml"
policy_owners_file = "{place}/owners.json"
"""
IN = "test"


class House:
    """virtproxyd with the test driver: SASL over UNIX and TCP, certificates over TLS, users' own rights on -ro."""

    def __init__(self, place: Path, realm: Realm) -> None:
        self.place = place
        self.realm = realm
        environ = {**environment(place), **write_config(place), **realm.environ}
        write_users(place, environ)
        self._write_certificates()
        self.grant("user:nobody-yet")
        arguments = ["-v", "-f", str(configuration(place, SETTINGS.format(place=place))), "-p", str(place / "pid")]
        self.daemon = DaemonProcess(place, arguments, environ=environ)
        ready = self.daemon.wait_for
        self.tcp, self.tls = (int(ready(rf"listens on {kind} \S+:(\d+)")[1]) for kind in ("tcp", "tls"))
        ready("is ready")

    def _write_certificates(self) -> None:
        authority = Authority()
        (self.place / "cacert.pem").write_bytes(pem(authority.certificate))
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = (address, x509.DNSName("localhost"))
        write_pair(self.place, "server", authority.issue(Leaf("host", purposes=(SERVER,), hosts=names)))
        for name, hosts in (("plain", ()), ("named", (x509.DNSName("Robot.Example"),))):
            directory = self.place / name
            directory.mkdir()
            shutil.copy(self.place / "cacert.pem", directory)
            write_pair(directory, "client", authority.issue(Leaf(name, hosts=hosts)))

    def grant(self, *subjects: str, also: str = "") -> None:
        """Let these, and nobody else, in."""
        to = ", ".join(f'"{subject}"' for subject in subjects)
        new = self.place / "policy.new"
        new.write_text(f'{also}\n[[grant]]\nto = [{to}]\nroles = "viewer"\n')
        new.chmod(0o600)
        new.replace(self.place / "policy.toml")

    def virsh(self, uri: str, environ: Mapping[str, str] | None = None) -> str:
        """What virsh's list of guests is, or the last line of its errors."""
        done = subprocess.run(
            ["virsh", "-q", "-c", uri, "list", "--all", "--name"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=25,
            env={"PATH": os.environ["PATH"], "HOME": str(self.place), "LC_ALL": "C", **(environ or {})},
        )  # fmt: skip
        return done.stdout.strip().splitlines()[-1]

    def ways(self) -> dict[str, str]:
        """How each way in ends now."""
        unix = f"test+unix:///default?socket={self.place}/libvirt-sock"
        files = {name: write_credentials(self.place, name, USERS[name]) for name in ("joe", "ann")}
        ends = {
            "kerberos": self.virsh(f"test+tcp://localhost:{self.tcp}/default", self.realm.ticket("joe")),
            "plain": self.virsh(f"test+tls://127.0.0.1:{self.tls}/default?pkipath={self.place}/plain"),
            "named": self.virsh(f"test+tls://127.0.0.1:{self.tls}/default?pkipath={self.place}/named"),
            "read-only": self.virsh(f"{unix}-ro"),
        }
        for name, file in files.items():
            ends[name] = self.virsh(f"{unix}&auth=sasl.SCRAM-SHA-256&authfile={file}")
        return ends

    def close(self) -> None:
        """End the daemon."""
        assert self.daemon.stop() == 0
        assert "Traceback" not in self.daemon.said()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    place = Path(tempfile.mkdtemp(prefix="vp"))
    realm = Realm(place)
    made = House(place, realm)
    yield made
    made.close()
    realm.close()
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("subjects", "who"),
    [
        ((f"realm:{REALM}",), {"kerberos"}),
        (("sasl:joe",), {"kerberos", "joe"}),
        ((f"sasl:*@{REALM}",), {"kerberos"}),
        (("mechanism:SCRAM-SHA-256",), {"joe", "ann"}),
        (("x509:*,CN=named", "sasl:ann"), {"named", "ann"}),
        (("san:DNS:*.example",), {"named"}),
        (("transport:tls",), {"plain", "named"}),
        (("address:127.0.0.0/8",), {"kerberos", "plain", "named"}),
        ((f"group:{GROUP}",), {"read-only", "joe", "ann"}),
        (("they",), {"kerberos", "ann"}),
    ],
)
def test_who_is_let_in(house: House, subjects: tuple[str, ...], who: set[str]) -> None:
    said = len(house.daemon.said())
    ways = "[[subjects.they]]\nsasl = ['joe', 'ann']\ntransport = 'tcp'\n"
    ways += f"[[subjects.they]]\nsasl = 'a*'\ngroup = '{GROUP}'\n"
    house.grant(*subjects, also=ways)
    os.kill(house.daemon.pid, signal.SIGHUP)
    house.daemon.wait_for(rf"(?s)\A.{{{said}}}.*is in force as it is now")
    ends = house.ways()
    assert {way for way, end in ends.items() if end == IN} == who, ends
    refused = {end for end in ends.values() if end != IN}
    assert refused == {"error: access denied: connect:getattr on connection test:///default is not granted"}
