# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's command-line options of a daemon, for the console scripts and for ``twistd``.

One class serves both; ``options_for`` makes it one daemon's. It must open nothing.
"""

from __future__ import annotations

import os
import sys
from typing import ClassVar, NoReturn

from twisted.python import usage

from virtproxy import __version__
from virtproxy.daemon.catalogue import Kind, Row
from virtproxy.daemon.idle import TIMEOUT_MAX

_FLAGS: list[list[str | None]] = [
    ["verbose", "v", "log from the level info up"],
    ["daemon", "d", "run in the background"],
    ["check-config", None, "say what is wrong with the configuration, and exit: 0 if nothing is"],
]
_LISTEN: list[str | None] = ["listen", "l", "listen on TCP and TLS as the configuration says"]
_PARAMETERS: list[list[object]] = [
    ["config", "f", None, "the configuration file"],
    ["timeout", "t", 0, "exit after SECONDS without a client; 0 is never"],
    ["pid-file", "p", None, "the file that holds the process id"],
]


class DaemonOptions(usage.Options):
    """The options of one daemon; after parsing, the properties say what was asked for."""

    row: ClassVar[Row]
    optFlags: ClassVar[list[list[str | None]]] = _FLAGS
    optParameters: ClassVar[list[list[object]]] = _PARAMETERS
    # Below the options in the help text.
    longdesc = (
        "Without --config, the system's daemon reads its file in /etc/libvirt, and a user's own daemon "
        "in $XDG_CONFIG_HOME/libvirt. The environment variable VIRTPROXY_REACTOR chooses the event loop: "
        "default, asyncio, epoll, poll or select."
    )

    def getSynopsis(self) -> str:
        """Return the first line of the help text."""
        return f"Usage: {self.row.name} [options]"

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        print(f"{self.row.name} (virtproxy) {__version__}")
        sys.exit(0)

    opt_V = opt_version
    opt_h = usage.Options.opt_help

    def parseArgs(self, *args: str) -> None:
        """Refuse words that are no options."""
        if args:
            raise usage.UsageError(f"{self.row.name} takes options only, not {args[0]!r}")

    def postOptions(self) -> None:
        """Check the timeout, and make paths absolute: a daemon in the background leaves its directory."""
        self["timeout"] = _timeout(self["timeout"])
        for name in ("config", "pid-file"):
            if self[name] is not None:
                self[name] = os.path.abspath(self[name])

    @property
    def verbose(self) -> bool:
        return bool(self["verbose"])

    @property
    def background(self) -> bool:
        return bool(self["daemon"])

    @property
    def listens(self) -> bool:
        """Whether TCP and TLS may be used at all: libvirtd wants --listen for that."""
        return bool(self["listen"]) if "listen" in self else self.row.listens_on_network

    @property
    def asks_to_listen(self) -> bool:
        """Whether --listen was given; only libvirtd has it."""
        return "listen" in self and bool(self["listen"])

    @property
    def check_config(self) -> bool:
        """Whether the daemon is only to say what it thinks of its configuration."""
        return bool(self["check-config"])

    @property
    def config_file(self) -> str | None:
        return None if self["config"] is None else str(self["config"])

    @property
    def pid_file(self) -> str | None:
        return None if self["pid-file"] is None else str(self["pid-file"])

    @property
    def timeout(self) -> int:
        """Seconds without a client after which the daemon ends; 0 is never."""
        return int(self["timeout"])


def _timeout(text: object) -> int:
    try:
        seconds = int(str(text))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= TIMEOUT_MAX:
        raise usage.UsageError(f"--timeout must be a number of seconds from 0 to {TIMEOUT_MAX}, not {str(text)!r}")
    return seconds


def options_for(row: Row) -> type[DaemonOptions]:
    """Return the options class of ``row``'s daemon."""
    flags = [*_FLAGS, _LISTEN] if row.kind is Kind.MONOLITHIC else _FLAGS
    return type("Options", (DaemonOptions,), {"row": row, "optFlags": flags})
