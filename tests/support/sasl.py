# SPDX-License-Identifier: LGPL-2.1-or-later
"""A place with SASL of its own: libvirt.conf, users, and a Kerberos realm on loopback where a test wants one.

The tests of SASL and the fuzzer use it. libsasl2 is initialised once in a process: whoever uses it within the
tests' own process calls `server_of_tests`, which sets it up the same for all of them.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from virtproxy.auth.sasl.server import Server, server

T = TypeVar("T")
# Makes of a command the one that runs it somewhere else.
Inside = Callable[[list[str]], list[str]]
MECHANISMS = "scram-sha-256 digest-md5 plain gssapi"
REALM = "VIRTPROXY.TEST"
USERS = {"joe": "secret", "ann": "geheim", "eve": "hush"}


def write_config(place: Path, mechanisms: str = MECHANISMS, more: str = "") -> dict[str, str]:
    """Write libvirt.conf of SASL into `place`; the variables that lead libsasl2 there."""
    directory = place / "sasl2"
    directory.mkdir(exist_ok=True)
    (directory / "libvirt.conf").write_text(f"mech_list: {mechanisms}\nsasldb_path: {place}/sasldb2\n{more}")
    return {"SASL_CONF_PATH": str(directory)}


def add_user(place: Path, name: str, password: str, environ: Mapping[str, str], inside: Inside = list) -> None:
    """Add a user to the place's database with Cyrus's own program; the host's name becomes part of the user's."""
    command = ["saslpasswd2", "-p", "-c", "-a", "libvirt", "-f", str(place / "sasldb2"), name]
    subprocess.run(inside(command), input=password.encode(), env={**os.environ, **environ}, check=True)


def write_users(place: Path, environ: Mapping[str, str], inside: Inside = list) -> None:
    """All of USERS."""
    for name, password in USERS.items():
        add_user(place, name, password, environ, inside)


def write_credentials(place: Path, name: str, password: str) -> Path:
    """A file with a name and a password as libvirt's clients read it (?authfile=)."""
    path = place / f"auth-{name}.conf"
    path.write_text(
        f"[credentials-{name}]\nauthname={name}\npassword={password}\n[auth-libvirt-default]\ncredentials={name}\n"
    )
    path.chmod(0o600)
    return path


async def at_once(function: Callable[..., T], /, *args: Any) -> T:
    """Call it here, not in a thread."""
    return function(*args)


@functools.cache
def server_of_tests() -> Server:
    """libsasl2 in this process, with USERS; the same for every test and for the fuzzer."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    atexit.register(shutil.rmtree, place)
    environ = write_config(place)
    write_users(place, environ)
    os.environ.update(environ)
    return server()


class Realm:
    """A Kerberos realm with its own key server; `close` ends it. Its clients are of USERS.

    `inside` makes of a command the one that runs it where the realm shall be (a lab).
    """

    def __init__(self, place: Path, inside: Inside = list) -> None:
        self.place = place
        self._inside = inside
        self.keytab = place / "krb5.keytab"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        self._write(port)
        self.environ = {"KRB5_CONFIG": str(place / "krb5.conf"), "KRB5_KTNAME": str(self.keytab)}
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        self._admin("addprinc -randkey libvirt/localhost", f"ktadd -k {self.keytab} libvirt/localhost")
        for name in USERS:
            self._admin(f"addprinc -randkey {name}", f"ktadd -k {place}/{name}.keytab {name}")
        self._log = (place / "kdc.log").open("wb")
        self._kdc = subprocess.Popen(
            inside(["setpriv", "--pdeathsig", "KILL", "krb5kdc", "-n", "-r", REALM, "-P", str(place / "kdc.pid")]),
            env=self._environment, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()

    def _write(self, port: int) -> None:
        (self.place / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            " dns_canonicalize_hostname = false\n rdns = false\n ignore_acceptor_hostname = true\n"
            f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = {REALM}\n"
        )
        (self.place / "kdc.conf").write_text(
            f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n"
            f"[realms]\n {REALM} = {{\n  database_name = {self.place}/principal\n"
            f"  key_stash_file = {self.place}/stash\n  acl_file = {self.place}/acl\n }}\n"
            f"[logging]\n kdc = FILE:{self.place}/kdc.messages\n"
        )

    @property
    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        kept["PATH"] = f"{kept.get('PATH', '')}:/usr/sbin"
        return {**kept, **self.environ, "KRB5_KDC_PROFILE": str(self.place / "kdc.conf")}

    def _run(self, *command: str) -> None:
        subprocess.run(self._inside([*command]), env=self._environment, check=True, capture_output=True, timeout=20)

    def _admin(self, *queries: str) -> None:
        for query in queries:
            self._run("kadmin.local", "-r", REALM, "-q", query)

    def _wait(self) -> None:
        deadline, log = time.monotonic() + 20, self.place / "kdc.messages"
        while not log.exists() or "commencing operation" not in log.read_text():
            assert self._kdc.poll() is None, (self.place / "kdc.log").read_text()
            assert time.monotonic() < deadline, "the key server does not start"
            time.sleep(0.02)

    def ticket(self, name: str) -> dict[str, str]:
        """Log `name` in; the variables with which a program is that user."""
        cache = {"KRB5CCNAME": f"FILE:{self.place}/{name}.cache"}
        command = ["kinit", "-k", "-t", f"{self.place}/{name}.keytab", name]
        environ = {**self._environment, **cache}
        subprocess.run(self._inside(command), env=environ, check=True, capture_output=True, timeout=20)
        return {**self.environ, **cache}

    def close(self) -> None:
        """End the key server."""
        self._kdc.terminate()
        self._kdc.wait(20)
        self._log.close()
