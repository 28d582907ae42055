# SPDX-License-Identifier: LGPL-2.1-or-later
"""The read-only gate: what a read-only connection may not call.

The read-only stage of each session asks here, before any backend hears of a call. The rule is the procedure's
declaration, the text is libvirt's.
"""

from __future__ import annotations

from typing import Any

from virtproxy.access.origin import error_domain
from virtproxy.errors import VirtError, operation_denied
from virtproxy.protocol.schema import Procedure


def refused(procedure: Procedure[Any, Any], args: Any) -> VirtError | None:
    """The error that a read-only caller gets for this call with these decoded arguments, or None if it may."""
    if not procedure.readonly.denies(args):
        return None
    return operation_denied(procedure.readonly.refusal(procedure.api or procedure.name), error_domain(procedure))
