# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running a program of the host (qemu-img, mount, parted) and reading what it says, without a shell.

A driver awaits `run_program`. The program's environment is small and its language is C; what it prints is kept
within bounds; a caller that is cancelled kills it. Nothing here knows what any program does.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from virtproxy.driver.place import Place
from virtproxy.errors import VirtError, internal
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# What is kept of a program's output and of its complaints, in bytes.
OUTPUT_MAX = 1024 * 1024
COMPLAINT_MAX = 16 * 1024
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: its exit status, and what it wrote."""

    status: int
    output: bytes
    complaint: bytes

    @property
    def text(self) -> str:
        """The output as text; bytes that are none are replaced."""
        return self.output.decode(errors="replace")


async def run_program(
    place: Place,
    argv: Sequence[str],
    *,
    input: bytes = b"",  # noqa: A002 (as subprocess calls it)
    env: Mapping[str, str] | None = None,
    ok: Collection[int] = (0,),
    seconds: float | None = None,
    output_max: int = OUTPUT_MAX,
    fds: Mapping[int, int] | None = None,
) -> Finished:
    """Run `argv`, whose program is a path or found on PATH, with `input` on its standard input; wait for its end.

    `env` adds to the environment, `fds` gives it descriptors of ours (its number: ours). VirtError SYSTEM_ERROR if
    there is no such program; INTERNAL_ERROR if its status is not in `ok`, it is killed, prints more than `output_max`
    bytes or takes longer than `seconds`. Cancelling kills it. The text shows `argv`: pass no secret in it.
    """
    environment = {
        "LC_ALL": "C",
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **(env or {}),
    }
    environment.setdefault("PATH", _PATH)
    program = shutil.which(argv[0], path=environment["PATH"])
    if program is None:
        detail = f"Cannot find '{argv[0]}' in path: {os.strerror(2)}"
        raise VirtError.of(ErrorCode.SYSTEM_ERROR, detail, int1=2)
    line = shlex.join([program, *argv[1:]])
    running = _Running(place, line, input, output_max)
    childs: Any = {0: "w", 1: "r", 2: "r", **(fds or {})}
    place.reactor.spawnProcess(running, program, [argv[0], *argv[1:]], environment, childFDs=childs)
    finished = await running.wait(seconds)
    if finished.status not in ok:
        raise _unexpected(line, f"exit status {finished.status}", finished.complaint)
    return finished


class _Running(ProcessProtocol):
    """One program under way."""

    def __init__(self, place: Place, line: str, data: bytes, most: int) -> None:
        self._place = place
        self._line = line
        self._input = data
        self._most = most
        self._output = bytearray()
        self._complaint = bytearray()
        self._error: VirtError | None = None
        self._ended: Deferred[Finished] = Deferred(self._cancelled)

    @property
    def _process(self) -> Any:
        return self.transport

    async def wait(self, seconds: float | None) -> Finished:
        """Wait for its end, and for no more than `seconds`."""
        timer: IDelayedCall | None = None
        if seconds is not None:
            timer = self._place.clock.callLater(seconds, self._kill, f"it took more than {seconds:g} seconds")
        try:
            return await self._ended
        finally:
            if timer is not None and timer.active():
                timer.cancel()

    def connectionMade(self) -> None:
        """Give it its input."""
        if self._input:
            self._process.write(self._input)
        self._process.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """Keep its output."""
        self._output += data
        if len(self._output) > self._most:
            self._kill(f"it prints more than {self._most} bytes")

    def errReceived(self, data: bytes) -> None:
        """Keep the end of its complaints, which says why it failed."""
        self._complaint += data
        del self._complaint[:-COMPLAINT_MAX]

    def processEnded(self, reason: Failure) -> None:
        """Say how it ended."""
        if self._ended.called:
            return
        if self._error is not None:
            self._ended.errback(self._error)
        elif reason.check(ProcessDone):
            self._ended.callback(self._finished(0))
        else:
            assert isinstance(reason.value, ProcessTerminated)
            if reason.value.signal is None:
                self._ended.callback(self._finished(reason.value.exitCode))
            else:
                how = f"fatal signal {reason.value.signal}"
                self._ended.errback(_unexpected(self._line, how, bytes(self._complaint)))

    def _finished(self, status: int) -> Finished:
        return Finished(status, bytes(self._output), bytes(self._complaint))

    def _kill(self, why: str) -> None:
        if self._error is None:
            self._error = internal(f"Child process ({self._line}) was ended: {why}", ErrorDomain.NONE)
            self._signal()

    def _cancelled(self, ended: Deferred[Finished]) -> None:
        self._signal()

    def _signal(self) -> None:
        with suppress(ProcessExitedAlready):
            self._process.signalProcess("KILL")


def _unexpected(line: str, how: str, complaint: bytes) -> VirtError:
    """A program's failure as libvirt words it: the command line, the status, and what it complained of."""
    said = complaint.decode(errors="replace").rstrip("\n")
    return internal(f"Child process ({line}) unexpected {how}" + (f": {said}" if said else ""), ErrorDomain.NONE)
