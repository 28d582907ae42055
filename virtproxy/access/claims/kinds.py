# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of claims: everything of the host that a document or a call can name.

The reader of documents makes claims of these kinds, a policy grants them by the key of its `documents` section that
the kind names. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of claim: the policy's `key` that grants it, and how a refusal calls it.

    `path`: values are absolute paths, in which a pattern's `*` stops at a slash. Otherwise they are plain words, in
    the form that `example` shows. `also`: other keys that grant it.
    """

    name: str
    key: str
    phrase: str
    example: str
    path: bool = False
    also: tuple[str, ...] = ()


_ALL = (
    # Where a guest's data lies.
    Kind("file", "disks", "disk source", "/var/lib/libvirt/images/a.qcow2", path=True),
    Kind("readonly_file", "readonly_disks", "disk source", "/srv/templates/a.qcow2, /srv/isos/a.iso", True, ("disks",)),
    Kind("block", "disks", "disk device", "/dev/vg0/a", path=True),
    Kind("directory", "disks", "disk directory", "/srv/floppy", path=True),
    Kind("volume", "volumes", "volume", "default/a.qcow2"),
    Kind("network_disk", "network_disks", "network disk", "rbd:pool/a, nbd:host:10809/export, https:host:443/a.iso"),
    Kind("shared_directory", "filesystems", "shared directory", "/srv/share", path=True),
    Kind("template", "filesystems", "filesystem template", "template:centos"),
    Kind("memory_file", "memory_files", "memory file", "/var/lib/nvdimm/a", path=True),
    Kind("shared_memory", "shared_memory", "shared memory", "name"),
    # Files of the host that QEMU or libvirt reads, writes or runs.
    Kind("boot_file", "boot_files", "boot file", "/usr/share/OVMF/OVMF_CODE.fd", path=True),
    Kind("emulator", "emulators", "program", "/usr/bin/qemu-system-x86_64", path=True),
    Kind("script", "scripts", "script", "/etc/qemu-ifup", path=True),
    Kind("host_file", "host_files", "file of the host", "/var/log/guest/console.log", path=True),
    Kind("save_file", "save_files", "save file", "/var/lib/libvirt/save/a", path=True),
    Kind("dump_file", "dump_files", "dump file", "/var/crash/a", path=True),
    # Devices.
    Kind(
        "host_device",
        "host_devices",
        "host device",
        "pci:0000:01:00.0, usb:1234:5678, usb:bus:1.2, scsi:host0:0:0:0, mdev:UUID, char:/dev/ttyS0, net:eth1",
    ),
    Kind("nodedev_parent", "node_device_parents", "parent of a node device", "pci_0000_01_00_0"),
    # Networks.
    Kind("network", "networks", "network", "default"),
    Kind("bridge", "bridges", "bridge", "br0"),
    Kind("host_interface", "host_interfaces", "network interface of the host", "eth1, tap:NAME, ip:192.0.2.1/24, user"),
    Kind("vlan", "vlans", "VLAN or port profile", "42, trunk:yes, portgroup:NAME, profile:NAME"),
    Kind("unix_socket", "sockets", "UNIX socket", "/run/vhost/a.sock", path=True),
    Kind("listen", "listens", "address to listen on", "127.0.0.1:5900, 0.0.0.0:*, default:5901"),
    Kind("connect", "connects", "address to connect to", "192.0.2.1:4444"),
    # Ways out of what libvirt keeps a guest in.
    Kind("native", "native", "hypervisor's own interface", "qemu:commandline, qemu:monitor-command, lxc:namespace"),
    Kind("isolation", "isolation", "weaker isolation", "seclabel:none, seclabel:static, rawio:yes, partition:/machine"),
    Kind("secret", "secrets", "secret", "UUID or usage:ceph:NAME"),
    # Storage pools, and where else a call may send a guest.
    Kind("pool_target", "pool_targets", "target of a pool", "/srv/images", path=True),
    Kind("pool_source", "pool_sources", "source of a pool", "host:nas.example, device:/dev/sdb, dir:/export, name:vg0"),
    Kind("migration_uri", "migration_uris", "destination", "tcp://192.0.2.7:49152, qemu+tls://other/system"),
    # What this version does not know.
    Kind("unknown", "unknown", "element or attribute that is not known", "domain/devices/disk/source/@teleport"),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
# The keys of a policy's `documents` section, each granting one or more kinds.
KEYS = tuple(dict.fromkeys(kind.key for kind in _ALL))
