# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lxc program: one call that only the LXC driver serves.
"""

from __future__ import annotations

from virtproxy.protocol.common import NonnullDomain
from virtproxy.protocol.schema import DENIED, Program
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import UInt

PROGRAM = Program(0x00068000, 1, "lxc")
procedure = PROGRAM.procedure


class DomainOpenNamespaceArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_OPEN_NAMESPACE = procedure(
    1, "DOMAIN_OPEN_NAMESPACE", DomainOpenNamespaceArgs, None,
    readonly=DENIED, acl=("domain:open_namespace",), api="virDomainLxcOpenNamespace", fds="out",
)
