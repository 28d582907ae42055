# SPDX-License-Identifier: LGPL-2.1-or-later
"""The directory of a daemon's sockets and, in session mode, of its pid file: made if it is not there.

Called by ``lifecycle`` before anything is opened. It must not change a directory that is there already.
"""

from __future__ import annotations

import os
import stat

from virtproxy.daemon.failure import ExitCode, StartupError, reason
from virtproxy.daemon.plan import Plan


def make_run_dir(plan: Plan) -> None:
    """Make the mode's own directory if anything goes into it; in session mode nobody else may look into it.

    Raises StartupError if it cannot be made, or if somebody else could take a user's daemon's place in it.
    """
    run_dir = plan.places.run_dir
    files = (plan.pid_file, *(endpoint.path for endpoint in plan.unix))
    if run_dir not in map(os.path.dirname, files):
        return
    before = os.umask(0o022 if plan.places.is_system else 0o077)
    try:
        os.makedirs(run_dir, exist_ok=True)
        found = os.stat(run_dir)
    except OSError as error:
        raise StartupError(f"cannot make the directory {run_dir}: {reason(error)}", ExitCode.RUNDIR) from None
    finally:
        os.umask(before)
    if not plan.places.is_system:
        _check_own(run_dir, found)


def _check_own(run_dir: str, found: os.stat_result) -> None:
    """Whoever may write there can put a socket of theirs in the place of this daemon's, for its user to talk to."""
    if found.st_uid != os.geteuid():
        problem = "belongs to another user, who could take this daemon's place"
    elif found.st_mode & stat.S_IWOTH:
        problem = "may be written by everybody, so that anybody could take this daemon's place"
    else:
        return
    advice = "set XDG_RUNTIME_DIR to a directory of your own"
    raise StartupError(f"the directory {run_dir} {problem}: {advice}", ExitCode.RUNDIR)
