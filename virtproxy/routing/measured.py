# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts and times calls where somebody asked for metrics: connections, sessions and backends that note what passes.

``daemon.service`` makes these in the place of the plain ones when ``metrics_listen`` is set; otherwise nothing of this
is on the way of a call. What is noted are integers in lists, so that a call pays less than a microsecond for all of
it; ``daemon.metrics_calls`` reads them when somebody asks. Nothing here looks into a payload.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import programs, remote
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.backend import Backend, BackendClient
from virtproxy.routing.families import Target
from virtproxy.routing.router import Router
from virtproxy.routing.session import Session
from virtproxy.rpc.server import ServerConnection
from virtproxy.wire.frame import CALL, ERROR, REPLY, Frame
from virtproxy.wire.framer import Piece, Sink

# Upper bounds in seconds; what takes longer than the last is in one bucket more.
BACKEND_BOUNDS = (0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0)
PROXY_BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 1.0, 5.0)
# Every call is counted; of those of a client one in so many is timed too: those whose serial is a multiple.
SAMPLE = 8
_NOT_SAMPLED = SAMPLE - 1
# A procedure: its number, with the program's above it. That of the remote program is 0 there, as nearly all are of it.
Which = int
_REMOTE = remote.PROGRAM.number
_PROGRAM_SHIFT = 32
UNKNOWN: Which = 0
_clock = time.perf_counter


def which(program: int, number: int) -> Which:
    """Return the procedure as one number, which is looked up sooner than two."""
    return number if program == _REMOTE else program << _PROGRAM_SHIFT | number


def procedure_of(which: Which) -> Procedure[Any, Any]:
    """Return the declaration of a procedure."""
    program, number = which >> _PROGRAM_SHIFT or _REMOTE, which & (1 << _PROGRAM_SHIFT) - 1
    return programs.BY_NUMBER[program].procedures[number]


