# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is passed on without thought, and what is refused before it."""

from __future__ import annotations

import pytest

from virtproxy.errors import VirtError
from virtproxy.protocol import programs, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.procedures import PLAIN, procedure_of
from virtproxy.wire.frame import CALL, CONTINUE, OK, pack

REMOTE = remote.PROGRAM.number


def test_nothing_with_a_stream_an_event_or_an_answer_of_ours_is_plain() -> None:
    handled = {"auth", "open", "close", "feature", "identity", "close-callback"}
    for program in programs.BY_NUMBER.values():
        for number, procedure in program.procedures.items():
            plain = (program.number, program.version, number) in PLAIN
            assert plain == (not procedure.event and not procedure.stream and procedure.edge not in handled)


def test_a_known_call_is_found() -> None:
    assert procedure_of(remote.CONNECT_GET_TYPE.call_frame(1, None)) is remote.CONNECT_GET_TYPE


@pytest.mark.parametrize(
    ("program", "version", "procedure", "status", "text"),
    [
        (1, 1, 1, OK, "Cannot find program 1 version 1"),
        (REMOTE, 2, 1, OK, f"Cannot find program {REMOTE} version 2"),
        (REMOTE, 1, 9999, OK, "unknown procedure: 9999"),
        (REMOTE, 1, -1, OK, "unknown procedure: -1"),
        (REMOTE, 1, remote.DOMAIN_EVENT_REBOOT.number, OK, "unknown procedure: "),
        (REMOTE, 1, 3, CONTINUE, "Unexpected message status 2"),
    ],
)
def test_what_is_not_known_is_refused(program: int, version: int, procedure: int, status: int, text: str) -> None:
    with pytest.raises(VirtError, match=text) as caught:
        procedure_of(pack(program, version, procedure, CALL, 1, status))
    assert caught.value.code == ErrorCode.RPC
