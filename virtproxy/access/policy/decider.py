# SPDX-License-Identifier: LGPL-2.1-or-later
"""A policy as the stages ask it: about permissions, about the claims of documents, about quotas.

One decider serves a daemon from its start to its end; `replace` puts another policy in its place, after which every
session is to be refreshed. It answers at once and does no I/O but the look-up of a new caller's groups.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from virtproxy.access.claims.model import Claim
from virtproxy.access.decision import GRANTED, Decision, Thing
from virtproxy.access.policy.policy import Policy
from virtproxy.access.policy.quotas import Quota, Usage
from virtproxy.access.policy.who import owner_key
from virtproxy.identity import Identity


class PolicyDecider:
    """Implements `access.decision.Decider` and `access.claims.model.Judge` for the policy in force.

    A `Thing` that a call is about to make belongs, for its decision, to the caller: give it `owner_of(identity)` as
    its owner. In report mode what would be refused is granted with `pretended` set, and it is the asker who logs it.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def replace(self, policy: Policy) -> None:
        """Put another policy in force."""
        self.policy = policy

    @property
    def reporting(self) -> bool:
        """Whether the policy is in report mode: it refuses nothing."""
        return self.policy.report

    def owner_of(self, identity: Identity) -> str | None:
        """The name under which the caller owns what it defines ("unix:alice"); None if it can own nothing."""
        return owner_key(identity)

    def profile(self, identity: Identity) -> Hashable:
        """As `Decider.profile`: equal for callers for whom the same rules of the same policy are."""
        return (self.policy.serial, self.policy.standing_of(identity).rules)

    def always(self, identity: Identity, kind: str, permission: str) -> bool | None:
        """As `Decider.always`."""
        return self.policy.profile_of(identity).always(kind, permission)

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision:
        """As `Decider.decide`. `missing` reads "domain:start on domain 'web1'", `rule` "policy.toml:12 grant ..."."""
        return self.policy.profile_of(identity).decide(permission, thing)

    def unlimited(self, identity: Identity) -> bool:
        """As `Judge.unlimited`."""
        return self.policy.profile_of(identity).unlimited

    def judge(self, identity: Identity, claims: Sequence[Claim]) -> Decision:
        """As `Judge.judge`."""
        return self.policy.profile_of(identity).judge(claims)

    def quota_of(self, identity: Identity) -> Quota:
        """The caller's limits; they hold for all that has the owner `owner_of(identity)`."""
        return self.policy.profile_of(identity).quota

    def judge_usage(self, identity: Identity, usage: Usage) -> Decision:
        """Whether the caller may have as much as `usage`, which counts all that it would own after the call."""
        over = self.quota_of(identity).over(usage)
        if over is None:
            return GRANTED
        missing, rule = over
        return Decision(self.reporting, rule, missing, pretended=self.reporting)
