# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's public enumerations, all under one name: `enums.StorageVolDeleteFlags.ZEROED`."""

# ruff: noqa: F403
from __future__ import annotations

from virtproxy.protocol.enums.connect import *
from virtproxy.protocol.enums.domain import *
from virtproxy.protocol.enums.domain_block import *
from virtproxy.protocol.enums.domain_events import *
from virtproxy.protocol.enums.domain_guest_info import *
from virtproxy.protocol.enums.domain_job import *
from virtproxy.protocol.enums.domain_params import *
from virtproxy.protocol.enums.domain_snapshot import *
from virtproxy.protocol.enums.domain_state import *
from virtproxy.protocol.enums.domain_stats import *
from virtproxy.protocol.enums.host import *
from virtproxy.protocol.enums.interface import *
from virtproxy.protocol.enums.limits import *
from virtproxy.protocol.enums.network import *
from virtproxy.protocol.enums.nodedev import *
from virtproxy.protocol.enums.nwfilter import *
from virtproxy.protocol.enums.params import *
from virtproxy.protocol.enums.qemu import *
from virtproxy.protocol.enums.secret import *
from virtproxy.protocol.enums.storage import *
from virtproxy.protocol.enums.stream import *
from virtproxy.protocol.enums.typed_param import *
