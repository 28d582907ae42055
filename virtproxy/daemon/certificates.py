# SPDX-License-Identifier: LGPL-2.1-or-later
"""The certificates of a running daemon: taken over when their files change, and watched for their end.

``service`` asks it for the TLS of each new client. Files that cannot be used leave everything as it is, with a
warning; connections that are there keep what they began with. It must not open a socket.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from cryptography import x509
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from virtproxy.auth.tls import ServerTls, TlsSettings, TlsSetupError
from virtproxy.auth.tls_expiry import expiries, expiry_warnings, shown_name
from virtproxy.auth.tls_files import Credentials, validity
from virtproxy.daemon.reload import FileWatch, InThread, in_threads_of, watch_files
from virtproxy.rpc.reactor import Clock

DAY_SECONDS = 86400.0
_UNCHANGED = "The TLS files say what they said before"

# Makes the watch of some files, given whom to tell.
WatchMaker = Callable[[list[str], Callable[[], Coroutine[Any, Any, None]]], FileWatch]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Certificates:
    """Has the TLS that new clients get, as ``tls``; ``warning_days`` before something ends it begins to warn."""

    _log = Logger()

    def __init__(
        self,
        tls: ServerTls,
        warning_days: int,
        clock: Clock,
        in_thread: InThread,
        watch: WatchMaker,
        now: Callable[[], datetime.datetime] = _now,
    ) -> None:
        self.tls = tls
        self._warning_days = warning_days
        self._clock = clock
        self._in_thread = in_thread
        self._now = now
        self._watch = watch(paths_of(tls.settings), self._files_changed)
        self._daily: IDelayedCall | None = None
        self._reading = DeferredLock()
        # Why what the files held last was not taken over; None if it was.
        self.refused: str | None = None

    def start(self) -> None:
        """Warn of what ends soon, and begin to watch the files."""
        self._warn_daily()
        self._watch.start()

    def stop(self) -> None:
        """Watch and warn no more."""
        self._watch.stop()
        if self._daily is not None and self._daily.active():
            self._daily.cancel()

    async def reload_tls(self) -> str:
        """Read the files now; new clients get what they hold if it can be used. Returns what became of it.

        The sentence is in the log too. Never raises; without blocking, the files are read in a thread.
        """
        return await self._take_over(asked=True)

    def days_left(self) -> Iterator[tuple[tuple[str, str], float]]:
        """For a metric: ((file, subject), days until it ends) of everything that new clients are served with."""
        now, left = self._now(), dict[tuple[str, str], float]()
        for one in expiries(self.tls.settings, self.tls.credentials):
            name = (str(one.file), one.subject)
            # A renewed authority stands beside its former self, under the same name.
            left[name] = min(round(one.days_left(now), 3), left.get(name, math.inf))
        yield from left.items()

    async def _files_changed(self) -> None:
        await self._take_over(asked=False)

    async def _take_over(self, *, asked: bool) -> str:
        # One reading after another: the last one is then the newest.
        await self._reading.acquire()
        try:
            return await self._read(asked=asked)
        finally:
            self._reading.release()

    async def _read(self, *, asked: bool) -> str:
        new, old = ServerTls(self.tls.settings), self.tls
        try:
            different, warnings = await self._in_thread(lambda: _try(new, old))
        except TlsSetupError as error:
            return self._kept(str(error))
        except Exception as error:
            # Files can hold what no parser of ours has met: they must not end the service.
            self._log.failure("certificates could not be read")
            return self._kept(f"a file cannot be understood ({type(error).__name__})")
        self.refused = None
        if not (different or asked):
            return _UNCHANGED
        outcome = self._taken(new, old) if different else _UNCHANGED
        self._log.info("{outcome}", outcome=outcome)
        for warning in warnings:
            self._log.warn("{warning}", warning=warning)
        self._warn_of_ends()
        return outcome

    def _kept(self, why: str) -> str:
        outcome = f"The TLS files were not taken over, new clients get what was there before: {why}"
        self._log.warn("{outcome}", outcome=outcome)
        self.refused = why
        return outcome

    def _taken(self, new: ServerTls, old: ServerTls) -> str:
        self.tls = new
        changed = ", ".join(_changes(new.settings, new.credentials, old.credentials))
        return f"The TLS files were taken over for new clients: {changed}"

    def _warn_daily(self) -> None:
        self._warn_of_ends()
        self._daily = self._clock.callLater(DAY_SECONDS, self._warn_daily)

    def _warn_of_ends(self) -> None:
        found = expiries(self.tls.settings, self.tls.credentials)
        for warning in expiry_warnings(found, self._now(), self._warning_days):
            self._log.warn("{warning}", warning=warning)


def certificates_on(reactor: Any, tls: ServerTls, warning_days: int) -> Certificates:
    """Return the certificates of a daemon that runs on ``reactor``, a whole one; ``tls`` has passed its check."""
    return Certificates(tls, warning_days, reactor, in_threads_of(reactor), partial(watch_files, reactor))


def paths_of(settings: TlsSettings) -> list[str]:
    """The files that TLS reads, whether they are there or not."""
    files = (settings.cert_file, settings.key_file, settings.ca_file, settings.crl_file)
    return [str(file) for file in files if file is not None]


def _try(candidate: ServerTls, old: ServerTls) -> tuple[bool, list[str]]:
    """In a thread: whether ``candidate`` differs from ``old``, and its warnings. TlsSetupError if it cannot serve."""
    warnings = candidate.check()
    return candidate.check_replacement(old), warnings


def _changes(settings: TlsSettings, new: Credentials, old: Credentials) -> Iterator[str]:
    if new.chain != old.chain:
        yield f"cert_file {settings.cert_file} with {_described(new.chain[0])}"
    if new.authorities != old.authorities:
        yield f"ca_file {settings.ca_file} with " + " and ".join(map(_described, new.authorities))
    if new.revocations != old.revocations:
        revoked = sum(map(len, new.revocations))
        yield f"crl_file {settings.crl_file} with {revoked} certificate{'' if revoked == 1 else 's'} revoked"


def _described(certificate: x509.Certificate) -> str:
    until = validity(certificate)[1]
    return (
        f'the certificate of "{shown_name(certificate.subject)}", serial number {certificate.serial_number:x}, '
        f"valid until {until:%Y-%m-%d %H:%M:%S} UTC"
    )
