# SPDX-License-Identifier: LGPL-2.1-or-later
"""The systemd units of every daemon, made from its row: one .service, and one .socket for each kind of socket.

Called by ``virtproxy install`` and by ``python -m virtproxy.daemon.written``, which keeps conf/systemd up to date.
Names, paths, modes, dependencies and conflicts are libvirt's, so that its documentation and everybody's commands
apply. It must write nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from virtproxy.daemon.catalogue import Kind, Row
from virtproxy.daemon.paths import SYSTEM
from virtproxy.daemon.sandbox import sandbox

# How a file of ours is known when it is to be replaced or removed.
MARK = "# This unit comes with virtproxy"
PROGRAMS = "/usr/sbin"
SocketKind = Literal["rw", "ro", "admin", "tcp", "tls"]
# The kinds of sockets: what their units' names, and then their paths, end in.
SUFFIXES: Mapping[SocketKind, str] = {"rw": "", "ro": "-ro", "admin": "-admin", "tcp": "-tcp", "tls": "-tls"}
PATHS: Mapping[SocketKind, str] = {"rw": "-sock", "ro": "-sock-ro", "admin": "-admin-sock"}
PORTS: Mapping[SocketKind, int] = {"tcp": 16509, "tls": 16514}
LOCAL: tuple[SocketKind, ...] = ("rw", "ro", "admin")
# Without polkit, which is not the default here, the mode is all that says who may come in (systemd's would be 0666).
_MODES: Mapping[SocketKind, str] = {"rw": "0600", "ro": "0666", "admin": "0600"}
_WHAT: Mapping[SocketKind, str] = {
    "rw": "local socket",
    "ro": "local read-only socket",
    "admin": "admin socket",
    "tcp": "TCP socket (not encrypted)",
    "tls": "TLS socket",
}
_LABELS = {
    "libvirtd": "libvirt legacy monolithic daemon",
    "virtproxyd": "libvirt proxy daemon",
    "qemu": "libvirt QEMU daemon",
    "xen": "libvirt Xen daemon",
    "lxc": "libvirt LXC daemon",
    "vbox": "libvirt VirtualBox daemon",
    "bhyve": "libvirt bhyve daemon",
}
# For guests: descriptors, tasks, and memory that device maps lock (libvirt's own figures).
_ROOMY = ("LimitNOFILE=1024:524288", "TasksMax=32768", "LimitMEMLOCK=64M")


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a daemon's service has beyond every other's."""

    after: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()


_LOCK, _LOG, _MACHINED = "virtlockd.socket", "virtlogd.socket", "systemd-machined.service"
_REMOTE, _KEEP = "remote-fs.target", "KillMode=process"
_NEEDS: Mapping[str, _Needs] = {
    # What only guests of QEMU's need is used where it is there: none of the drivers of this version's libvirtd does.
    "libvirtd": _Needs(
        (_LOG, _LOCK, "iscsid.service", _REMOTE, _MACHINED, "xencommons.service"),
        (_LOCK, _LOG, _MACHINED),
        (),
        ("xendomains.service",),
        (_KEEP, *_ROOMY),
    ),
    "virtqemud": _Needs((_LOG, _LOCK, _MACHINED, _REMOTE), (_LOCK, _MACHINED), (_LOG,), (), (_KEEP, *_ROOMY)),
    "virtxend": _Needs(
        (_LOCK, _REMOTE, "xencommons.service"),
        (_LOCK,),
        (),
        ("xendomains.service",),
        (_KEEP,),
        ("ConditionPathExists=/proc/xen/capabilities",),
    ),
    "virtlxcd": _Needs((_MACHINED, _REMOTE), (_MACHINED,), (), (), (_KEEP, *_ROOMY)),
    "virtvboxd": _Needs((_REMOTE,)),
    "virtbhyved": _Needs((_REMOTE,), service=(_KEEP,)),
    "virtnetworkd": _Needs(service=(_KEEP,)),
    "virtstoraged": _Needs(("iscsid.service", _REMOTE)),
}


def kinds(row: Row) -> tuple[SocketKind, ...]:
    """Return the kinds of sockets that the system's daemon of ``row`` has: keys of SUFFIXES."""
    return tuple(SUFFIXES) if row.listens_on_network else LOCAL


def socket_unit(row: Row, kind: SocketKind) -> str:
    """Return the name of the unit of one socket, which is also what systemd calls its descriptors."""
    return f"{row.name}{SUFFIXES[kind]}.socket"


