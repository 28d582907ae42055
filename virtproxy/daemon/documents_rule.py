# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rule on documents of a daemon with a policy, and what it needs to be installed.

``plan`` has it checked at the start; ``rules`` puts the rule behind the access rules.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from virtproxy.daemon.failure import ExitCode, StartupError

if TYPE_CHECKING:
    from virtproxy.access.owners import Owners
    from virtproxy.access.policy.decider import PolicyDecider
    from virtproxy.routing.rules.access import AccessRule
    from virtproxy.routing.stages import StageMaker


def check_documents(place: str) -> None:
    """Check that documents can be read; ``place`` is where the policy is named. Raises StartupError."""
    if find_spec("lxml") is None:
        raise StartupError(
            f"{place}: a policy reads documents with lxml, which is not installed: "
            "install it with pip install 'virtproxy[policy]' or as Debian's python3-lxml",
            ExitCode.CONFIGURATION,
        )


def documents(policy: PolicyDecider, owners: Owners | None, access: AccessRule) -> StageMaker:
    """Return what makes the stages that judge documents."""
    from virtproxy.routing.rules.documents import Documents

    return Documents(policy, owners, access.directories_of)
