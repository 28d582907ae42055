# SPDX-License-Identifier: LGPL-2.1-or-later
"""The token by which a host's daemons know each other: who has it speaks as a daemon, and sees private secrets.

libvirt's daemons and these share it: 32 hexadecimal digits in RUN/common/system.token, mode 0600 (so only root, or the
one user, can read it), made by the first that needs it. Peers show it, the edge checks what is shown. It must not be
logged.
"""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress

from twisted.logger import Logger

DIGITS = 32
_log = Logger()


class SystemToken:
    """The token of the daemons whose sockets are in `run_dir`; read, or made, when it is first needed."""

    def __init__(self, run_dir: str) -> None:
        self.path = os.path.join(run_dir, "common", "system.token")
        self._text: str | None = None

    def text(self) -> str | None:
        """The token; None, and a line in the log, if it can neither be read nor made."""
        if self._text is None:
            try:
                self._text = self._read() or self._make()
            except OSError as error:
                _log.error("the token {path} cannot be used: {error}", path=self.path, error=error.strerror)
        return self._text

    def proves(self, shown: str) -> bool:
        """Whether who shows this is a daemon of this host."""
        own = self.text()
        return own is not None and hmac.compare_digest(shown.encode(), own.encode())

    def _read(self) -> str | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        with open(fd, encoding="ascii", errors="replace") as file:
            text = file.read(DIGITS)
        return text if len(text) == DIGITS and set(text) <= set("0123456789abcdef") else None

    def _make(self) -> str:
        """A whole token appears at once, and the first one stays; what is there and no token is replaced."""
        directory = os.path.dirname(self.path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        fresh = f"{self.path}.{os.getpid()}"
        text = secrets.token_hex(DIGITS // 2)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "w", encoding="ascii") as file:
                file.write(text)
            if os.path.lexists(self.path):
                os.replace(fresh, self.path)
                return text
            with suppress(FileExistsError):
                os.link(fresh, self.path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(fresh)
        return self._read() or text
