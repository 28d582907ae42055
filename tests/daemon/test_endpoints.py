# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the daemon would listen, from its settings; and what is refused before anything is opened."""

from __future__ import annotations

import grp
import os
import socket
from pathlib import Path

import pytest

from virtproxy.daemon import endpoints
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.paths import SYSTEM, session_places
from virtproxy.daemon.settings import Settings

SESSION = session_places({"XDG_RUNTIME_DIR": "/run/user/7"}, "/home/joe")


def settings(text: str, name: str = "virtproxyd") -> Settings:
    return Settings(ROWS[name], "f.conf", parse(text, "f.conf"))


def unix(text: str, name: str = "virtproxyd", *, system: bool = True) -> list[endpoints.UnixEndpoint]:
    return endpoints.unix_endpoints(settings(text, name), SYSTEM if system else SESSION)


def admin(text: str, *, system: bool = True) -> list[endpoints.UnixEndpoint]:
    return endpoints.admin_endpoints(settings(text), SYSTEM if system else SESSION)


def unix_refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        unix(text)
        admin(text)
    return refused.value.message


def inet(text: str) -> list[endpoints.InetEndpoint]:
    return endpoints.inet_endpoints(settings(text))


def inet_refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        inet(text)
    return refused.value.message


def test_the_systems_sockets() -> None:
    write, read = unix("")
    assert (write.path, write.mode, write.readonly) == ("/run/libvirt/libvirt-sock", 0o700, False)
    assert (read.path, read.mode, read.readonly) == ("/run/libvirt/libvirt-sock-ro", 0o777, True)
    assert write.group is read.group is None


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("auth_unix_rw = 'polkit'", 0o777),
        ("auth_unix_rw = 'polkit'\nunix_sock_rw_perms = '0770'", 0o770),
        ("auth_unix_ro = 'polkit'", 0o700),
        ("auth_unix_rw = 'sasl'", 0o700),
    ],
)
def test_with_polkit_everybody_may_knock_unless_the_file_says_who(text: str, mode: int) -> None:
    assert unix(text)[0].mode == mode


def test_a_users_sockets() -> None:
    assert [found.path for found in unix("", system=False)] == ["/run/user/7/libvirt/libvirt-sock"]
    assert [found.path for found in unix("", "virtqemud", system=False)] == ["/run/user/7/libvirt/virtqemud-sock"]


def test_the_administration_socket_is_for_one_user() -> None:
    (found,) = admin("unix_sock_group = '0'")
    assert (found.path, found.mode, found.group) == ("/run/libvirt/libvirt-admin-sock", 0o700, None)
    assert [found.path for found in admin("", system=False)] == ["/run/user/7/libvirt/libvirt-admin-sock"]
    assert [found.path for found in admin("unix_sock_dir = '/d'")] == ["/d/libvirt-admin-sock"]
    assert admin("unix_sock_dir = '/d'", system=False) == []


def test_directory_modes_and_group_are_configured() -> None:
    name = grp.getgrgid(os.getegid()).gr_name
    text = f"unix_sock_dir = '/d/'\nunix_sock_rw_perms = '0770'\nunix_sock_ro_perms = '666'\nunix_sock_group = '{name}'"
    write, read = unix(text)
    assert (write.path, write.mode, write.group) == ("/d/libvirt-sock", 0o770, os.getegid())
    assert (read.path, read.mode, read.group) == ("/d/libvirt-sock-ro", 0o666, os.getegid())
    assert unix(f"unix_sock_group = '{os.getegid()}'")[0].group == os.getegid()


@pytest.mark.parametrize("key", ["unix_sock_rw_perms", "unix_sock_ro_perms", "unix_sock_admin_perms"])
@pytest.mark.parametrize("perms", ["", "9", "0x1ff", "0o770", "rw", "17777", "-777", "0888", " 777"])
def test_permissions_are_octal(key: str, perms: str) -> None:
    assert unix_refusal(f"\n{key} = '{perms}'").startswith(f"f.conf:2: {key} must be permissions in octal")


def test_a_group_must_exist() -> None:
    assert unix_refusal("unix_sock_group = 'nosuch'") == 'f.conf:1: there is no group "nosuch" on this host'


def test_a_directory_must_be_absolute() -> None:
    assert "f.conf:1: unix_sock_dir must be an absolute path" in unix_refusal("unix_sock_dir = 'run'")


