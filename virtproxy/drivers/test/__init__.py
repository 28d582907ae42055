# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver, `test:///default`: a pretended host in memory, for demonstrations and for tests of clients.

All its clients share one host; when the last one leaves, everything is put back as it was. Nothing outside
the process is touched.
"""

from __future__ import annotations

from virtproxy.drivers.test.figures import Figures
from virtproxy.drivers.test.interfaces import Interfaces
from virtproxy.drivers.test.lifecycle import Lifecycle
from virtproxy.drivers.test.lookups import Lookups
from virtproxy.drivers.test.networks import Networks
from virtproxy.drivers.test.nodedevs import NodeDevices
from virtproxy.drivers.test.pools import Pools
from virtproxy.drivers.test.reports import Reports
from virtproxy.drivers.test.settings import Settings
from virtproxy.drivers.test.snapshots import Snapshots

__all__ = ["TestDriver"]


class TestDriver(Lookups, Lifecycle, Settings, Reports, Figures, Snapshots, Networks, Interfaces, Pools, NodeDevices):
    """The whole driver."""

    __test__ = False
