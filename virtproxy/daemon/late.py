# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parts of a daemon that only some have, for ``service``: who has them not does not load them.

It must not decide anything: the plan says what there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtproxy.daemon.plan import Plan
from virtproxy.rpc.reactor import StreamReactor

if TYPE_CHECKING:
    from virtproxy.daemon.audit_log import AuditLog
    from virtproxy.daemon.certificates import Certificates
    from virtproxy.daemon.measuring import Measuring
    from virtproxy.daemon.metrics import Metrics
    from virtproxy.daemon.metrics_state import State
    from virtproxy.routing.measured import Measurements


def audit_of(plan: Plan, reactor: StreamReactor) -> AuditLog | None:
    """Return the audit trail, not open yet; None if the daemon writes none."""
    if plan.audit is None:
        return None
    from virtproxy.daemon.audit_log import AuditLog

    return AuditLog(plan.audit, plan.row.name, reactor)


def certificates_of(plan: Plan, reactor: StreamReactor) -> Certificates | None:
    """Return the certificates that clients are shown; None if the daemon does not speak TLS."""
    if plan.tls is None:
        return None
    from virtproxy.daemon.certificates import certificates_on

    return certificates_on(reactor, plan.tls, plan.settings.number("tls_expiry_warning_days"))


def measuring_of(
    plan: Plan, reactor: StreamReactor, metrics: Metrics, measurements: Measurements | None, state: State
) -> Measuring | None:
    """Return what shows the daemon's metrics, None where nobody asks for them."""
    if plan.metrics is None or measurements is None:
        return None
    from virtproxy.daemon.measuring import Measuring

    return Measuring(reactor, plan.metrics, metrics, measurements, state)
