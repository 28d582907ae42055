# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules on documents and quotas of a daemon with a policy, and what they need to be installed.

``plan`` has it checked at the start; ``rules`` puts the rules behind the access rules.
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


def document_rules(policy: PolicyDecider, owners: Owners | None, access: AccessRule) -> tuple[StageMaker, ...]:
    """Return what makes the stages that judge documents and keep quotas, in their order."""
    from virtproxy.routing.rules.documents import Documents
    from virtproxy.routing.rules.quota import Quotas

    judged = Documents(policy, owners, access.directories_of)
    return (judged,) if owners is None else (judged, Quotas(policy, owners, access.directories_of))
