# SPDX-License-Identifier: LGPL-2.1-or-later
"""The remote program: everything its family files declare, under one name.

Imported by both ends of a connection. It declares nothing of its own.
"""

from __future__ import annotations

from virtproxy.protocol.auth import *  # noqa: F403
from virtproxy.protocol.common import *  # noqa: F403
from virtproxy.protocol.connect import *  # noqa: F403
from virtproxy.protocol.domain import *  # noqa: F403
from virtproxy.protocol.domain_block import *  # noqa: F403
from virtproxy.protocol.domain_events import *  # noqa: F403
from virtproxy.protocol.domain_guest import *  # noqa: F403
from virtproxy.protocol.domain_migrate import *  # noqa: F403
from virtproxy.protocol.domain_snapshot import *  # noqa: F403
from virtproxy.protocol.domain_tuning import *  # noqa: F403
from virtproxy.protocol.events import *  # noqa: F403
from virtproxy.protocol.interface import *  # noqa: F403
from virtproxy.protocol.network import *  # noqa: F403
from virtproxy.protocol.node import *  # noqa: F403
from virtproxy.protocol.nodedev import *  # noqa: F403
from virtproxy.protocol.nwfilter import *  # noqa: F403
from virtproxy.protocol.secret import *  # noqa: F403
from virtproxy.protocol.storage import *  # noqa: F403
