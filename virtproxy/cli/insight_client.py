# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plain connection to a daemon's admin socket: one call after the other, no event loop.

``top`` and ``trace`` ask the daemon by it. What goes wrong is a CommandError with a sentence that says what to do.
"""

from __future__ import annotations

import argparse
import os
import socket
from types import TracebackType
from typing import TypeVar, cast

from virtproxy.cli.output import CommandError
from virtproxy.daemon.drivers import all_rows
from virtproxy.daemon.paths import places
from virtproxy.protocol import keepalive
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.codec import Struct, WireError
from virtproxy.wire.frame import ERROR, MESSAGE, Frame
from virtproxy.wire.framer import FrameError, Framer

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
ANSWER_SECONDS = 10.0
_READ_SIZE = 256 * 1024


def add_daemon_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say which daemon is asked."""
    parser.add_argument(
        "--daemon", default="virtproxyd", choices=sorted(all_rows()), metavar="NAME", help="which one (virtproxyd)"
    )
    parser.add_argument("--socket", metavar="PATH", help="its admin socket, where that is not in the usual place")


def admin_socket(options: argparse.Namespace) -> str:
    """Where the daemon of the options takes questions of administrators."""
    if options.socket:
        return str(options.socket)
    directory = places(os.environ, os.geteuid()).run_dir
    return os.path.join(directory, f"{all_rows()[options.daemon].socket_prefix}-admin-sock")


class InsightClient:
    """A connection; as a block it is closed at the end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._framer = Framer()
        self._serial = 0
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(ANSWER_SECONDS)
        try:
            self._sock.connect(path)
        except OSError as error:
            self._sock.close()
            raise CommandError(_unreachable(path, error)) from None

    def __enter__(self) -> InsightClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def call(self, procedure: Procedure[A, R], args: A | None = None) -> R:
        """Return the result of a call. Raises CommandError with the daemon's own words, or if it does not answer."""
        self._serial += 1
        try:
            self._sock.sendall(procedure.call_frame(self._serial, cast("A", args)).raw)
            while (answer := self._receive()).serial != self._serial or answer.program != procedure.program.number:
                if answer.type == MESSAGE and answer.program == keepalive.PROGRAM.number:
                    self._sock.sendall(keepalive.PONG.event_frame(None, 0).raw)
            if answer.status == ERROR:
                raise CommandError(_refused(self.path, decode_error(answer).message or ""))
            return procedure.decode_ret(answer)
        except TimeoutError:
            raise CommandError(f"{self.path} did not answer {procedure.name} in {ANSWER_SECONDS:g} s") from None
        except (OSError, FrameError, WireError) as error:
            raise CommandError(f"{self.path}: {error}") from None

    def _receive(self) -> Frame:
        frames = self._framer.feed(b"", 1) if self._framer.rest is not None else []
        while not frames:
            data = self._sock.recv(_READ_SIZE)
            if not data:
                raise CommandError(f"{self.path}: the daemon closed the connection; its log may say why")
            frames = self._framer.feed(data, 1)
        return frames[0]


def _unreachable(path: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: permission denied: only the user that the daemon runs as may ask it"
    return f"{path}: {error.strerror or error}: no daemon listens there; start it, or name its socket with --socket"


def _refused(path: str, message: str) -> str:
    if "find program" in message:
        return f"{path} is not an admin socket of virtproxy's: {message}"
    return f"{path}: {message}"