def service_unit(row: Row) -> str:
    """Return the name of the daemon's service."""
    return f"{row.name}.service"


def units(row: Row, programs: str = PROGRAMS) -> dict[str, str]:
    """Return the text of each unit of ``row`` by its file name; the daemon's program is in ``programs``."""
    texts = {service_unit(row): _service(row, programs)}
    texts |= {socket_unit(row, kind): _socket(row, kind) for kind in kinds(row)}
    return texts


def _head(row: Row, what: str) -> list[str]:
    label = _LABELS.get(row.scheme or row.name, f"libvirt {row.scheme} daemon")
    return [
        f"{MARK}: change it with drop-ins (systemctl edit).",
        "",
        "[Unit]",
        f"Description=virtproxy: {label}{what}",
        f"Documentation=man:{row.name}(8)",
    ]


def _service(row: Row, programs: str) -> str:
    main, *others = (socket_unit(row, kind) for kind in LOCAL)
    needs, monolithic = _NEEDS.get(row.name, _Needs()), row.kind is Kind.MONOLITHIC
    lines = _head(row, "")
    # libvirtd runs without its sockets too, where somebody listens as its configuration says.
    lines += [f"Wants={main}"] if monolithic else [f"BindsTo={main}"]
    lines += [f"Wants={name}" for name in (*others, *needs.wants)]
    lines += [f"Requires={name}" for name in needs.requires]
    after = (main, *others, *(() if monolithic else ("libvirtd.service",)), *_ALWAYS_AFTER, *needs.after)
    lines += [f"After={name}" for name in after]
    conflicts = (*(() if monolithic else ("libvirtd.service",)), *needs.conflicts)
    lines += [f"Conflicts={name}" for name in conflicts]
    lines += [*needs.condition, "", "[Service]", *_running(row, programs), *needs.service]
    lines += ["", *sandbox(row), "", "[Install]", "WantedBy=multi-user.target"]
    lines += [f"Also={name}" for name in (main, *others, *(() if monolithic else _also(needs)))]
    return _text(lines)


_ALWAYS_AFTER = ("network.target", "dbus.service", "apparmor.service")


def _also(needs: _Needs) -> Iterable[str]:
    return (name for name in (*needs.wants, *needs.requires) if name in {_LOCK, _LOG})


def _running(row: Row, programs: str) -> list[str]:
    variable = f"{row.name.upper()}_ARGS"
    return [
        "Type=notify",
        "NotifyAccess=main",
        f'Environment={variable}="--timeout 120"',
        f"EnvironmentFile=-/etc/sysconfig/{row.name}",
        f"EnvironmentFile=-/etc/default/{row.name}",
        f"ExecStart={os.path.join(programs, row.name)} ${variable}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=on-failure",
        "WatchdogSec=60",
        "RuntimeDirectory=libvirt",
        "RuntimeDirectoryPreserve=yes",
        "StateDirectory=libvirt/virtproxy",
        "StateDirectoryMode=0700",
        *([] if row.name in _NEEDS and _ROOMY[0] in _NEEDS[row.name].service else [_ROOMY[0]]),
    ]


def _socket(row: Row, kind: SocketKind) -> str:
    main, unit = socket_unit(row, "rw"), socket_unit(row, kind)
    lines = _head(row, f", {_WHAT[kind]}")
    if kind != "rw":
        lines += [f"BindsTo={main}", f"After={main}"]
    if row.kind is not Kind.MONOLITHIC:
        lines += [f"Conflicts=libvirtd{SUFFIXES[kind]}.socket", f"After=libvirtd{SUFFIXES[kind]}.socket"]
    lines += [
        *_NEEDS.get(row.name, _Needs()).condition,
        "",
        "[Socket]",
        f"ListenStream={_address(row, kind)}",
        f"Service={service_unit(row)}",
    ]
    if kind in _MODES:
        lines += [f"SocketMode={_MODES[kind]}", "RemoveOnStop=yes"]
    lines += ["", "[Install]", "WantedBy=sockets.target"]
    lines += [f"Also={name}" for name in (socket_unit(row, each) for each in _MODES) if kind in _MODES and name != unit]
    return _text(lines)


def _address(row: Row, kind: SocketKind) -> str:
    if kind in PORTS:
        return str(PORTS[kind])
    return os.path.join(SYSTEM.run_dir, row.socket_prefix + PATHS[kind])


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
