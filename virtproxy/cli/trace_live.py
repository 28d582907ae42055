# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packets of a daemon that runs, as they pass, asked for over its admin socket.

``trace`` reads from it as from a recording. The trace ends with the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from virtproxy.cli.insight_client import InsightClient
from virtproxy.cli.output import CommandError
from virtproxy.cli.trace_packet import Packet, frame_of, is_start
from virtproxy.protocol import insight

# Of larger packets only the start is taken: enough for nearly all, and an end to what a trace may cost.
PACKET_BYTES = 256 * 1024


class LivePackets:
    """Iterate over it for the packets, in batches: an empty one says that nothing passed yet, or for a moment.

    ``dropped`` counts those that came too fast.
    """

    def __init__(self, client: InsightClient, number: int | None) -> None:
        self._client = client
        self._number = number or 0
        self._subjects: dict[int, str] = {}
        self._trace: int | None = None
        self.dropped = 0

    def __iter__(self) -> Iterator[list[Packet]]:
        trace = self._client.call(insight.TRACE_START, insight.TraceStartArgs(self._number, PACKET_BYTES)).trace
        self._trace = trace
        yield []
        while True:
            batch = self._client.call(insight.TRACE_NEXT, insight.TraceNextArgs(trace))
            self.dropped = batch.dropped
            self._subjects.update({client.number: client.subject for client in batch.clients})
            yield [self._packet(packet) for packet in batch.packets if is_start(packet.data)]

    def stop(self) -> None:
        """Tell the daemon that nobody looks any more, if it is still there; it would find out by itself, later."""
        if self._trace is not None:
            with suppress(CommandError):
                self._client.call(insight.TRACE_STOP, insight.TraceStopArgs(self._trace))

    def _packet(self, packet: insight.TracedPacket) -> Packet:
        subject = self._subjects.get(packet.client, "")
        return Packet(packet.time / 1_000_000, packet.client, subject, packet.from_client, frame_of(packet.data))
