# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far systemd shuts each daemon in: the sandbox lines of its .service unit (systemd.exec(5)).

Called by ``units``. As tight as a daemon's work allows: what it starts inherits all of it, and a mount made inside a
mount namespace of one's own is not seen by anybody else. It must be data.
"""

from __future__ import annotations

from virtproxy.daemon.catalogue import Kind, Row

# For every process that needs no other mounts or kernel settings than it finds. ProtectClock is not among them: it
# would shut out all devices, disks too; who has no CAP_SYS_TIME cannot set the clock anyway.
_KERNEL = (
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
)
_CONFINED = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "KeyringMode=private",
)
# Where every daemon writes: the pid file and the sockets, its log, its own state.
_PLACES = "/run -/var/log/libvirt -/var/lib/libvirt"

# virtproxyd looks at paths and images on behalf of a policy, so it must see the files, devices and temporary
# directories that the daemons behind it see: no PrivateTmp, PrivateDevices or ProtectHome=yes. Reading an image that
# belongs to its guest's user takes CAP_DAC_READ_SEARCH; giving a socket or the audit log to a group CAP_CHOWN.
# MemoryDenyWriteExecute is missing because cffi's callbacks, which SASL takes, need such memory.
_PROXY = (
    *_CONFINED,
    *_KERNEL,
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_READ_SEARCH CAP_NET_BIND_SERVICE",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=strict",
    f"ReadWritePaths={_PLACES}",
    "ProtectHome=read-only",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallFilter=@chown setrlimit prlimit64",
    "SystemCallErrorNumber=EPERM",
)
_SECRET = (
    *_CONFINED,
    *_KERNEL,
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_READ_SEARCH",
    "PrivateDevices=yes",
    "PrivateNetwork=yes",
    "PrivateTmp=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=strict",
    f"ReadWritePaths={_PLACES} /etc/libvirt",
    "ProtectHome=yes",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)
# Rules of the packet filter; its modules are loaded by the kernel itself.
_NWFILTER = (
    *_CONFINED,
    *_KERNEL,
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_READ_SEARCH CAP_NET_ADMIN CAP_NET_RAW",
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    f"ReadWritePaths={_PLACES} /etc/libvirt",
    "ProtectHome=yes",
    "RestrictNamespaces=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)
# Writes the host's own network configuration, wherever the distribution keeps it below /etc.
_INTERFACE = (
    *_CONFINED,
    *_KERNEL,
    "PrivateTmp=yes",
    "ProtectKernelModules=yes",
    "ProtectSystem=strict",
    f"ReadWritePaths={_PLACES} /etc",
    "ProtectHome=yes",
    "RestrictNamespaces=yes",
)
# Sets /proc/sys/net for its bridges, and starts dnsmasq, which outlives it and changes its user.
_NETWORK = (
    *_CONFINED,
    *_KERNEL,
    "ProtectSystem=full",
    "ReadWritePaths=/etc/libvirt",
    "ProtectHome=yes",
    "RestrictNamespaces=yes",
)
# Creates and removes devices by writing to /sys.
_NODEDEV = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "SystemCallArchitectures=native",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "RestrictNamespaces=yes",
)
# Mounts pools for all the host to see, so that nothing may give it a mount namespace of its own.
_STORAGE = (
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "SystemCallArchitectures=native",
)
# Guests inherit what their daemon has, and need what they need: containers set-uid programs and foreign binaries, any
# guest real-time scheduling, namespaces and devices.
_GUESTS = ("KeyringMode=private",)

_BY_SCHEME = {
    "interface": _INTERFACE,
    "network": _NETWORK,
    "nodedev": _NODEDEV,
    "nwfilter": _NWFILTER,
    "secret": _SECRET,
    "storage": _STORAGE,
}


def sandbox(row: Row) -> tuple[str, ...]:
    """Return the lines that shut ``row``'s daemon in."""
    if row.kind is Kind.PROXY:
        return _PROXY
    return _BY_SCHEME.get(row.scheme or "", _GUESTS)
