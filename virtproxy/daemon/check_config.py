# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ``--check-config`` does: says everything that is wrong with a daemon's configuration, and starts nothing.

Called by ``run`` and the twistd plugins. It makes the plan that a start would make, so that what passes here starts,
unless a socket or the pid file is taken. It must create nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from virtproxy.daemon import config
from virtproxy.daemon.failure import ConfigError, StartupError
from virtproxy.daemon.options import DaemonOptions
from virtproxy.daemon.paths import places
from virtproxy.daemon.plan import make_plan
from virtproxy.daemon.settings import Settings


def check_config(options: DaemonOptions, environ: Mapping[str, str], uid: int) -> int:
    """Print mistakes and warnings on standard error, a line each, and a summary; return the exit status."""
    path = options.config_file or places(environ, uid).config_file(options.row)
    mistakes = list(_mistakes(options, path))
    if not mistakes:
        try:
            plan = make_plan(options, environ, uid)
        except StartupError as error:
            mistakes = [error.message]
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    if mistakes:
        return 1
    warnings = list(plan.warnings)
    if not options.row.served:
        warnings.append(f"{options.row.name} has no driver in this version, and would not start")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    found = _counted(len(plan.settings.set_keys()), "setting") if os.path.exists(path) else "not there, all is default"
    print(f"{path}: {found}, no mistakes, {_counted(len(warnings), 'warning')}")
    return 0


def _mistakes(options: DaemonOptions, path: str) -> Iterator[str]:
    """Every setting whose value cannot be, one by one: a start would stop at the first."""
    try:
        entries = config.read(path)
    except ConfigError:
        return  # missing, which may be no mistake, or no configuration file at all: the plan says so
    for entry in entries:
        try:
            Settings(options.row, path, [entry])
        except ConfigError as error:
            yield error.message


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
