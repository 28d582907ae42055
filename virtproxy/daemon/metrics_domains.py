# SPDX-License-Identifier: LGPL-2.1-or-later
"""The metrics of a host and its domains, asked of the daemon that has them by virtproxy itself.

``service`` makes one ``Host`` for each URI in ``metrics_domains``. A scrape shows what is remembered and at most
starts to ask anew: one question at a time, the next only when the last was answered, however long that takes. So many
scrapes are no more work for the host than one, and a daemon that is stuck is not asked again until it moves. The page
is written in a thread, once for each time that was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virtproxy.daemon.metrics_figures import Figures, page
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.routing.inquiry import Inquiry

if TYPE_CHECKING:
    from virtproxy.daemon.metrics import Metrics
    from virtproxy.daemon.reload import InThread
    from virtproxy.routing.families import Target
    from virtproxy.routing.router import Router

# Domains in one question: decoding the answer keeps other clients waiting.
AT_ONCE = 64
# State, processor, memory, network, disks: bits of virDomainStatsTypes.
_STATS = 1 | 2 | 4 | 16 | 32
# VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT: a domain that is busy tells less instead of being waited for.
_NOWAIT = 1 << 29
_READ_ONLY = 1
# Nowhere else: a name in a label has no line feed.
_FAMILY = b"\n# HELP "


class Host:
    """The figures of one URI; asked for at most every ``seconds``, and only when somebody looks."""

    _log = Logger()

    def __init__(self, router: Router, target: Target, seconds: float, in_thread: InThread) -> None:
        self.uri = target.uri
        self._clock = router.reactor
        self._seconds = seconds
        self._in_thread = in_thread
        self._inquiry = Inquiry(
            router, target, _nothing, lambda event: None, lambda: None, patience=0, flags=_READ_ONLY
        )
        self._asking = False
        self._asked_at: float | None = None
        self._answered_at: float | None = None
        self._complained = False
        # Whether the last time that was asked was answered.
        self.up = False
        self._page = b""

    def page(self) -> bytes:
        """Return the text of what is known, and ask anew if it is time."""
        now = self._clock.seconds()
        if not self._asking and (self._asked_at is None or now - self._asked_at >= self._seconds):
            self._asking, self._asked_at = True, now
            asking = Deferred.fromCoroutine(self._ask())
            asking.addErrback(lambda failure: self._log.failure("the figures could not be read", failure=failure))
            asking.addBoth(lambda _: self._over())
        return self._page

    @property
    def age(self) -> float | None:
        """How many seconds ago what is known was answered; None if nothing is."""
        return None if self._answered_at is None else self._clock.seconds() - self._answered_at

    def close(self) -> None:
        """Ask no more."""
        self._inquiry.close()

    def _over(self) -> None:
        self._asking = False

    async def _ask(self) -> None:
        try:
            figures = await self._figures()
        except VirtError as error:
            if not self._complained:
                self._log.warn("no figures of {uri}: {why}", uri=self.uri, why=error.message)
            self._complained, self.up = True, False
            return
        self._page = await self._in_thread(lambda: page(self.uri, figures))
        self._answered_at = self._clock.seconds()
        self._complained, self.up = False, True

    async def _figures(self) -> Figures:
        ask = self._inquiry.ask
        info = await ask(remote.NODE_GET_INFO, None)
        memory = await ask(remote.NODE_GET_FREE_MEMORY, None)
        args = remote.ConnectListAllDomainsArgs(need_results=1, flags=0)
        found = iter((await ask(remote.CONNECT_LIST_ALL_DOMAINS, args)).domains)
        records: list[remote.DomainStatsRecord] = []
        while some := list(islice(found, AT_ONCE)):
            stats = remote.ConnectGetAllDomainStatsArgs(doms=some, stats=_STATS, flags=_NOWAIT)
            records += (await ask(remote.CONNECT_GET_ALL_DOMAIN_STATS, stats)).ret_stats
        return Figures(info, memory.free_mem, records)


async def _nothing() -> None:
    """There is nothing to do when the connection is open."""


def declare_domains(metrics: Metrics, hosts: Iterable[Host]) -> None:
    """Declare the figures of hosts, and how old they are."""
    known = list(hosts)
    metrics.gauge("virtproxy_domains_up", "1 if the daemon of the URI answered when it was last asked for figures.",
                  lambda: [((host.uri,), host.up) for host in known], "uri")  # fmt: skip
    metrics.gauge("virtproxy_domains_age_seconds", "How old the figures of the URI are.",
                  lambda: [((host.uri,), host.age) for host in known if host.age is not None], "uri")  # fmt: skip
    pages: list[Callable[[], bytes]] = [host.page for host in known]
    metrics.pages.append(lambda: merged(page() for page in pages))


def merged(pages: Iterable[bytes]) -> bytes:
    """Return one page of several that have the same metrics: Prometheus wants all samples of one together."""
    families: dict[bytes, list[bytes]] = {}
    for text in pages:
        for family in (b"\n" + text).split(_FAMILY)[1:]:
            about, kind, samples = (family.rstrip(b"\n") + b"\n").split(b"\n", 2)
            families.setdefault(_FAMILY[1:] + about + b"\n" + kind + b"\n", []).append(samples)
    return b"".join(head + b"".join(samples) for head, samples in families.items())
