# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki check`: what is wrong with the TLS files that a virtproxyd would use, and what to do about it.

pki.py calls it. It finds out which files those are, as virtproxyd itself does; pki_inspect.py looks at them. It only
reads, so it can be run beside a daemon that serves.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from virtproxy.auth.tls_settings import TlsSetupError
from virtproxy.cli.output import GREEN, RED, YELLOW, CommandError, paint
from virtproxy.cli.pki_inspect import FAULT, NOTE, WARNING, Finding, inspect
from virtproxy.cli.pki_permissions import Reader, reader_of
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.paths import SYSTEM, Places, session_places
from virtproxy.daemon.settings import Settings, load
from virtproxy.daemon.tls_plan import tls_settings

NEEDS_YOU = 3
_COLOURS = {FAULT: RED, WARNING: YELLOW, NOTE: GREEN}


def check(options: argparse.Namespace) -> int:
    """Show what was found; NEEDS_YOU if a fault is among it."""
    session = options.session or (os.geteuid() != 0 and not options.system)
    settings = _settings(options.config, session_places(os.environ, str(Path.home())) if session else SYSTEM, options)
    found = _look(settings, session, options)
    if options.json:
        print(json.dumps({"config": settings.path, "findings": [asdict(one) for one in found]}, indent=1))
    else:
        _show(settings, found)
    return NEEDS_YOU if any(one.level == FAULT for one in found) else 0


def _settings(config: Path | None, places: Places, options: argparse.Namespace) -> Settings:
    row = ROWS["virtproxyd"]
    path = str(config.absolute()) if config else places.config_file(row)
    try:
        return load(row, path, required=config is not None)
    except ConfigError as error:
        raise CommandError(error.message) from None


def _look(settings: Settings, session: bool, options: argparse.Namespace) -> list[Finding]:
    found = []
    if not settings.flag("listen_tls"):
        found.append(Finding(WARNING, settings.path, "listen_tls is not 1: this daemon does not speak TLS at all"))
    try:
        tls = tls_settings(settings, session=session)
    except TlsSetupError as error:
        return [*found, Finding(FAULT, settings.path, str(error))]
    now = datetime.datetime.now(datetime.UTC)
    return [*found, *inspect(tls, _reader(options.user, session), options.host, options.warn, now, options.dir)]


def _reader(user: str | None, session: bool) -> Reader:
    if user is None:
        return reader_of(os.geteuid() if session else 0)
    try:
        return reader_of(user)
    except KeyError:
        raise CommandError(f'there is no user "{user}" on this host') from None


def _show(settings: Settings, found: list[Finding]) -> None:
    for one in found:
        print(f"{paint(one.level, _COLOURS[one.level], sys.stdout)}: {one.problem}")
    faults = sum(one.level == FAULT for one in found)
    if faults:
        print(f"{faults} fault{'' if faults == 1 else 's'} in the TLS files of {settings.path}")
    else:
        print(f"a daemon with {settings.path} can serve TLS with these files")
