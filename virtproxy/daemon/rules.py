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
    from virtproxy.access.decision import Decider
    from virtproxy.auth.polkit import Authority


def stage_makers(plan: Plan, polkit: Authority | None) -> tuple[StageMaker, ...]:
    """Return what each session of the daemon puts between its client and its backends: first the outermost."""
    makers: list[StageMaker] = [*_limits(plan.settings), ReadonlyStage]
    decider = _decider(plan, polkit)
    if decider is not None:
        # Only a daemon with access rules pays for loading them.
        from virtproxy.routing.rules.access import AccessRule

        access = AccessRule(decider, hides=plan.policy is not None, owners=plan.owners)
        makers.append(access)
        if plan.policy is not None:
            makers.extend(document_rules(plan.policy, plan.owners, access))
    return tuple(makers)


def _decider(plan: Plan, polkit: Authority | None) -> Decider | None:
    if polkit is None or not asks_polkit(plan.settings, "access_drivers"):
        return plan.policy
    from virtproxy.access.both import BothDecider
    from virtproxy.access.polkit import PolkitDecider

    return PolkitDecider(polkit) if plan.policy is None else BothDecider(plan.policy, PolkitDecider(polkit))


def _limits(settings: Settings) -> list[StageMaker]:
    makers: list[StageMaker] = []
    deadlines = call_deadlines(settings)
    if deadlines:
        makers.append(DeadlineRule(deadlines, settings.number("max_client_requests")))
    if settings.number("max_backend_requests"):
        makers.append(BulkheadRule(settings.number("max_backend_requests")))
    return makers
