# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is at the other end of a UNIX socket, as the kernel tells it.

The listeners call `identity_of_unix` once for each accepted client; the admin socket will ask
`unix_peer` alone. Nothing here writes to the socket or trusts a byte that the peer sent.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from typing import NamedTuple

from virtproxy.identity import Identity

_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_START_TIME = 22 - 3  # field 22 of proc_pid_stat(5), counted after the command's closing parenthesis


class PeerCredentials(NamedTuple):
    """The process that connected: its ids at the moment of connect(), not now."""

    pid: int
    uid: int
    gid: int


def unix_peer(sock: socket.socket) -> PeerCredentials:
    """The credentials of the process that connected `sock`; OSError if it is not a UNIX socket."""
    if sock.family != socket.AF_UNIX:
        raise OSError("only a UNIX socket knows the credentials of its peer")
    # The kernel's ids are unsigned: an unmapped user namespace shows 65534, -1 means unknown.
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return PeerCredentials(pid, uid & 0xFFFFFFFF, gid & 0xFFFFFFFF)


def identity_of_unix(sock: socket.socket, readonly: bool) -> Identity:
    """The identity of the client that connected `sock`; `readonly` if it came by the read-only socket.

    A peer that has died meanwhile keeps its ids and has no start time. OSError as `unix_peer`.
    """
    peer = unix_peer(sock)
    return Identity(
        transport="unix",
        readonly_socket=readonly,
        user_name=_user_name(peer.uid),
        uid=peer.uid,
        group_name=_group_name(peer.gid),
        gid=peer.gid,
        pid=peer.pid,
        process_start_time=process_start_time(peer.pid),
        selinux_context=_security_context(sock),
    )


def process_start_time(pid: int) -> int | None:
    """When process `pid` started, in clock ticks after boot; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read()
    except OSError:
        return None
    # The command may itself hold spaces and parentheses: only the last one closes it.
    fields = stat.rpartition(b")")[2].split()
    return int(fields[_START_TIME]) if len(fields) > _START_TIME else None


def _user_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


def _group_name(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None


_SO_PEERSEC = 31  # asm-generic/socket.h; the socket module has no name for it
_CONTEXT_MAX = 4096


def _security_context(sock: socket.socket) -> str | None:
    """The SELinux context of the peer, None where SELinux does not label sockets."""
    if not os.path.exists("/sys/fs/selinux/enforce"):
        return None
    try:
        label = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERSEC, _CONTEXT_MAX)
    except OSError:
        return None
    return label.rstrip(b"\0").decode(errors="surrogateescape") or None
