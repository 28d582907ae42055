# SPDX-License-Identifier: LGPL-2.1-or-later
"""A read-only client hears the same from virtproxyd as from libvirtd, for every call that is denied to it.

virtproxyd refuses before its backend is asked, so these are its own answers. Left out are three calls that libvirtd
looks at more closely before it refuses them: for its descriptors, or for the subscription that is to be cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.labs import furnished
from tests.support.denied import Call, denied_calls
from tests.support.lab import BACKEND_SOCKETS, SYSTEM_SOCKETS, fetched_tree
from tests.support.raw import raw_client
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import decode_error
from virtproxy.wire.frame import ERROR

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(60)]

FIRST_LOOKED_AT = {
    remote.DOMAIN_OPEN_GRAPHICS,
    remote.DOMAIN_FD_ASSOCIATE,
    qemu.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
}
Answer = tuple[int, int, str | None]


@pytest.fixture(scope="module")
def sockets() -> Iterator[tuple[Path, Path]]:
    """The read-only sockets of libvirtd 11.3 and of virtproxyd in front of it."""
    with furnished(fetched_tree()) as lab:
        lab.proxied()
        root = Path(f"/proc/{lab.pid}/root")
        proxied = root / (SYSTEM_SOCKETS / "libvirt-sock-ro").relative_to("/")
        yield lab.outside(BACKEND_SOCKETS / "libvirt-sock-ro"), proxied


def answers(path: Path, calls: list[Call]) -> list[Answer]:
    """What each call gets at that socket: code, domain and message of its error."""
    heard = []
    with raw_client(path) as client:
        client.open("qemu:///system")
        for serial, (procedure, args) in enumerate(calls, 100):
            frame = client.call(procedure.call_frame(serial, args))
            error = decode_error(frame) if frame.status == ERROR else None
            heard.append((error.code, error.domain, error.message) if error else (0, 0, None))
    return heard


def test_the_same_refusals(sockets: tuple[Path, Path]) -> None:
    calls = [call for call in denied_calls() if call[0] not in FIRST_LOOKED_AT]
    direct, proxied = (answers(path, calls) for path in sockets)
    different = [
        f"{procedure.name}: libvirtd {theirs}, virtproxyd {ours}"
        for (procedure, _), theirs, ours in zip(calls, direct, proxied, strict=True)
        if theirs != ours
    ]
    assert not different, "\n".join(different)
    assert {answer[0] for answer in proxied} == {ErrorCode.OPERATION_DENIED}


def test_reading_is_the_daemons_business(sockets: tuple[Path, Path]) -> None:
    calls: list[Call] = [(remote.CONNECT_GET_TYPE, None), (remote.CONNECT_NUM_OF_DOMAINS, None)]
    direct, proxied = (answers(path, calls) for path in sockets)
    assert direct == proxied == [(0, 0, None)] * 2
