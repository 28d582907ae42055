# SPDX-License-Identifier: LGPL-2.1-or-later
"""The order in which libvirt writes a domain's elements, and the words it knows for types.

Read by `document`; an element that is not here comes last.
"""

from __future__ import annotations

from typing import NamedTuple

TYPES = frozenset({
    "none", "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp",
    "parallels", "bhyve", "vz", "hvf",
})  # fmt: skip
OS_TYPES = frozenset({"hvm", "xen", "linux", "exe", "uml", "xenpvh"})
ELEMENTS = (
    "name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory",
    "blkiotune", "memtune", "memoryBacking", "vcpu", "vcpus", "iothreads", "iothreadids", "cputune", "numatune",
    "resource", "sysinfo", "bootloader", "bootloader_args", "os", "idmap", "features", "cpu", "clock",
    "on_poweroff", "on_reboot", "on_crash", "on_lockfailure", "pm", "perf", "devices", "seclabel", "keywrap",
    "launchSecurity",
)  # fmt: skip
DEVICES = (
    "emulator", "disk", "controller", "lease", "filesystem", "interface", "smartcard", "serial", "parallel",
    "console", "channel", "input", "tpm", "graphics", "sound", "audio", "video", "hostdev", "redirdev",
    "redirfilter", "hub", "watchdog", "memballoon", "rng", "shmem", "memory", "panic", "iommu", "vsock",
)  # fmt: skip


class Host(NamedTuple):
    """What a driver fills in where a document says nothing: the architecture, and names of interfaces."""

    arch: str | None = None
    interfaces: str | None = None


# The pretended host of the test driver.
TEST_HOST = Host("i686", "testnet")
