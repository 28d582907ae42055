# SPDX-License-Identifier: LGPL-2.1-or-later
"""The owners of things, as a daemon with a policy keeps them.

``plan`` asks it: a file that cannot be read ends the start, as owners who lost what is theirs would be worse.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.paths import Places
from virtproxy.daemon.settings import Settings

if TYPE_CHECKING:
    from virtproxy.access.owners import Owners
    from virtproxy.access.policy.decider import PolicyDecider


def owners_of(settings: Settings, row: Row, where: Places, policy: PolicyDecider | None) -> Owners | None:
    """The owners that a daemon with this policy keeps; None without a policy. Raises StartupError."""
    if policy is None:
        return None
    from virtproxy.access.owners import Owners, OwnersError

    path = settings.text("policy_owners_file") or os.path.join(where.state_dir, f"{row.name}-owners.json")
    if not os.path.isabs(path):
        raise settings.error("policy_owners_file", f'policy_owners_file must be an absolute path, not "{path}"')
    try:
        return Owners(Path(path), policy.owner_of)
    except OwnersError as error:
        raise StartupError(f"{settings.place('policy_owners_file')}: {error}", ExitCode.CONFIGURATION) from None
