# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many clients wait in the kernel to be accepted at a listening socket.

``listeners`` asks for the metrics. TCP says it by TCP_INFO, UNIX sockets by sock_diag(7); where the kernel says
nothing, or may not be asked, it is only known whether anybody waits. It must accept nobody.
"""

from __future__ import annotations

import os
import select
import socket
import struct

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_ANY_STATE = 0xFFFFFFFF
_SHOW_QUEUE = 0x10
_ATTRIBUTE_QUEUE = 4
_NO_COOKIE = 0xFFFFFFFF
# length, type, flags, sequence, port; then family, protocol, padding, states, inode, what to show, cookie.
_REQUEST = struct.Struct("=IHHII BBHIIIII")
_HEADER_SIZE, _MESSAGE_SIZE = 16, 16
_ATTRIBUTE = struct.Struct("=HH")
_QUEUE = struct.Struct("=I")
# tcpi_unacked of struct tcp_info: of a listening socket, who waits.
_TCP_UNACKED = struct.Struct("=24xI")


def queued(sock: socket.socket) -> int:
    """Return how many clients wait at a listening socket; 1 if somebody does and nobody knows how many."""
    try:
        if sock.family == socket.AF_UNIX:
            return _unix(sock)
        number: int = _TCP_UNACKED.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_UNACKED.size))[0]
        return number
    except (OSError, struct.error):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return len(poll.poll(0))


def _unix(sock: socket.socket) -> int:
    inode = os.fstat(sock.fileno()).st_ino & 0xFFFFFFFF
    request = _REQUEST.pack(_REQUEST.size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0,
                            socket.AF_UNIX, 0, 0, _ANY_STATE, inode, _SHOW_QUEUE, _NO_COOKIE, _NO_COOKIE)  # fmt: skip
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as asking:
        asking.sendto(request, (0, 0))
        answer = asking.recv(4096)
    if _ATTRIBUTE.unpack_from(answer, 4)[0] != _SOCK_DIAG_BY_FAMILY:
        raise OSError("the kernel does not know the socket")
    return _queue(answer[_HEADER_SIZE + _MESSAGE_SIZE :])


def _queue(attributes: bytes) -> int:
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _ATTRIBUTE_QUEUE:
            number: int = _QUEUE.unpack_from(attributes, _ATTRIBUTE.size)[0]
            return number
        attributes = attributes[max(_ATTRIBUTE.size, length + 3 & ~3) :]
    raise OSError("the kernel does not say how many wait")
