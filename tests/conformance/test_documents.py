# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every way around a rule on disks that libvirt has, tried with virsh by an owner against C libvirtd.

Each is tried outside of what the owner is granted, where the proxy must refuse it, and inside, where it must work.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.labs import furnished
from tests.support.lab import INSIDE, Lab, fetched_tree

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

NOBODY = 65534
SHADOW = "/etc/shadow"
THEIRS = "33333333-2222-4333-8444-555555555501"
POLICY = """
[[grant]]
to = "user:root"
roles = ["admin"]

[[grant]]
to = "user:nobody"
roles = ["owner", "viewer", "converter"]

[roles.converter]
permissions = ["connect:write"]

[[documents]]
to = "user:nobody"
disks = ["/run/lab/images/**"]
readonly_disks = ["/run/lab/templates/**"]
volumes = ["shared/base*"]
save_files = ["/run/lab/images/**"]
dump_files = ["/run/lab/images/**"]
emulators = ["/usr/bin/qemu-system-*"]
pool_targets = ["/run/lab/images/**"]
listens = ["127.0.0.1:*"]
sockets = ["/run/libvirt/**"]
networks = ["default"]
"""
GUEST = """<domain type='qemu'{space}><name>{name}</name>{more}<memory unit='MiB'>16</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><on_crash>destroy</on_crash><devices>
<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk><memballoon model='none'/>
{devices}</devices></domain>"""


def guest(name: str, disk: object, kind: str = "qcow2", devices: str = "", more: str = "", space: str = "") -> str:
    return GUEST.format(name=name, disk=disk, kind=kind, devices=devices, more=more, space=space)


def disk(path: object, target: str = "vdb", kind: str = "raw") -> str:
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
    )


class Host:
    """A lab with libvirtd behind a proxy with the policy; `images` is what the owner is granted."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.images = INSIDE / "images"

    def as_owner(self, *arguments: object, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """virsh as the owner; `text` is put into the file FILE of the arguments."""
        user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        file = "" if text is None else str(self.lab.write("document.xml", text))
        words = [str(word).replace("FILE", file) for word in arguments]
        return self.lab.run(*user, "virsh", "-q", "-c", "qemu:///system", *words, check=False)

    def works(self, *arguments: object, text: str | None = None) -> str:
        done = self.as_owner(*arguments, text=text)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def refused(self, told: str, *arguments: object, text: str | None = None) -> None:
        """The proxy's policy refuses it, in these words."""
        done = self.as_owner(*arguments, text=text)
        assert done.returncode != 0, (arguments, done.stdout)
        assert "access denied: " in done.stderr, (arguments, done.stderr)
        assert told in done.stderr, (arguments, done.stderr)

    def as_root(self, *arguments: object, text: str | None = None) -> str:
        file = "" if text is None else str(self.lab.write("theirs.xml", text))
        words = [str(word).replace("FILE", file) for word in arguments]
        return self.lab.run("virsh", "-q", "-c", "qemu:///system", *words).stdout

    def image(self, name: str, *options: object) -> Path:
        """A qcow2 image that the owner may use."""
        path = self.lab.outside(self.images / name)
        command = ["qemu-img", "create", "-q", "-f", "qcow2", *map(str, options), str(path), "8M"]
        subprocess.run(command, check=True, timeout=30)
        return self.images / name


