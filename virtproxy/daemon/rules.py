# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stages that a daemon's settings ask for, in the order in which a call passes them.

Called by ``service`` once, before it serves anybody. A new rule is one entry here. It must decide nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtproxy.daemon.call_deadlines import call_deadlines
from virtproxy.daemon.documents_rule import document_rules
from virtproxy.daemon.plan import Plan
from virtproxy.daemon.polkit import asks_polkit
from virtproxy.daemon.settings import Settings
from virtproxy.routing.rules.bulkhead import BulkheadRule
from virtproxy.routing.rules.deadline import DeadlineRule
from virtproxy.routing.rules.readonly import ReadonlyStage
from virtproxy.routing.stages import StageMaker

if TYPE_CHECKING:
    from virtproxy.auth.polkit import Authority


def stage_makers(plan: Plan, polkit: Authority | None) -> tuple[StageMaker, ...]:
    """Return what each session of the daemon puts between its client and its backends: first the outermost."""
    makers: list[StageMaker] = [*_limits(plan.settings), ReadonlyStage]
    if polkit is not None and asks_polkit(plan.settings, "access_drivers"):
        from virtproxy.access.polkit import PolkitDecider
        from virtproxy.routing.rules.access import AccessRule

        makers.append(AccessRule(PolkitDecider(polkit), hides=False))
    if plan.policy is not None:
        # Only a daemon with a policy pays for loading it.
        from virtproxy.routing.rules.access import AccessRule

        access = AccessRule(plan.policy, hides=True, owners=plan.owners)
        makers.append(access)
        makers.extend(document_rules(plan.policy, plan.owners, access))
    return tuple(makers)


def _limits(settings: Settings) -> list[StageMaker]:
    makers: list[StageMaker] = []
    deadlines = call_deadlines(settings)
    if deadlines:
        makers.append(DeadlineRule(deadlines, settings.number("max_client_requests")))
    if settings.number("max_backend_requests"):
        makers.append(BulkheadRule(settings.number("max_backend_requests")))
    return makers
