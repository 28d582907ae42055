# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages: what they install beside Debian's libvirt and without it, and that a purge leaves nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.nspawn import Container

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]

UNITS = ("virtproxyd.service", *(f"virtproxyd{kind}.socket" for kind in ("", "-ro", "-admin", "-tcp", "-tls")))
# What of lintian's is not to be mended here: the project has no mail address, and no package in Debian.
EXPLAINED = "bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs"
# Files of ours, or of what a package's installation writes; not what a running system changes by itself.
ACTIONS = "systemctl restart polkit; pkaction | grep -c org.libvirt"
LISTING = "find / -xdev -path /proc -prune -o -path /tmp -prune -o -path /var/log/journal -prune -o -print | sort"


def written(container: Container) -> set[str]:
    """Every path of the container's disk, and of /run where libvirt's things are."""
    return set(container.sh(f"{LISTING}; find /run/libvirt 2>/dev/null || true").splitlines())


def test_lintian_finds_nothing(debs: dict[str, Path]) -> None:
    command = ["lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", EXPLAINED]
    done = subprocess.run([*command, *debs.values()], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_starts_by_itself_beside_libvirtd(beside: Container) -> None:
    assert [beside.state("is-enabled", unit) for unit in UNITS] == ["disabled"] * len(UNITS)
    assert [beside.state("is-active", unit) for unit in UNITS] == ["inactive"] * len(UNITS)
    assert beside.state("is-active", "libvirtd.socket") == "active"
    assert "Using API: QEMU 9.0.0" in beside.sh("virsh -c qemu:///system version", check=False)
    assert beside.sh("systemctl --failed --no-legend") == ""


def test_programs_run_with_debians_python(beside: Container) -> None:
    assert beside.sh("head -n 1 /usr/sbin/virtproxyd /usr/bin/virtproxy | grep '#!'") == "#!/usr/bin/python3\n" * 2
    assert "virtproxyd" in beside.sh("virtproxyd --version")
    assert "virtproxy" in beside.sh("virtproxy --version")
    assert "virtproxy's virtproxyd" in beside.sh("twistd3 --help")


def test_manual_pages_and_settings_are_there(beside: Container) -> None:
    listed = beside.sh("dpkg -L virtproxyd virtproxy-tools").split()
    assert {"/usr/share/man/man8/virtproxyd.8.gz", "/usr/share/man/man1/virtproxy-pki.1.gz"} <= set(listed)
    beside.sh("gzip -t /usr/share/man/man8/virtproxyd.8.gz /usr/share/man/man1/virtproxy*.1.gz")
    assert beside.sh("dpkg-query -W -f '${Conffiles}' virtproxyd | awk '{ print $1 }'").split() == [
        "/etc/default/virtproxyd",
        "/etc/libvirt/virtproxyd.conf",
    ]


def test_a_driver_of_ours_is_had_by_its_socket(beside: Container) -> None:
    sockets = " ".join(f"virtsecretd{kind}.socket" for kind in ("", "-ro", "-admin"))
    assert beside.state("is-enabled", "virtsecretd.socket") == "disabled"
    beside.sh(f"systemctl start {sockets}")
    assert beside.state("is-active", "virtsecretd.service") == "inactive"
    beside.sh("echo '<secret><usage type=\"volume\"><volume>/v</volume></usage></secret>' >/root/secret.xml")
    beside.sh("virsh -c secret:///system secret-define /root/secret.xml")
    assert "/v" in beside.sh("virsh -c secret:///system secret-list")
    assert beside.state("is-active", "virtsecretd.service") == "active"
    assert len(beside.sh("ls /etc/libvirt/secrets/*.xml").split()) == 1
    beside.sh(f"systemctl stop {sockets} virtsecretd.service")
    assert beside.sh("systemctl --failed --no-legend") == ""


def test_libvirtd_of_ours_is_had_by_its_socket(bare: Container, debs: dict[str, Path]) -> None:
    bare.install("libvirt-clients", *(debs[name] for name in ("python3-virtproxy", "virtproxy-libvirtd")))
    bare.sh("systemctl start libvirtd.socket libvirtd-admin.socket")
    inside = "virsh -c test+unix:///default?socket=/run/libvirt/libvirt-sock"
    assert (
        bare.sh(f"{inside} list --name; virsh -c secret:///system secret-list --name 2>&1 || true").split()[0] == "test"
    )
    assert "libvirtd" in bare.sh("virt-admin -c libvirtd:///system server-list")
    assert bare.sh("systemctl --failed --no-legend") == ""


def test_purge_leaves_nothing(bare: Container, debs: dict[str, Path]) -> None:
    bare.install("python3-twisted", "python3-openssl", "python3-service-identity", "python3-cryptography", "polkitd")
    before = written(bare)
    bare.install(*debs.values())
    bare.sh("systemctl enable virtproxyd.service virtproxyd-tls.socket && twistd3 --help >/dev/null")
    bare.sh("virtproxy demo --once --port 0 >/dev/null && virt-ssh-helper --version")
    bare.sh("mkdir -p /var/lib/libvirt/virtproxy /var/log/libvirt && touch /var/log/libvirt/virtproxyd.log")
    assert written(bare) - before
    bare.sh(f"apt-get purge -q -y {' '.join(debs)}")
    left = {
        path for path in written(bare) - before if not path.startswith(("/var/lib/dpkg", "/var/cache", "/var/log/"))
    }
    assert left <= {"/var/lib/systemd/deb-systemd-helper-enabled", "/var/lib/systemd/deb-systemd-helper-masked"}, left
    assert "virtproxy" not in bare.sh(
        "find / -xdev -name '*virtproxy*' -not -path '/tmp/*'; systemctl list-units --all"
    )


def test_debians_libvirt_takes_over_from_the_standalone_package(bare: Container, debs: dict[str, Path]) -> None:
    bare.install(*debs.values(), "polkitd")
    assert int(bare.sh(ACTIONS)) > 100
    bare.install("libvirt-daemon-system")
    assert bare.sh("dpkg -l virtproxy-standalone virtproxyd | awk '/virtproxy/ { print $1, $2 }'") == (
        "rc virtproxy-standalone\nii virtproxyd\n"
    )
    bare.sh("apt-get purge -q -y virtproxy-standalone")
    assert bare.sh("dpkg -S /usr/bin/virt-ssh-helper") == "libvirt-daemon: /usr/bin/virt-ssh-helper\n"
    assert bare.sh("ls /etc/sasl2/libvirt.conf") == "/etc/sasl2/libvirt.conf\n"
    assert int(bare.sh(ACTIONS)) > 100


def test_an_upgrade_starts_again_what_runs_and_keeps_the_sockets(bare: Container, debs: dict[str, Path]) -> None:
    bare.install("libvirt-clients", *(debs[name] for name in ("python3-virtproxy", "virtproxyd")))
    bare.sh("systemctl start virtproxyd.socket && echo 'log_level = 2' >>/etc/libvirt/virtproxyd.conf")
    client = "virsh -c test+unix:///default?socket=/run/libvirt/libvirt-sock list --name"
    assert bare.sh(client).strip() == "test"
    entered = "systemctl show -P ActiveEnterTimestampMonotonic virtproxyd.socket"
    asked = f"systemctl show -P MainPID virtproxyd.service; {entered}"
    daemon, socket = bare.sh(asked).split()
    bare.sh(f"""
        for name in python3-virtproxy virtproxyd; do
            dpkg-deb -R {debs["virtproxyd"].parent}/"$name"_*.deb "/tmp/$name" &&
            sed -i 's/0\\.1\\.0-1/0.1.0-2/' "/tmp/$name/DEBIAN/control" && dpkg-deb -b "/tmp/$name" "/tmp/$name.deb"
        done""")
    bare.install("/tmp/python3-virtproxy.deb", "/tmp/virtproxyd.deb")
    assert bare.sh("dpkg-query -W -f '${Version}' virtproxyd") == "0.1.0-2"
    later, same = bare.sh(asked).split()
    assert same == socket
    assert later not in {daemon, "0"}
    assert bare.sh(f"{client}; tail -n 1 /etc/libvirt/virtproxyd.conf").split() == ["test", "log_level", "=", "2"]
