# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ``--check-config`` does: says everything that is wrong with a daemon's configuration, and starts nothing.

Called by ``run`` and the twistd plugins. It makes the plan that a start would make, so that what passes here starts,
unless a socket or the pid file is taken. It must create nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from virtproxy.daemon import config
from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.config import Setting
from virtproxy.daemon.failure import ConfigError, StartupError
from virtproxy.daemon.options import DaemonOptions
from virtproxy.daemon.paths import places
from virtproxy.daemon.plan import make_plan
from virtproxy.daemon.settings import Settings


def check_config(options: DaemonOptions, environ: Mapping[str, str], uid: int) -> int:
    """Print mistakes and warnings on standard error, a line each, and a summary; return the exit status."""
    path = options.config_file or places(environ, uid).config_file(options.row)
    mistakes, warnings, count = _read(options.row, path)
    if not mistakes:
        try:
            warnings = list(make_plan(options, environ, uid).warnings)
        except StartupError as error:
            mistakes = [error.message]
    if not options.row.served:
        warnings.append(f"{options.row.name} has no driver in this version, and would not start")
    for line in (*mistakes, *(f"warning: {warning}" for warning in warnings)):
        print(line, file=sys.stderr)
    if mistakes:
        return 1
    found = _counted(count, "setting") if os.path.exists(path) else "not there, all is default"
    print(f"{path}: {found}, no mistakes, {_counted(len(warnings), 'warning')}")
    return 0


def _read(row: Row, path: str) -> tuple[list[str], list[str], int]:
    """Every mistake in the settings of a file, where a start would stop at the first; warnings; how many it sets."""
    try:
        entries = config.read(path)
    except ConfigError:
        return [], [], 0  # missing, which may be no mistake, or no configuration file at all: the plan says so
    mistakes: list[str] = []
    good: list[Setting] = []
    for entry in entries:
        try:
            Settings(row, path, [entry])
        except ConfigError as error:
            mistakes.append(error.message)
        else:
            good.append(entry)
    settings = Settings(row, path, good)
    return mistakes, settings.warnings, len(settings.set_keys())


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
