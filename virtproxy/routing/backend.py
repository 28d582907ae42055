# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seam between a session and whatever serves its calls.

A session talks to every backend through `Backend`, and a backend answers through `BackendClient`.
There are two kinds: the relay (another daemon's socket) and a local driver. Neither knows the
other, and nothing else crosses this seam.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.wire.frame import Frame
from virtproxy.wire.framer import Piece, Sink


class BackendClient(Protocol):
    """The session's side: what a backend may ask of it. Nothing here may raise."""

    def reply(self, frame: Frame, call: Frame | None = None) -> None:
        """Deliver the reply (or error reply) to one call, which is told if it is at hand; exactly one per call."""

    def send(self, frame: Frame) -> None:
        """Deliver an event or a stream packet."""

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """Deliver a whole packet of stream data that came in pieces."""

    def backend_full(self, backend: Backend) -> None:
        """The backend cannot take more: stop reading from the client."""

    def backend_drained(self, backend: Backend) -> None:
        """The backend can take more again."""

    def backend_away(self, backend: Backend, error: VirtError) -> bool:
        """The backend went away and may come back; its outstanding calls are answered, its streams end with `error`.

        Returns whether it shall come back even if nothing is called: somebody waits for news of it.
        """

    def backend_lost(self, backend: Backend, error: VirtError, *, deaf: bool = False) -> None:
        """The backend went away; its outstanding calls are answered, its streams end with `error`.

        `deaf`: events that the client asked it for come no more.
        """

    def backend_deaf(self, backend: Backend) -> None:
        """The backend came back, but some events that the client asked it for come no more."""

    def hang_up(self, why: str) -> None:
        """Close the client's connection; `why` is for the log."""


class Backend(Protocol):
    """The server's side: what a session may ask of a backend."""

    @property
    def owed(self) -> int:
        """How many calls have not been answered."""

    @property
    def name(self) -> str:
        """What serves the calls, for people."""

    def owed_calls(self) -> Iterator[Frame]:
        """Yield the calls that have not been answered, the newest first."""

    async def open(self) -> None:
        """Make ready to serve; raises VirtError. Called once, before the first call, for a primary."""

    def call(self, frame: Frame) -> None:
        """Serve a call; the reply comes by `BackendClient.reply`, whatever happens."""

    def stream(self, frame: Frame) -> None:
        """Take a packet of a stream that an earlier call opened; unknown ones are dropped."""

    def passage(self, head: Frame) -> Sink | None:
        """Where a large stream packet may go while it still comes; None to take it whole by `stream`."""

    async def set_identity(self, identity: Identity) -> None:
        """The client speaks for somebody else from now on; raises VirtError."""

    def pause(self) -> None:
        """The client cannot take more: produce nothing until `resume`."""

    def resume(self) -> None:
        """The client can take more."""

    def close(self, error: VirtError | None = None) -> None:
        """The session has no more use for it: release everything; answer what is owed with `error`, or not at all."""
