# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units as ``virtproxy install`` lays them down, under a real systemd: activation, idle exit, overrides, reload,
and that the sandbox leaves virtproxyd what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nspawn import Container, booted

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "python3-twisted python3-openssl python3-service-identity python3-cryptography python3-cffi python3-lxml "
    "python3-jeepney polkitd libsasl2-modules libsasl2-modules-db libvirt-clients"
)
# The tree as it is stands in for an installed package.
PROGRAM = f"""#!/bin/sh
export PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1
exec python3 -m {{module}} {{words}} "$@"
"""
URI = "test+unix:///default?socket=/run/libvirt/libvirt-sock"


@pytest.fixture(scope="module")
def host() -> Iterator[Container]:
    """A host with virtproxyd, its sockets enabled."""
    with booted(ROOT) as container:
        container.sh(f"apt-get install -y --no-install-recommends --no-download {PACKAGES}", seconds=300)
        for name, module, words in (
            ("virtproxyd", "virtproxy.cli.daemons", "virtproxyd"),
            ("virtproxy", "virtproxy.cli.main", ""),
        ):
            container.write(f"/usr/sbin/{name}", PROGRAM.format(module=module, words=words))
            container.run("chmod", "755", f"/usr/sbin/{name}")
        container.run("virtproxy", "install")
        container.sh("systemctl daemon-reload && systemctl enable --now virtproxyd{,-ro,-admin}.socket")
        yield container


def journal(host: Container) -> str:
    return host.sh("journalctl -b -o cat -u virtproxyd.service")


def main_pid(host: Container) -> str:
    return host.sh("systemctl show -P MainPID virtproxyd.service").strip()


def configured(host: Container, text: str, options: str = "--timeout 120") -> None:
    """Start anew, at the next client, with these settings."""
    host.write("/etc/default/virtproxyd", f'VIRTPROXYD_ARGS="{options}"\n')
    host.write("/etc/libvirt/virtproxyd.conf", text)
    host.run("systemctl", "stop", "virtproxyd.service")
    host.sh("systemctl reset-failed virtproxyd.service; systemctl start virtproxyd.socket virtproxyd-ro.socket")


def virsh(host: Container, *words: str, uri: str = URI) -> str:
    return host.run("virsh", "-c", uri, *words).stdout


def test_the_first_connection_starts_it_and_it_ends_when_idle(host: Container) -> None:
    configured(host, "", "--verbose --timeout 2")
    assert host.state("is-active", "virtproxyd.service") == "inactive"
    assert virsh(host, "list", "--name").split() == ["test"]
    assert host.state("is-active", "virtproxyd.service") == "active"
    first = main_pid(host)
    host.wait(lambda: host.state("is-active", "virtproxyd.service") == "inactive", "the idle exit")
    assert host.state("is-active", "virtproxyd.socket") == "active"
    assert virsh(host, "list", "--name").split() == ["test"]
    assert main_pid(host) not in {first, "0"}


def test_an_administrator_starts_it_too(host: Container) -> None:
    configured(host, "")
    assert host.state("is-active", "virtproxyd.service") == "inactive"
    servers = host.run("virt-admin", "-c", "libvirtd:///system", "srv-list").stdout
    assert servers.split()[-4:] == ["0", "virtproxyd", "1", "admin"]
    assert host.state("is-active", "virtproxyd.service") == "active"


def test_its_sockets_are_for_whom_the_units_say(host: Container) -> None:
    modes = host.sh("cd /run/libvirt && stat -c '%n %a %U' libvirt-sock libvirt-sock-ro libvirt-admin-sock")
    assert modes.splitlines() == ["libvirt-sock 600 root", "libvirt-sock-ro 666 root", "libvirt-admin-sock 600 root"]
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups virsh -c '{}' destroy test"
    assert "Permission denied" in host.sh(nobody.format(URI), check=False)
    readonly = nobody.format(URI + "-ro")
    assert "read only access prevents" in host.sh(readonly, check=False)


def test_settings_that_the_units_override_are_in_the_journal(host: Container) -> None:
    configured(host, 'unix_sock_group = "adm"\nlisten_tcp = 1\n')
    virsh(host, "uri")
    said = journal(host)
    assert "virtproxyd.conf:1: unix_sock_group has no effect where systemd listens" in said
    assert "virtproxyd.conf:2: listen_tcp has no effect where systemd listens" in said


def test_a_network_socket_is_enabled_on_its_own(host: Container) -> None:
    configured(host, 'auth_tcp = "none"\n')
    host.run("systemctl", "enable", "--now", "virtproxyd-tcp.socket")
    assert virsh(host, "list", "--name", uri="test+tcp://127.0.0.1/default").split() == ["test"]
    assert virsh(host, "list", "--name", uri="test+tcp://[::1]/default").split() == ["test"]
    host.run("systemctl", "disable", "--now", "virtproxyd-tcp.socket")


