# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's documented commands, to the letter, on a host where systemd runs: from libvirtd to virtproxyd.

The commands are those by which libvirt's pages turn a host from the monolithic daemon to the modular ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.nspawn import Container

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]

AWAY = """
systemctl stop libvirtd.service && systemctl stop libvirtd{,-ro,-admin,-tcp,-tls}.socket &&
systemctl disable libvirtd.service && systemctl disable libvirtd{,-ro,-admin,-tcp,-tls}.socket &&
systemctl mask libvirtd.service && systemctl mask libvirtd{,-ro,-admin,-tcp,-tls}.socket
"""
HERE = """
systemctl unmask virtproxyd.service && systemctl unmask virtproxyd{,-ro,-admin}.socket &&
systemctl enable virtproxyd.service && systemctl enable virtproxyd{,-ro,-admin}.socket &&
systemctl unmask virtproxyd-tls.socket && systemctl enable virtproxyd-tls.socket &&
systemctl unmask virtproxyd-tcp.socket && systemctl enable virtproxyd-tcp.socket &&
systemctl start virtproxyd{,-ro,-admin,-tls,-tcp}.socket
"""
CERTIFICATES = """
cd /root && virtproxy pki init && virtproxy pki server --host localhost && virtproxy pki install server &&
virtproxy pki client --name alice --out alice
"""
KINDS = ("", "-ro", "-admin", "-tls", "-tcp")
SOCKETS = [f"virtproxyd{kind}.socket" for kind in KINDS]
OLD = ["libvirtd.service", *(f"libvirtd{kind}.socket" for kind in KINDS)]
SERVICE = "virtproxyd.service"
LOCAL, READ_ONLY = "test+unix:///default", "test+unix:///default?socket=/run/libvirt/libvirt-sock-ro"
TCP, TLS = "test+tcp://localhost/default", "test+tls://localhost/default?pkipath=/root/alice"
# What each of these settings is told of, where systemd listens.
OVERRIDDEN = {
    "unix_sock_dir": '"/run/elsewhere"',
    "unix_sock_group": '"root"',
    "unix_sock_rw_perms": '"0777"',
    "unix_sock_ro_perms": '"0700"',
    "unix_sock_admin_perms": '"0777"',
    "listen_tls": "1",
    "listen_tcp": "1",
    "listen_addr": '"192.0.2.1"',
    "tls_port": '"1"',
    "tcp_port": '"2"',
    "max_queued_clients": "3",
}


@pytest.fixture(scope="module")
def moved(beside: Container) -> Container:
    """The host after the documented commands; who comes over TCP is asked for nothing, the rest is as packaged."""
    beside.sh(CERTIFICATES)
    beside.sh("""sed -i 's/^#auth_tcp = .*/auth_tcp = "none"/' /etc/libvirt/virtproxyd.conf""")
    beside.sh(AWAY)
    beside.sh(HERE)
    return beside


@pytest.fixture
def settings(moved: Container) -> Iterator[Container]:
    """The same, for a test that changes the configuration: it is put back."""
    moved.sh("cp -a /etc/libvirt/virtproxyd.conf /etc/default/virtproxyd /root/")
    yield moved
    moved.sh("cp -a /root/virtproxyd.conf /etc/libvirt/; cp -a /root/virtproxyd /etc/default/")
    stop(moved, f"systemctl start {' '.join(SOCKETS)}")


def stop(host: Container, then: str = "true") -> None:
    """Stop the service, without systemd's counting how often that was, and run a command."""
    host.sh(f"systemctl stop {SERVICE}; systemctl reset-failed {SERVICE} 2>/dev/null; {then}")


def guests(host: Container, uri: str) -> str:
    """The names of the guests that virsh finds there."""
    return host.sh(f"virsh -c '{uri}' list --name --all").strip()


def log(host: Container) -> str:
    """What the service has said since it was started last."""
    return host.sh(f'journalctl --no-pager "_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {SERVICE})"')


def test_what_is_active_and_enabled(moved: Container) -> None:
    assert [moved.state("is-enabled", unit) for unit in (SERVICE, *SOCKETS)] == ["enabled"] * 6
    assert [moved.state("is-active", unit) for unit in SOCKETS] == ["active"] * 5
    assert [moved.state("is-enabled", unit) for unit in OLD] == ["masked"] * 6
    assert [moved.state("is-active", unit) for unit in OLD] == ["inactive"] * 6