def test_a_path_must_fit_a_socket_address() -> None:
    room = endpoints.UNIX_PATH_MAX - len("/libvirt-sock-ro")
    fits = "/" + "d" * (room - 1)
    assert len(unix(f"unix_sock_dir = '{fits}'")[1].path) == 107
    message = unix_refusal(f"\n\nunix_sock_dir = '{fits}d'")
    assert message.startswith("f.conf:3: the path of a UNIX socket may have at most 107 bytes")
    assert message.endswith("has 108: set unix_sock_dir to a shorter path")
    assert "set unix_sock_dir" in unix_refusal(f"unix_sock_dir = '{fits[:-1]}é'")


def test_no_network_unless_asked_for() -> None:
    assert inet("") == []
    assert endpoints.inet_endpoints(settings("", "virtqemud")) == []


def test_every_address_unless_one_is_named() -> None:
    found = inet("listen_tcp = 1\nlisten_tls = 1\ntls_port = '1234'")
    assert {(e.address[:2], e.transport, e.key) for e in found} == {
        (("0.0.0.0", 16509), "tcp", "tcp_port"),
        (("::", 16509), "tcp", "tcp_port"),
        (("0.0.0.0", 1234), "tls", "tls_port"),
        (("::", 1234), "tls", "tls_port"),
    }
    assert all(e.wildcard for e in found)


def test_a_named_address() -> None:
    (four,) = inet("listen_tcp = 1\nlisten_addr = '127.0.0.1'")
    assert (four.family, str(four), four.wildcard) == (socket.AF_INET, "127.0.0.1:16509", False)
    (six,) = inet("listen_tls = 1\nlisten_addr = '::1'")
    assert (six.family, str(six)) == (socket.AF_INET6, "[::1]:16514")
    assert {str(e).rpartition(":")[0] for e in inet("listen_tcp = 1\nlisten_addr = 'localhost'")} >= {"127.0.0.1"}


def test_a_port_by_the_name_of_its_service() -> None:
    (found,) = inet("listen_tcp = 1\ntcp_port = 'ssh'\nlisten_addr = '127.0.0.1'")
    assert found.address[1] == 22


@pytest.mark.parametrize("port", ["", "65536", "99999999999", "-1", "nosuch", "16509 ", "a\udce9"])
def test_a_port_must_be_one(port: str) -> None:
    message = inet_refusal(f"listen_tcp = 1\ntcp_port = '{port}'")
    assert message.startswith("f.conf:2: tcp_port must be a port number of at most 65535 or the name of a service")


@pytest.mark.parametrize("address", ["256.1.1.1", "nosuch.invalid", "a" * 70 + ".x", "..", "127.0.0.1:80"])
def test_an_address_must_be_one(address: str) -> None:
    assert f'f.conf:2: listen_addr "{address}" is no address' in inet_refusal(
        f"listen_tcp = 1\nlisten_addr = '{address}'"
    )


def test_backends_over_libvirts_own() -> None:
    found = endpoints.backend_sockets(settings("backend_sockets = [ 'qemu=/a', ' network = /b=c ' ]"), SYSTEM)
    assert (found["qemu"], found["network"]) == ("/a", "/b=c")
    assert found["storage"] == "/run/libvirt/virtstoraged-sock"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("qemu", 'must be "driver=/path/of/its/socket", not "qemu"'),
        ("qemu=relative", "must be"),
        ("qemu=", "must be"),
        ("=/x", 'names the driver ""; the drivers are qemu, lxc,'),
        ("QEMU=/x", 'names the driver "QEMU"'),
        ("test=/x", 'names the driver "test"'),
        ("qemu=/" + "x" * 107, "at most 107 bytes"),
    ],
)
def test_a_backend_must_be_one(entry: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        endpoints.backend_sockets(settings(f"\nbackend_sockets = [ '{entry}' ]"), SYSTEM)
    assert refused.value.message.startswith("f.conf:2: ")
    assert problem in refused.value.message


def test_the_directory_must_be_there(place: Path) -> None:
    endpoints.check_directory(settings(f"unix_sock_dir = '{place}'"), SYSTEM)
    with pytest.raises(ConfigError, match="does not exist: create it first"):
        endpoints.check_directory(settings(f"unix_sock_dir = '{place}/none'"), SYSTEM)
    (place / "file").touch()
    with pytest.raises(ConfigError, match="is not a directory"):
        endpoints.check_directory(settings(f"unix_sock_dir = '{place}/file'"), SYSTEM)
