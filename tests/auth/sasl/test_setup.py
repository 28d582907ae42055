# SPDX-License-Identifier: LGPL-2.1-or-later
"""What keeps SASL from letting anybody in is said when the daemon starts, with what to install or change."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auth.sasl.conftest import free_ports
from tests.support.daemon_process import ROOT, DaemonProcess, configuration, environment
from tests.support.lab import wait_until
from tests.support.raw import raw_client
from tests.support.sasl import write_config
from virtproxy.protocol import remote

TCP = 'listen_tcp = 1\nlisten_addr = "127.0.0.1"\n'


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="vp"))
    yield directory
    DaemonProcess.end_all(directory)
    shutil.rmtree(directory)


def daemon(place: Path, text: str, mechanisms: str, more: str = "") -> DaemonProcess:
    """A daemon with these settings, and SASL with these mechanisms."""
    path = configuration(place, text)
    variables = {
        **environment(place),
        **write_config(place, mechanisms, more),
        "KRB5_KTNAME": f"{place}/none",
    }
    return DaemonProcess(place, ["-v", "-f", str(path), "-p", str(place / "pid")], environ=variables)


UNIX = 'auth_unix_rw = "sasl"\n'
KEYTAB = "keytab: /nowhere/krb5.tab\n"


@pytest.mark.parametrize(
    ("settings", "mechanisms", "more", "says"),
    [
        (TCP, "scram-sha-256", "", "SCRAM-SHA-256 cannot encrypt with the 56 bits that TCP needs"),
        (TCP + "tcp_min_ssf = 1000\n", "gssapi", "", "GSSAPI cannot encrypt with the 1000 bits that TCP needs"),
        (TCP, "otp", "", "asks for OTP, whose plugin is not installed or does not start (Debian: apt install lib"),
        (TCP, "magic", "", "asks for MAGIC, which no installed plugin has"),
        (TCP, "gssapi", KEYTAB, "whose keytab /nowhere/krb5.tab (keytab in that file) does not exist"),
        (UNIX, "anonymous", "", "of ANONYMOUS none can be used here"),
    ],
    ids=["weak", "strong", "not installed", "unknown", "keytab", "anonymous"],
)
def test_nothing_to_offer_is_an_error(place: Path, settings: str, mechanisms: str, more: str, says: str) -> None:
    refused = daemon(place, settings, mechanisms, more)
    refused.wait_for("d.conf")
    assert refused.process.wait(10) == 1
    assert '= "sasl" cannot be: SASL has no mechanism to offer: ' in refused.said()
    assert says in refused.said()
    assert "Traceback" not in refused.said()


def test_what_is_missing_beside_something_else_is_a_warning(place: Path) -> None:
    (port,) = free_ports(1)
    running = daemon(place, f'{TCP}tcp_port = "{port}"\nauth_unix_rw = "sasl"\n', "otp gssapi scram-sha-256")
    running.wait_for("is ready")
    for warning in (
        "asks for OTP, whose plugin is not installed or does not start (Debian: apt install libsasl2-modules-otp)",
        f"the keytab {place}/none, without which nobody logs in by Kerberos, does not exist",
        f"the SASL users are kept in {place}/sasldb2, which does not exist: add one with virtproxy user add",
    ):
        assert warning in running.said()
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("hidden", "says"),
    [("cffi", "pip install 'virtproxy[sasl]'"), ("libsasl2", "Debian: apt install libsasl2-2")],
)
def test_without_its_libraries_the_daemon_says_what_to_install(place: Path, hidden: str, says: str) -> None:
    code = (
        "import sys\n"
        + ("sys.modules['cffi'] = None\n" if hidden == "cffi" else "")
        + ("import cffi; real = cffi.FFI.dlopen\n"
           "def dlopen(self, name, flags=0):\n"
           "    if name and 'libsasl2' in name: raise OSError(name)\n"
           "    return real(self, name, flags)\n"
           "cffi.FFI.dlopen = dlopen\n" if hidden == "libsasl2" else "")
        + "from virtproxy.cli.daemons import virtproxyd; sys.exit(virtproxyd())"
    )  # fmt: skip
    path = configuration(place, 'auth_unix_rw = "sasl"\n')
    refused = DaemonProcess(place, ["-f", str(path), "-p", str(place / "pid")], [sys.executable, "-c", code])
    refused.wait_for("d.conf:2: auth_unix_rw")
    assert refused.process.wait(10) == 1
    assert says in refused.said()
    assert "Traceback" not in refused.said()


def test_who_does_not_ask_for_sasl_does_not_load_it(place: Path) -> None:
    running = daemon(place, 'auth_tls = "sasl"\n', "gssapi")
    running.wait_for("is ready")
    assert "libsasl2" not in Path(f"/proc/{running.pid}/maps").read_text()
    assert running.stop() == 0


def test_the_file_that_comes_with_it_offers_scram_alone(place: Path) -> None:
    path, directory = configuration(place, UNIX), place / "sasl2"
    directory.mkdir()
    shutil.copy(ROOT / "conf" / "sasl2" / "libvirt.conf", directory)
    environ = {**environment(place), "SASL_CONF_PATH": str(directory)}
    running = DaemonProcess(place, ["-f", str(path), "-p", str(place / "pid")], environ=environ)
    wait_until((place / "libvirt-sock").exists, "the socket")
    with raw_client(place / "libvirt-sock") as client:
        answer = client.call(remote.AUTH_SASL_INIT.call_frame(1, None))
        assert remote.AUTH_SASL_INIT.decode_ret(answer) == remote.AuthSaslInitRet(mechlist="SCRAM-SHA-256")
    assert running.stop() == 0
