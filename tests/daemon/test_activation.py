# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sockets that systemd passes: which are taken for what, and which are refused, without any systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.daemon.activation import ActivationError, Passed, entries_passed, passed_sockets
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.endpoints import Entries
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.options import DaemonOptions, options_for
from virtproxy.daemon.settings import Settings

ME = str(os.getpid())


def options(name: str = "virtproxyd", *words: str) -> DaemonOptions:
    found: DaemonOptions = options_for(ROWS[name])()
    found.parseOptions(list(words))  # type: ignore[no-untyped-call]
    return found


class Place:
    """Sockets in a directory, which end with the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sockets: list[socket.socket] = []

    def unix(self, name: str, mode: int = 0o600) -> int:
        sock = self._listening(socket.AF_UNIX, str(self.path / name))
        os.chmod(self.path / name, mode)
        return sock.fileno()

    def inet(self, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        return self._listening(family, ("127.0.0.1" if family == socket.AF_INET else "::1", 0))

    def _listening(self, family: socket.AddressFamily, address: str | tuple[str, int]) -> socket.socket:
        sock = self.keep(socket.socket(family, socket.SOCK_STREAM))
        sock.bind(address)
        sock.listen()
        return sock

    def keep(self, sock: socket.socket) -> socket.socket:
        self.sockets.append(sock)
        return sock


@pytest.fixture
def sockets(place: Path) -> Iterator[Place]:
    found = Place(place)
    yield found
    for sock in found.sockets:
        sock.close()


def entries(*found: tuple[int, str], text: str = "", name: str = "virtproxyd") -> Entries:
    settings = Settings(ROWS[name], "d.conf", parse(text, "d.conf"))
    return entries_passed([Passed(fd, name) for fd, name in found], settings)


def test_nothing_is_passed_to_most() -> None:
    assert passed_sockets(options(), {}) == []
    assert passed_sockets(options(), {"LISTEN_PID": "1", "LISTEN_FDS": "2"}) == []
    assert passed_sockets(options(), {"LISTEN_FDS": "2"}) == []


def test_descriptors_are_counted_from_three_with_their_names() -> None:
    environ = {"LISTEN_PID": ME, "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b:a"}
    assert passed_sockets(options(), environ) == [Passed(3, "a"), Passed(4, "b"), Passed(5, "a")]
    del environ["LISTEN_FDNAMES"]
    assert passed_sockets(options(), environ) == [Passed(3, ""), Passed(4, ""), Passed(5, "")]


@pytest.mark.parametrize("number", ["", "-1", "x", "1025", "9" * 400, "1 ", "\u0663"])
def test_a_number_that_is_none(number: str) -> None:
    with pytest.raises(ActivationError, match="LISTEN_FDS must be the number of passed sockets"):
        passed_sockets(options(), {"LISTEN_PID": ME, "LISTEN_FDS": number})


def test_names_that_do_not_fit() -> None:
    with pytest.raises(ActivationError, match="LISTEN_FDNAMES has 2 names for the 3 sockets"):
        passed_sockets(options(), {"LISTEN_PID": ME, "LISTEN_FDS": "3", "LISTEN_FDNAMES": "a:b"})


@given(st.dictionaries(st.sampled_from(["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]), st.text(max_size=20)))
def test_whatever_the_environment_says(environ: dict[str, str]) -> None:
    try:
        found = passed_sockets(options(), environ | {"LISTEN_PID": ME})
    except ActivationError as error:
        assert "LISTEN_FD" in error.message
    else:
        assert len(found) == int(environ["LISTEN_FDS"])


def test_listen_is_refused_in_words() -> None:
    environ = {"LISTEN_PID": ME, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "libvirtd.socket"}
    with pytest.raises(StartupError) as refused:
        passed_sockets(options("libvirtd", "--listen"), environ)
    assert refused.value.message == (
        "--listen is not for where systemd listens: leave it out, and enable libvirtd-tls.socket or libvirtd-tcp.socket"
    )
    assert refused.value.exit_code == 1
    assert len(passed_sockets(options("libvirtd"), environ)) == 1


@pytest.mark.parametrize("form", ["virtproxyd{suffix}.socket", "virtproxyd{suffix}", "{kind}"])
def test_sockets_are_known_by_name(sockets: Place, form: str) -> None:
    suffixes = {"rw": "", "ro": "-ro", "admin": "-admin", "tcp": "-tcp", "tls": "-tls"}
    names = {kind: form.format(kind=kind, suffix=suffix) for kind, suffix in suffixes.items()}
    tcp, tls, six = sockets.inet(), sockets.inet(), sockets.inet(socket.AF_INET6)
    found = entries(
        (sockets.unix("one"), names["rw"]),
        (sockets.unix("two", 0o666), names["ro"]),
        (sockets.unix("three"), names["rw"]),
        (sockets.unix("four"), names["admin"]),
        (tcp.fileno(), names["tcp"]),
        (tls.fileno(), names["tls"]),
        (six.fileno(), names["tls"]),
    )
    shown = [(os.path.basename(each.path), each.readonly, each.mode) for each in found.unix]
    assert shown == [("one", False, 0o600), ("two", True, 0o666), ("three", False, 0o600)]
    assert [os.path.basename(each.path) for each in found.admin] == ["four"]
    assert [(each.transport, each.address) for each in found.inet] == [
        (kind, sock.getsockname()) for kind, sock in (("tcp", tcp), ("tls", tls), ("tls", six))
    ]
    assert [each.fd for each in found.inet] == [tcp.fileno(), tls.fileno(), six.fileno()]


@pytest.mark.parametrize("name", ["", "unknown", "virtqemud.socket"])
def test_sockets_without_a_known_name_are_known_by_address(sockets: Place, name: str) -> None:
    tcp, tls = sockets.inet(), sockets.inet()
    ports = f'tcp_port = "{tcp.getsockname()[1]}"\ntls_port = "{tls.getsockname()[1]}"\n'
    paths = ("libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock")
    passed = [(sockets.unix(path), name) for path in paths] + [(tcp.fileno(), name), (tls.fileno(), name)]
    found = entries(*passed, text=ports)
    assert [(each.path[-15:], each.readonly) for each in found.unix] == [
        (str(sockets.path / path)[-15:], path.endswith("ro")) for path in paths[:2]
    ]
    assert len(found.admin) == 1
    assert [each.transport for each in found.inet] == ["tcp", "tls"]


def test_a_driver_daemon_knows_its_own_names(sockets: Place) -> None:
    found = entries((sockets.unix("virtqemud-sock"), ""), (sockets.unix("x"), "virtqemud-ro.socket"), name="virtqemud")
    assert [each.readonly for each in found.unix] == [False, True]
    with pytest.raises(ActivationError, match="virtqemud has no use for the socket tcp"):
        entries((sockets.inet().fileno(), "tcp"), name="virtqemud")


def test_what_is_for_nothing_is_refused(sockets: Place) -> None:
    with pytest.raises(ActivationError) as refused:
        entries((sockets.unix("odd-sock"), "odd.socket"))
    assert refused.value.message == (
        f"virtproxyd has no use for the socket odd.socket ({sockets.path}/odd-sock), which was passed; it knows the "
        "names virtproxyd.socket, virtproxyd-ro.socket, virtproxyd-admin.socket, virtproxyd-tcp.socket, "
        "virtproxyd-tls.socket"
    )
    assert refused.value.exit_code == 6


def test_a_name_on_the_wrong_kind_of_socket(sockets: Place) -> None:
    with pytest.raises(ActivationError, match=r"virtproxyd-ro.socket, which was passed, is 127.0.0.1 port \d+ and sho"):
        entries((sockets.inet().fileno(), "virtproxyd-ro.socket"))
    with pytest.raises(ActivationError, match="should be an IP address and port"):
        entries((sockets.unix("libvirt-sock"), "virtproxyd-tls.socket"))


def test_descriptors_that_are_no_listening_sockets(sockets: Place) -> None:
    quiet = sockets.keep(socket.socket(socket.AF_UNIX)).fileno()
    datagrams = sockets.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)).fileno()
    with open(os.devnull) as null:
        for fd, problem in ((quiet, "does not listen: its unit wants Accept=no"), (null.fileno(), "is not a socket")):
            with pytest.raises(ActivationError, match=problem):
                entries((fd, "virtproxyd.socket"))
    with pytest.raises(ActivationError, match="is not a UNIX or TCP socket"):
        entries((datagrams, "virtproxyd.socket"))
    with pytest.raises(ActivationError, match=r"descriptor 999 \(rw\), which was passed, is not open"):
        entries((999, "rw"))
    # They are still the caller's.
    os.fstat(quiet)


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        ("listen_tcp = 1", "virtproxyd-tcp.socket"),
        ("listen_tls = 0", "virtproxyd-tls.socket"),
        ('tcp_port = "1"', "ListenStream= in virtproxyd-tcp.socket"),
        ('tls_port = "1"', "ListenStream= in virtproxyd-tls.socket"),
        ('listen_addr = "::1"', "ListenStream=ADDRESS:PORT in virtproxyd-tcp.socket and virtproxyd-tls.socket"),
        (
            'unix_sock_dir = "/x"',
            "in virtproxyd.socket, virtproxyd-ro.socket and virtproxyd-admin.socket",
        ),
        ('unix_sock_group = "x"', "SocketGroup= in virtproxyd.socket"),
        ('unix_sock_rw_perms = "0777"', "SocketMode= in virtproxyd.socket"),
        ('unix_sock_ro_perms = "0700"', "SocketMode= in virtproxyd-ro.socket"),
        ('unix_sock_admin_perms = "0777"', "SocketMode= in virtproxyd-admin.socket"),
        ("max_queued_clients = 1", "Backlog= in virtproxyd.socket"),
        ("admin_max_queued_clients = 1", "Backlog= in virtproxyd-admin.socket"),
    ],
)
def test_each_setting_that_systemd_overrides(sockets: Place, setting: str, instead: str) -> None:
    (warning,) = entries((sockets.unix("libvirt-sock"), ""), text=f"\n{setting}\n").warnings
    key = setting.partition(" ")[0]
    assert warning.startswith(f"d.conf:2: {key} has no effect where systemd listens: ")
    assert warning.endswith(instead)


def test_settings_that_systemd_overrides_are_named(sockets: Place) -> None:
    text = 'unix_sock_group = "root"\nmax_clients = 7\nlisten_tls = 1\nunix_sock_ro_perms = "0777"\n'
    found = entries((sockets.unix("libvirt-sock"), ""), text=text)
    assert found.warnings == (
        "d.conf:3: listen_tls has no effect where systemd listens: enable or disable virtproxyd-tls.socket",
        "d.conf:1: unix_sock_group has no effect where systemd listens: set SocketGroup= in virtproxyd.socket",
        "d.conf:4: unix_sock_ro_perms has no effect where systemd listens: set SocketMode= in virtproxyd-ro.socket",
    )


def test_an_open_door_is_warned_of(sockets: Place) -> None:
    fd = sockets.unix("libvirt-sock", 0o666)
    (warning,) = entries((fd, "")).warnings
    assert warning.startswith(f"everybody on this host can do everything through {sockets.path}/libvirt-sock")
    assert entries((fd, ""), text='auth_unix_rw = "polkit"').warnings == ()
    assert entries((fd, "ro")).warnings == ()