class Times:
    """How many calls of one procedure there were and failed; of those that were timed, the buckets of a histogram."""

    __slots__ = ("bounds", "calls", "counts", "errors", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.calls = self.errors = 0
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        """One more call that was timed took so long."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


class Measurements:
    """Everything that is noted in one daemon."""

    def __init__(self) -> None:
        # By driver, then by procedure: calls that a backend answered.
        self.backends: dict[str, dict[Which, Times]] = {}
        # By procedure: what a call spent here, before and after it was with its backend; of the calls that are sampled.
        self.proxy: dict[Which, Times] = {}
        # Calls that the daemon answered itself, and those of them that it refused.
        self.own: Counter[Which] = Counter()
        self.own_errors: Counter[Which] = Counter()
        # Bytes of packets from and to clients.
        self.received = self.sent = 0
        # Connections to daemons that were lost, by driver.
        self.lost: Counter[str] = Counter()

    def of(self, driver: str) -> dict[Which, Times]:
        """The times of a driver's daemon."""
        return self.backends.setdefault(driver, {})

    def answered(self, call: Frame, *, refused: bool) -> None:
        """The daemon answered a call itself; a client makes no names for what there is not."""
        program = programs.BY_NUMBER.get(call.program)
        known = program is not None and call.procedure in program.procedures
        what = which(call.program, call.procedure) if known else UNKNOWN
        self.own[what] += 1
        self.own_errors[what] += refused


class MeasuredConnection(ServerConnection):
    """A client's connection that counts bytes, and times one call of a few."""

    def __init__(self, measurements: Measurements, *args: Any) -> None:
        super().__init__(*args)
        self._measurements = measurements
        # By serial: calls that are being timed, and since when.
        self._timed: dict[int, tuple[float, Frame]] = {}

    def frame_received(self, frame: Frame) -> None:
        """Note what came."""
        self._measurements.received += len(frame.raw)
        if not frame.serial & _NOT_SAMPLED and frame.type == CALL:
            self._timed[frame.serial] = (_clock(), frame)
        ServerConnection.frame_received(self, frame)

    def send(self, frame: Frame) -> None:
        """Note what goes."""
        self._measurements.sent += len(frame.raw)
        if not frame.serial & _NOT_SAMPLED and frame.type == REPLY:
            self._note_answer(frame)
        if frame.fds:
            self._send_with_fds(frame)
        else:
            self._write(frame.raw)

    def _note_answer(self, frame: Frame) -> None:
        began, call = self._timed.pop(frame.serial, (0.0, None))
        if call is None or not hasattr(call, "took"):
            return  # no backend had it, or it was answered before the backend did
        times, what = self._measurements.proxy, which(call.program, call.procedure)
        times.setdefault(what, Times(PROXY_BOUNDS)).note(max(0.0, _clock() - began - call.took))

    def passage(self, head: Frame) -> Sink | None:
        """Count large packets while they pass."""
        sink = ServerConnection.passage(self, head)
        if sink is None:
            return None
        onward = sink

        def counted(piece: Piece) -> None:
            self._measurements.received += len(piece)
            onward(piece)

        return counted

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """Count a large packet of stream data."""
        self._measurements.sent += sum(map(len, pieces))
        ServerConnection.send_pieces(self, pieces)


class MeasuredSession(Session):
    """A session that counts what no backend answers."""

    def __init__(self, measurements: Measurements, *args: Any) -> None:
        self._measurements = measurements
        super().__init__(*args)

    def refuse(self, call: Frame, refusal: VirtError) -> None:
        """Count a call that is answered with an error."""
        self._measurements.answered(call, refused=True)
        super().refuse(call, refusal)

    def answer(self, frame: Frame) -> None:
        """Count a call that the daemon serves itself."""
        self._measurements.answered(frame, refused=False)
        super().answer(frame)


class MeasuredClient:
    """Stands before the client of a backend, and notes the answers; everything else is the client's."""

    def __init__(self, client: BackendClient, measurements: Measurements, driver: str) -> None:
        self._client = client
        self._measurements = measurements
        self._driver = driver
        self._times = measurements.of(driver)
        self._waited_for = False
        self._reply = client.reply
        self.send = client.send

    def reply(self, frame: Frame, call: Frame | None = None) -> None:
        """Note how long a call took, and pass its answer on."""
        if call is not None:
            number = call.procedure
            what = number if call.program == _REMOTE else which(call.program, number)
            try:
                times = self._times[what]
            except KeyError:
                times = self._times[what] = Times(BACKEND_BOUNDS)
            times.calls += 1
            if frame.status == ERROR:
                times.errors += 1
            if not call.serial & _NOT_SAMPLED and hasattr(call, "sent"):
                call.took = _clock() - call.sent
                times.note(call.took)
        self._reply(frame, call)

    def backend_lost(self, backend: Backend, error: VirtError, **more: Any) -> None:
        """Count a connection that is lost, unless that was done when it was first missed."""
        self._measurements.lost[self._driver] += not self._waited_for
        self._client.backend_lost(backend, error, **more)

    def backend_away(self, backend: Backend, error: VirtError) -> bool:
        """Count one that is waited for."""
        self._waited_for = True
        self._measurements.lost[self._driver] += 1
        return self._client.backend_away(backend, error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@dataclass(frozen=True, slots=True)
class MeasuredRouter(Router):
    """A router whose backends are timed."""

    measurements: Measurements = field(default_factory=Measurements)

    def backend(self, target: Target, flags: int, identity: Identity, client: BackendClient, **more: Any) -> Backend:
        """A backend for `target`, as the router's; every call and answer of it is noted."""
        measured: Any = MeasuredClient(client, self.measurements, target.driver)
        backend = Router.backend(self, target, flags, identity, measured, **more)
        call = backend.call

        def timed(frame: Frame) -> None:
            if not frame.serial & _NOT_SAMPLED:
                frame.sent = _clock()
            call(frame)

        backend.call = timed  # type: ignore[method-assign]  # of this one only: there are two kinds of backends
        return backend
