# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must be granted beyond what libvirt asks for, where nothing may leak: under a policy.

The access stage asks for it, and `virtproxy policy explain` tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtproxy.access.rules import Rule
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure

STRICTER: Mapping[Procedure[Any, Any], tuple[Rule, ...]] = {
    # The source of a copy is read.
    remote.STORAGE_VOL_CREATE_XML_FROM: (Rule("storage_vol", "data_read"),),
    remote.DOMAIN_SET_SCHEDULER_PARAMETERS: (Rule("domain", "write"),),
}
