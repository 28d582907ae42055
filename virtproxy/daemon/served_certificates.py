# SPDX-License-Identifier: LGPL-2.1-or-later
"""The certificates of a daemon that speaks TLS, for ``service``; the others need not have OpenSSL at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtproxy.daemon.plan import Plan
from virtproxy.rpc.reactor import StreamReactor

if TYPE_CHECKING:
    from virtproxy.daemon.certificates import Certificates


def certificates_of(plan: Plan, reactor: StreamReactor) -> Certificates | None:
    """Return the certificates that clients are shown; None if the daemon does not speak TLS."""
    if plan.tls is None:
        return None
    # Only a daemon that speaks TLS pays for loading OpenSSL.
    from virtproxy.daemon.certificates import certificates_on

    return certificates_on(reactor, plan.tls, plan.settings.number("tls_expiry_warning_days"))