@pytest.mark.parametrize("uri", [LOCAL, READ_ONLY, TCP, TLS])
def test_the_first_connection_starts_the_service(moved: Container, uri: str) -> None:
    stop(moved)
    assert moved.state("is-active", SERVICE) == "inactive"
    assert guests(moved, uri) == "test"
    assert moved.state("is-active", SERVICE) == "active"


def test_it_ends_when_idle_and_starts_again(settings: Container) -> None:
    settings.write("/etc/default/virtproxyd", 'VIRTPROXYD_ARGS="--timeout 2"\n')
    stop(settings)
    for _ in range(2):
        assert guests(settings, LOCAL) == "test"
        first = settings.sh(f"systemctl show -P InvocationID {SERVICE}")
        settings.wait(lambda: settings.state("is-active", SERVICE) == "inactive", "the end of an idle daemon")
        assert settings.sh(f"systemctl show -P Result {SERVICE}") == "success\n"
        assert settings.state("is-active", *SOCKETS) == "\n".join(["active"] * 5)
        assert guests(settings, LOCAL) == "test"
        assert settings.sh(f"systemctl show -P InvocationID {SERVICE}") != first


def test_every_setting_that_activation_overrides_is_named(settings: Container) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in OVERRIDDEN.items())
    settings.sh(f"cat >>/etc/libvirt/virtproxyd.conf <<'END'\n{lines}END")
    stop(settings, f"systemctl start {SERVICE}")
    assert set(re.findall(r"(\w+) has no effect where systemd listens", log(settings))) == set(OVERRIDDEN)
    assert guests(settings, LOCAL) == guests(settings, TLS) == "test"
    assert settings.sh("stat -c %a /run/libvirt/libvirt-sock /run/libvirt/libvirt-sock-ro").split() == ["600", "666"]


def test_listen_is_refused(settings: Container) -> None:
    settings.write("/etc/default/virtproxyd", 'VIRTPROXYD_ARGS="--listen"\n')
    stop(settings, f"systemctl start {SERVICE} || true")
    assert "--listen" in settings.sh(f"journalctl --no-pager -u {SERVICE} | tail -n 30")


def test_a_reload_keeps_clients(moved: Container) -> None:
    script = (
        f"(sleep 1; systemctl reload {SERVICE}; sleep 1) & virsh -c '{LOCAL}' 'event --all --timeout 3; list --name'"
    )
    assert "test" in moved.sh(script).split()
    assert moved.state("is-active", SERVICE) == "active"


def test_a_crash_is_followed_by_a_start(moved: Container) -> None:
    assert guests(moved, LOCAL) == "test"
    moved.sh(f"systemctl kill --signal KILL {SERVICE}")
    assert guests(moved, LOCAL) == "test"


def test_a_boot_brings_the_same_state(moved: Container) -> None:
    moved.reboot()
    test_what_is_active_and_enabled(moved)
    assert moved.state("is-system-running") == "running"
    assert guests(moved, LOCAL) == "test"


def test_units_are_sound_and_shut_in(moved: Container) -> None:
    verified = moved.sh(f"systemd-analyze verify --man=no {SERVICE} {' '.join(SOCKETS)}")
    assert verified == ""
    security = moved.sh(f"systemd-analyze --no-pager security {SERVICE} | tail -n 1")
    found = re.search(r"exposure level for virtproxyd.service: ([0-9.]+)", security)
    assert found is not None and float(found[1]) <= 3.5, security


def test_stopping_the_sockets_takes_their_files_away(moved: Container) -> None:
    moved.sh(f"systemctl stop virtproxyd.socket && systemctl stop {SERVICE}")
    assert [moved.state("is-active", unit) for unit in (SERVICE, *SOCKETS)] == ["inactive"] * 6
    assert "libvirt-" not in moved.sh("ls /run/libvirt")
    moved.sh(f"systemctl start {' '.join(SOCKETS)}")
    assert guests(moved, LOCAL) == "test"