def test_tls_from_the_socket_that_systemd_has(host: Container) -> None:
    host.sh(
        "cd /root && virtproxy pki init && virtproxy pki server --host 127.0.0.1 && virtproxy pki client --name root &&"
        "virtproxy pki install server && virtproxy pki install client"
    )
    configured(host, "")
    host.run("systemctl", "start", "virtproxyd-tls.socket")
    assert virsh(host, "list", "--name", uri="test+tls://127.0.0.1/default").split() == ["test"]
    host.run("systemctl", "stop", "virtproxyd-tls.socket")


def test_a_user_whom_polkit_lets_in(host: Container) -> None:
    """As docs/administration.md tells it: a drop-in opens the socket, and polkit says who comes in."""
    drop_in = "/run/systemd/system/virtproxyd.socket.d/open.conf"
    host.write(drop_in, "[Socket]\nSocketMode=0666\n")
    rule = 'polkit.addRule(function(action, subject) { if (subject.user == "joe") return polkit.Result.YES; });\n'
    host.write("/etc/polkit-1/rules.d/10-joe.rules", rule)
    host.sh("useradd joe; useradd dave; systemctl daemon-reload; systemctl stop virtproxyd.socket virtproxyd.service")
    configured(host, 'auth_unix_rw = "polkit"\n')
    seen = f"setpriv --reuid {{}} --regid {{}} --clear-groups virsh -c '{URI}' list --name"
    assert host.sh(seen.format("joe", "joe")).split() == ["test"]
    assert "authentication" in host.sh(seen.format("dave", "dave"), check=False)
    assert "everybody on this host" not in journal(host)
    configured(host, "")
    virsh(host, "uri")
    assert "everybody on this host can do everything through /run/libvirt/libvirt-sock" in journal(host)
    host.sh(f"rm {drop_in}; systemctl daemon-reload; systemctl stop virtproxyd.socket virtproxyd.service")


def test_a_reload_and_its_status(host: Container) -> None:
    configured(host, "")
    virsh(host, "uri")
    before = main_pid(host)
    host.run("systemctl", "reload", "virtproxyd.service")
    shown = "systemctl show -p ActiveState -p StatusText virtproxyd.service | sort"
    host.wait(lambda: host.sh(shown) == "ActiveState=active\nStatusText=0 clients\n", "the end of the reload")
    assert main_pid(host) == before


def test_one_that_hangs_is_started_anew(host: Container) -> None:
    host.write("/run/systemd/system/virtproxyd.service.d/quick.conf", "[Service]\nWatchdogSec=2\n")
    host.run("systemctl", "daemon-reload")
    configured(host, "")
    virsh(host, "uri")
    before = main_pid(host)
    host.sh(f"sleep 4; systemctl is-active virtproxyd.service; kill -STOP {before}")
    assert main_pid(host) == before
    host.wait(lambda: main_pid(host) not in {before, "0"}, "another process", 30)
    assert "Watchdog timeout" in host.sh("journalctl -b -o cat -u virtproxyd.service")
    host.sh("rm -r /run/systemd/system/virtproxyd.service.d && systemctl daemon-reload")


def test_the_sandbox_leaves_it_what_it_needs(host: Container) -> None:
    """An audit log for a group, a policy, a log file and SASL."""
    host.run("groupadd", "-f", "watch")
    host.write("/etc/libvirt/policy.toml", '[[grant]]\nto = "uid:0"\nroles = "admin"\n')
    configured(
        host,
        'audit_file = "/var/log/libvirt/audit.jsonl"\naudit_group = "watch"\naudit_record = "all"\n'
        'policy_file = "/etc/libvirt/policy.toml"\nlog_outputs = "1:file:/var/log/libvirt/virtproxyd.log"\n'
        'auth_unix_ro = "sasl"\nlog_level = 1\n',
    )
    host.sh("mkdir -p /var/log/libvirt")
    assert virsh(host, "list", "--name").split() == ["test"]
    assert host.sh("stat -c '%a %G' /var/log/libvirt/audit.jsonl").strip() == "640 watch"
    said = host.sh("cat /var/log/libvirt/virtproxyd.log")
    assert "is ready" in said
    assert not re.search("not permitted|Traceback|Permission denied|Read-only", said + journal(host))
    status = host.sh(f"cat /proc/{main_pid(host)}/status")
    # CAP_CHOWN, CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE.
    assert re.search(r"CapEff:\t0*405\n", status)
    assert "Seccomp:\t2\n" in status
    assert "NoNewPrivs:\t1\n" in status


def test_a_mistake_in_the_configuration_is_in_the_journal(host: Container) -> None:
    configured(host, "max_clients = -1\n")
    assert host.run("systemctl", "start", "virtproxyd.service", check=False).returncode == 1
    host.wait(lambda: "virtproxyd.conf:1: max_clients must be" in journal(host), "the mistake's line")
    host.run("systemctl", "stop", "virtproxyd.service")


def test_it_is_removed_again(host: Container) -> None:
    host.sh(
        "systemctl disable --now virtproxyd{,-ro,-admin}.socket virtproxyd.service; rm /etc/libvirt/virtproxyd.conf"
    )
    host.sh("virtproxy install --remove && systemctl daemon-reload")
    assert host.run("systemctl", "list-unit-files", "virtproxyd*", "--no-legend", check=False).stdout == ""
    assert host.sh("ls /run/libvirt | grep sock || true") == ""