@pytest.fixture(scope="module", params=["9.0", "11.3"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    with furnished(None if request.param == "9.0" else fetched_tree()) as lab:
        policy = lab.write("policy.toml", POLICY)
        (lab.directory / "images").mkdir()
        (lab.directory / "images").chmod(0o777)
        (lab.directory / "policy.toml").chmod(0o644)
        settings = {"policy_file": f'"{policy}"', "policy_owners_file": '"/run/lab/owners.json"'}
        lab.proxied(unix_sock_rw_perms='"0777"', **settings)
        made = Host(lab)
        made.as_root("define", "FILE", text=guest("theirs", "/var/lib/theirs.img", more=f"<uuid>{THEIRS}</uuid>"))
        made.image("mine.qcow2")
        made.works("define", "FILE", text=guest("mine", made.images / "mine.qcow2"))
        yield made


NET = "http://libvirt.org/schemas/domain/qemu/1.0"


def test_definitions(host: Host) -> None:
    host.refused(f"disk source {SHADOW}", "define", "FILE", text=guest("a", SHADOW))
    dotted = host.images / "../../../etc/shadow"
    host.refused(f"disk source {SHADOW} (as {dotted})", "define", "FILE", text=guest("a", dotted))
    host.refused("disk source etc/shadow", "define", "FILE", text=guest("a", "etc/shadow"))
    host.lab.outside(host.images / "link").symlink_to(SHADOW)
    host.refused(
        f"disk source {SHADOW} (as {host.images}/link)", "define", "FILE", text=guest("a", host.images / "link")
    )
    host.refused(f"disk source {SHADOW}", "create", "FILE", text=guest("a", SHADOW))
    raw = (
        f"<qemu:commandline xmlns:qemu='{NET}'><qemu:arg value='-hda'/><qemu:arg value='{SHADOW}'/></qemu:commandline>"
    )
    host.refused("qemu:commandline", "define", "FILE", text=guest("a", host.images / "mine.qcow2", more=raw))
    remote = "<source protocol='nbd' name='x'><host name='evil' port='1'/></source>"
    nbd = f"<disk type='network'>{remote}<target dev='vdc'/></disk>"
    host.refused("network disk nbd:evil:1/x", "define", "FILE", text=guest("a", host.images / "m", devices=nbd))
    usb = "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source></hostdev>"
    host.refused("host device usb:0001:0002", "define", "FILE", text=guest("a", host.images / "m", devices=usb))
    bridge = "<interface type='bridge'><source bridge='br0'/></interface>"
    host.refused("bridge br0", "define", "FILE", text=guest("a", host.images / "m", devices=bridge))
    console = f"<serial type='file'><source path='{SHADOW}'/></serial>"
    host.refused(f"file of the host {SHADOW}", "define", "FILE", text=guest("a", host.images / "m", devices=console))
    emulator = "<emulator>/bin/sh</emulator>"
    host.refused("program /bin/sh", "define", "FILE", text=guest("a", host.images / "m", devices=emulator))
    label = "<seclabel type='none'/>"
    host.refused("seclabel:none", "define", "FILE", text=guest("a", host.images / "m", more=label))
    # What libvirt itself makes of a definition can be defined again.
    host.works("define", "FILE", text=host.works("dumpxml", "mine"))


def test_definition_of_somebody_elses_guest(host: Host) -> None:
    text = guest("mine2", host.images / "mine.qcow2", more=f"<uuid>{THEIRS}</uuid>")
    host.refused("domain", "define", "FILE", text=text)
    assert "theirs" in host.as_root("list", "--all", "--name")
    assert "/var/lib/theirs.img" in host.as_root("dumpxml", "theirs")
    host.refused("domain", "define", "FILE", text=guest("theirs", host.images / "mine.qcow2"))


def test_devices(host: Host) -> None:
    host.image("second.qcow2")
    host.refused(f"disk source {SHADOW}", "attach-device", "mine", "FILE", "--config", text=disk(SHADOW))
    host.refused(f"disk source {SHADOW}", "attach-disk", "mine", SHADOW, "vdb", "--config", "--targetbus", "virtio")
    host.works("attach-device", "mine", "FILE", "--config", text=disk(host.images / "second.qcow2", kind="qcow2"))
    host.refused(f"disk source {SHADOW}", "update-device", "mine", "FILE", "--config", text=disk(SHADOW))
    host.works("update-device", "mine", "FILE", "--config", text=disk(host.images / "mine2.qcow2"))
    host.refused(f"disk source {SHADOW}", "change-media", "mine", "hdc", SHADOW, "--config")
    host.works("change-media", "mine", "hdc", host.images / "cd.iso", "--config")
    host.works("change-media", "mine", "hdc", "--eject", "--config")
    host.works("detach-disk", "mine", "vdb", "--config")
    host.refused("network other", "attach-interface", "mine", "network", "other", "--config")
    host.works("attach-interface", "mine", "network", "default", "--config", "--mac", "52:54:00:00:00:09")
    host.works("detach-interface", "mine", "network", "--config", "--mac", "52:54:00:00:00:09")


def test_a_running_guest(host: Host) -> None:
    host.image("run.qcow2")
    host.works("define", "FILE", text=guest("run", host.images / "run.qcow2"))
    host.works("start", "run")
    host.refused(f"disk source {SHADOW}", "blockcopy", "run", "vda", SHADOW, "--transient-job")
    host.works("blockcopy", "run", "vda", host.images / "copy.qcow2", "--transient-job", "--wait", "--finish")
    specification = f"vda,snapshot=external,file={SHADOW}.s"
    host.refused(
        f"disk source {SHADOW}.s", "snapshot-create-as", "run", "s", "--disk-only", "--diskspec", specification
    )
    inside = f"vda,snapshot=external,file={host.images}/snap.qcow2"
    host.works("snapshot-create-as", "run", "s", "--disk-only", "--no-metadata", "--diskspec", inside)
    host.refused("dump file /etc/dump", "dump", "run", "/etc/dump", "--memory-only")
    host.works("dump", "run", host.images / "core", "--memory-only")
    host.refused("qemu:monitor-command", "qemu-monitor-command", "run", "--hmp", "info block")
    bad = host.works("dumpxml", "run").replace(f"{host.images}/snap.qcow2", SHADOW)
    host.refused(f"disk source {SHADOW}", "migrate", "run", "qemu:///system", "--xml", "FILE", text=bad)
    host.refused("destination qemu+tcp://evil", "migrate", "run", "qemu+tcp://evil/system", "--p2p")
    host.refused("save file /etc/save", "save", "run", "/etc/save")
    host.refused(f"disk source {SHADOW}", "save", "run", host.images / "save", "--xml", "FILE", text=bad)
    host.works("save", "run", host.images / "save")
    good = host.works("save-image-dumpxml", host.images / "save")
    host.refused(f"the guest saved in '{SHADOW}'", "save-image-dumpxml", SHADOW)
    bad = good.replace(f"{host.images}/snap.qcow2", SHADOW)
    host.refused(f"disk source {SHADOW}", "save-image-define", host.images / "save", "FILE", text=bad)
    host.works("save-image-define", host.images / "save", "FILE", text=good)
    host.refused(f"disk source {SHADOW}", "restore", host.images / "save", "--xml", "FILE", text=bad)
    host.works("restore", host.images / "save")
    host.works("managedsave", "run")
    host.refused(f"disk source {SHADOW}", "managedsave-define", "run", "FILE", text=bad)
    host.works("managedsave-define", "run", "FILE", text=good)
    host.works("managedsave-remove", "run")


def test_templates_are_read_and_not_written(host: Host) -> None:
    (host.lab.directory / "templates").mkdir()
    template = host.lab.outside(INSIDE / "templates/t.qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(template), "8M"], check=True, timeout=30)
    before = template.read_bytes()
    overlay = host.image("overlay.qcow2", "-u", "-b", "/run/lab/templates/t.qcow2", "-F", "qcow2")
    told = "disk source /run/lab/templates/t.qcow2"
    host.refused(told, "define", "FILE", text=guest("direct", "/run/lab/templates/t.qcow2"))
    host.works("define", "FILE", text=guest("over", overlay))
    host.works("start", "over")
    host.refused(told, "blockcopy", "over", "vda", "/run/lab/templates/t.qcow2", "--transient-job", "--reuse-external")
    host.refused(told, "blockcommit", "over", "vda", "--active", "--pivot", "--wait")
    inside = f"vda,snapshot=external,file={host.images}/over-snap.qcow2"
    host.works("snapshot-create-as", "over", "s", "--disk-only", "--no-metadata", "--diskspec", inside)
    host.refused(told, "blockcommit", "over", "vda", "--active", "--pivot", "--wait")
    host.works("blockcommit", "over", "vda", "--active", "--pivot", "--wait", "--shallow")
    host.works("destroy", "over")
    assert template.read_bytes() == before


def test_native_configurations(host: Host) -> None:
    host.refused("from-native:qemu-argv", "domxml-from-native", "qemu-argv", "FILE", text=f"qemu -hda {SHADOW}")


POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
VOLUME = (
    "<volume><name>{name}</name><capacity unit='M'>8</capacity><target><format type='qcow2'/></target>{more}</volume>"
)


def test_pools_and_volumes(host: Host) -> None:
    host.refused("target of a pool /etc", "pool-define", "FILE", text=POOL.format(name="p", path="/etc"))
    host.lab.outside(host.images / "etc").symlink_to("/etc")
    linked = POOL.format(name="p", path=host.images / "etc")
    host.refused(f"target of a pool /etc (as {host.images}/etc)", "pool-create", "FILE", text=linked)
    (host.lab.directory / "images/pool").mkdir()
    host.works("pool-define", "FILE", text=POOL.format(name="own", path=host.images / "pool"))
    host.works("pool-start", "own")
    backed = VOLUME.format(name="v", more=f"<backingStore><path>{SHADOW}</path><format type='raw'/></backingStore>")
    host.refused(f"disk source {SHADOW}", "vol-create", "own", "FILE", text=backed)
    host.works("vol-create", "own", "FILE", text=VOLUME.format(name="v", more=""))
    # Its owner may use it in a guest by name and by path, and clone it.
    source = "<source pool='own' volume='v'/><target dev='vdd'/>"
    by_name = f"<disk type='volume'><driver name='qemu' type='qcow2'/>{source}</disk>"
    host.works("attach-device", "mine", "FILE", "--config", text=by_name)
    host.works("detach-disk", "mine", "vdd", "--config")
    host.works("vol-clone", "--pool", "own", "v", "v2")
    # A volume of somebody else is neither to be cloned nor to be used.
    (host.lab.directory / "shared").mkdir()
    host.as_root("pool-create", "FILE", text=POOL.format(name="shared", path="/run/lab/shared"))
    for name in ("base", "secret"):
        host.as_root("vol-create", "shared", "FILE", text=VOLUME.format(name=name, more=""))
    clone = VOLUME.format(name="c", more="")
    host.refused("storage_vol", "vol-create-from", "own", "FILE", "secret", "--inputpool", "shared", text=clone)
    host.refused("volume shared/secret", "attach-device", "mine", "FILE", "--config",
                 text=by_name.replace("own", "shared").replace("'v'", "'secret'"))  # fmt: skip
    shared = by_name.replace("own", "shared").replace("'v'", "'base'")
    host.works("attach-device", "mine", "FILE", "--config", text=shared)
    host.works("detach-disk", "mine", "vdd", "--config")
    # A volume that is a link, in a pool whose volumes are granted.
    (host.lab.directory / "shared/base-link").symlink_to(SHADOW)
    host.as_root("pool-refresh", "shared")
    text = shared.replace("'base'", "'base-link'").replace("qcow2", "raw")
    host.refused(f"disk source {SHADOW}", "attach-device", "mine", "FILE", "--config", text=text)


def test_a_volume_that_is_a_link(host: Host) -> None:
    (host.lab.directory / "images/linked").mkdir()
    host.works("pool-create", "FILE", text=POOL.format(name="linked", path=host.images / "linked"))
    host.works("vol-create", "linked", "FILE", text=VOLUME.format(name="v", more=""))
    victim = host.lab.directory / "victim"
    victim.write_text("untouched")
    (host.lab.directory / "images/linked/v").unlink()
    (host.lab.directory / "images/linked/v").symlink_to("/run/lab/victim")
    source = host.lab.write("source", "overwritten")
    told = "disk source /run/lab/victim"
    host.refused(told, "vol-upload", "--pool", "linked", "v", source)
    host.refused(told, "vol-download", "--pool", "linked", "v", "/dev/null")
    host.refused(told, "vol-wipe", "--pool", "linked", "v")
    host.refused(told, "vol-clone", "--pool", "linked", "v", "w")
    assert victim.read_text() == "untouched"


def test_a_network_of_ones_own(host: Host) -> None:
    network = "<network><name>{}</name><bridge name='{}'/></network>"
    host.refused("bridge eth0", "net-define", "FILE", text=network.format("isolated", "eth0"))
    address = "<ip address='192.0.2.1' netmask='255.255.255.0'/>"
    routed = f"<network><name>isolated</name><forward mode='nat'/>{address}</network>"
    host.refused("ip:192.0.2.1/255.255.255.0", "net-define", "FILE", text=routed)
    host.works("net-define", "FILE", text="<network><name>isolated</name></network>")
    host.works("attach-interface", "mine", "network", "isolated", "--config", "--mac", "52:54:00:00:00:0a")
    host.works("detach-interface", "mine", "network", "--config", "--mac", "52:54:00:00:00:0a")


def test_a_header_that_is_written_after_the_definition(host: Host) -> None:
    (host.lab.directory / "images/late").mkdir()
    host.works("pool-create", "FILE", text=POOL.format(name="late", path=host.images / "late"))
    host.works("vol-create", "late", "FILE", text=VOLUME.format(name="v", more=""))
    host.works("define", "FILE", text=guest("late", host.images / "late/v"))
    host.works("start", "late")
    host.works("destroy", "late")
    evil = host.image("evil", "-u", "-b", SHADOW, "-F", "raw")
    shutil.chown(host.lab.outside(evil), NOBODY, NOBODY)
    host.works("vol-upload", "--pool", "late", "v", evil)
    told = f"disk source {SHADOW} at the header of {host.images}/late/v is not granted (documents.readonly_disks)"
    host.refused(told, "start", "late")
    host.refused(told, "autostart", "late")
    host.refused(told, "define", "FILE", text=guest("late2", host.images / "late/v"))
