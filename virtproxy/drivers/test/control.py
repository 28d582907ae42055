# SPDX-License-Identifier: LGPL-2.1-or-later
"""The socket by which a test changes a made-up host while it runs: `virtproxy fake set` and the like speak to it.

A line of JSON is a request, {"do": ...}, a line the answer, {"error": sentence} or what was asked for. Whoever may
open the socket may do everything: only its owner may.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver

from virtproxy.driver import Place, VirtError
from virtproxy.toml.source import SourceError

Deed = Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]


class Control(LineOnlyReceiver):
    """One connection."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20
    _log = Logger()

    def __init__(self, deeds: Mapping[str, Deed]) -> None:
        self._deeds = deeds

    def lineReceived(self, line: bytes) -> None:
        Deferred.fromCoroutine(self._answer(line)).addErrback(self._broken)

    async def _answer(self, line: bytes) -> None:
        try:
            asked = json.loads(line)
            deed = self._deeds[asked["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return self._say({"error": f"a request is a line of JSON that says what to do: {', '.join(self._deeds)}"})
        try:
            self._say(await deed(asked))
        except (VirtError, SourceError, OSError) as error:
            self._say({"error": str(error)})

    def _say(self, answer: dict[str, Any]) -> None:
        assert self.transport is not None
        self.transport.write(json.dumps(answer).encode() + self.delimiter)

    def _broken(self, failure: Any) -> None:
        self._log.failure("a request to change the scenario failed", failure=failure)
        self._say({"error": "it failed; the daemon's log has the details"})


def listen(place: Place, path: str, deeds: Mapping[str, Deed]) -> Any:
    """Listen at `path`, for the daemon's own user only; return the port. Twisted's CannotListenError."""
    if os.path.lexists(path) and stat.S_ISSOCK(os.lstat(path).st_mode):
        os.unlink(path)
    factory = Factory.forProtocol(lambda: Control(deeds))
    before = os.umask(0o177)
    try:
        return place.reactor.listenUNIX(path, factory, mode=0o600)
    finally:
        os.umask(before)
