# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clients of a daemon: their numbers, and how many may be connected at once.

``service`` asks before it serves a client and tells when one is authenticated or gone. At a limit the listeners
stop accepting, as libvirt's do, and new clients wait in the kernel's backlog. It must hold no socket.
"""

from __future__ import annotations

from collections.abc import Callable

from virtproxy.daemon.login_limit import LoginLimit


class Clients:
    """Counts clients against ``max_clients`` and, until they are let in, ``max_anonymous`` (0: no limit).

    ``accept`` is called with False when a limit is reached and with True when there is room again; ``changed``
    with the number of clients, for whoever waits for an idle daemon. ``logins`` is told who must still log in.
    """

    def __init__(
        self,
        max_clients: int,
        max_anonymous: int,
        accept: Callable[[bool], None],
        changed: Callable[[int], None] = lambda count: None,
        logins: LoginLimit | None = None,
    ) -> None:
        self._max_clients = max_clients
        self._max_anonymous = max_anonymous
        self._accept = accept
        self._changed = changed
        self._logins = logins
        self._last = 0
        self._was_full = False
        self._connected: set[int] = set()
        self._anonymous: set[int] = set()

    def __len__(self) -> int:
        return len(self._connected)

    @property
    def limits(self) -> tuple[int, int]:
        """How many may be connected, and how many of them anonymous (0: no limit)."""
        return self._max_clients, self._max_anonymous

    @limits.setter
    def limits(self, limits: tuple[int, int]) -> None:
        self._max_clients, self._max_anonymous = limits
        self._tell()

    @property
    def anonymous(self) -> int:
        """How many are not authenticated yet."""
        return len(self._anonymous)

    @property
    def full(self) -> bool:
        """Whether no more may come in now."""
        if len(self._connected) >= self._max_clients:
            return True
        return bool(self._max_anonymous) and len(self._anonymous) >= self._max_anonymous

    def joined(self) -> int | None:
        """Count a client that was just accepted and return its number; None if it must be closed at once."""
        if len(self._connected) >= self._max_clients:
            return None
        self._last += 1
        self._connected.add(self._last)
        self._anonymous.add(self._last)
        if self._logins is not None:
            self._logins.begin(self._last)
        self._tell()
        return self._last

    def authenticated(self, number: int) -> None:
        """The client ``number`` is known now."""
        self._no_longer_anonymous(number)
        self._tell()

    def left(self, number: int) -> None:
        """The client ``number`` is gone; saying so twice does nothing."""
        self._no_longer_anonymous(number)
        if number in self._connected:
            self._connected.remove(number)
            self._tell()

    def _no_longer_anonymous(self, number: int) -> None:
        self._anonymous.discard(number)
        if self._logins is not None:
            self._logins.end(number)

    def _tell(self) -> None:
        if self.full != self._was_full:
            self._was_full = self.full
            self._accept(not self._was_full)
        self._changed(len(self._connected))
