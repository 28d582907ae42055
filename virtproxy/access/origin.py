# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which error domain a refusal of a public function carries.

libvirt stamps an error with the domain of the source file that raised it, and a public function's file
follows from what the function is about. The read-only gate and the drivers' "not supported" read it.
"""

from __future__ import annotations

from typing import Any

from virtproxy.protocol.errors import ErrorDomain
from virtproxy.protocol.schema import Family, Procedure

_BY_FAMILY = {
    Family.INTERFACE: ErrorDomain.INTERFACE,
    Family.NETWORK: ErrorDomain.NETWORK,
    Family.NODEDEV: ErrorDomain.NODEDEV,
    Family.NWFILTER: ErrorDomain.NWFILTER,
    Family.SECRET: ErrorDomain.SECRET,
    Family.STORAGE: ErrorDomain.STORAGE,
}


def error_domain(procedure: Procedure[Any, Any]) -> ErrorDomain:
    """The domain of errors that the public function behind `procedure` raises itself."""
    api = procedure.api or ""
    if api.startswith(("virDomainQemu", "virConnectDomainQemu", "virDomainLxc")):
        return ErrorDomain.NONE
    if "Checkpoint" in api:
        return ErrorDomain.DOMAIN_CHECKPOINT
    if "Snapshot" in api:
        return ErrorDomain.DOMAIN_SNAPSHOT
    if api.startswith("virNodeDevice"):
        return ErrorDomain.NODEDEV
    return _BY_FAMILY.get(procedure.family, ErrorDomain.DOMAIN)
