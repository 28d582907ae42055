# SPDX-License-Identifier: LGPL-2.1-or-later
"""Answers GET /metrics in Prometheus's text format, and nothing else, to clients that are not trusted to be quick.

``metrics_port`` gives it the connections. One request a connection; its body, if it has one, is not read. A whole web
server would have to be talked out of keeping bodies, following many requests and waiting for slow clients.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress, IDelayedCall, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy.daemon.metrics import CONTENT_TYPE, Metrics

if TYPE_CHECKING:
    from virtproxy.rpc.reactor import Clock

# From connecting to having the answer; a scrape takes milliseconds.
CONNECTION_SECONDS = 10.0
# The request line and all headers; a scraper's have a few hundred bytes.
REQUEST_MAX = 8192
PATH = b"/metrics"
# RFC 9112, 3: method, target, version. A query is allowed and means nothing.
_REQUEST = re.compile(rb"([!-~]+) (/[!-~]*) HTTP/1\.[01]\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class MetricsConnection(Protocol):
    """One connection: one request, one answer, and ten seconds for all of it."""

    transport: ITCPTransport
    _log = Logger()

    def __init__(self, site: MetricsSite) -> None:
        self._site = site
        self._head = bytearray()
        self._answered = False
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """The time runs from here, whatever the client sends."""
        self._site.connections.add(self)
        self._deadline = self._site.clock.callLater(CONNECTION_SECONDS, self.abort)

    def dataReceived(self, data: bytes) -> None:
        """Wait for the end of the headers, which are not looked at."""
        if self._answered:
            return
        self._head += data[: REQUEST_MAX + 1]
        if _HEAD_END.search(self._head):
            self._answer(*self._reply(_REQUEST.match(self._head)))
        elif len(self._head) > REQUEST_MAX:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _reply(self, request: re.Match[bytes] | None) -> tuple[HTTPStatus, bytes, bool]:
        """The status, the body, and whether that is sent."""
        if request is None:
            return HTTPStatus.BAD_REQUEST, b"", True
        if request[2].partition(b"?")[0] != PATH:
            return HTTPStatus.NOT_FOUND, b"", True
        if request[1] not in (b"GET", b"HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, b"", True
        try:
            return HTTPStatus.OK, self._site.metrics.text(), request[1] == b"GET"
        except Exception:
            self._log.failure("the metrics could not be read")
            return HTTPStatus.INTERNAL_SERVER_ERROR, b"", True

    def _answer(self, status: HTTPStatus, body: bytes = b"", shown: bool = True) -> None:
        self._answered = True
        body = body or f"{status.phrase}\n".encode()
        kind = CONTENT_TYPE if status is HTTPStatus.OK else "text/plain; charset=utf-8"
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: GET, HEAD")
        head = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
        self.transport.write(head + body if shown else head)
        self.transport.loseConnection()

    def abort(self) -> None:
        """End it now."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._site.connections.discard(self)


class MetricsSite(Factory):
    """Makes the connections that show ``metrics``; ``connections`` are those there are."""

    noisy = False

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self.metrics = metrics
        self.clock = clock
        self.connections: set[MetricsConnection] = set()

    def buildProtocol(self, addr: IAddress | None) -> MetricsConnection:
        """Twisted asks for the protocol of a connection."""
        return MetricsConnection(self)

    def end_all(self) -> None:
        """End every connection."""
        for connection in list(self.connections):
            connection.abort()
