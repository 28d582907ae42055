# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver, `test:///default`: a pretended host in memory, for demonstrations and for tests of clients.

All its clients share one host; when the last one leaves, everything is put back as it was. Nothing outside
the process is changed.
"""

from __future__ import annotations

from virtproxy.drivers.test.agent import Agent
from virtproxy.drivers.test.checkpoints import Checkpoints
from virtproxy.drivers.test.cpu_models import CpuModels
from virtproxy.drivers.test.devices import Devices
from virtproxy.drivers.test.fake import Fake
from virtproxy.drivers.test.interfaces import Interfaces
from virtproxy.drivers.test.iothreads import Iothreads
from virtproxy.drivers.test.lifecycle import Lifecycle
from virtproxy.drivers.test.lookups import Lookups
from virtproxy.drivers.test.memory import Memory
from virtproxy.drivers.test.metadata import Metadata
from virtproxy.drivers.test.networks import Networks
from virtproxy.drivers.test.nodedevs import NodeDevices
from virtproxy.drivers.test.rates import Rates
from virtproxy.drivers.test.reports import Reports
from virtproxy.drivers.test.saving import Saving
from virtproxy.drivers.test.snapshots import Snapshots
from virtproxy.drivers.test.tuning import Tuning
from virtproxy.drivers.test.vcpus import Vcpus
from virtproxy.drivers.test.volumes import Volumes

__all__ = ["TestDriver"]


class Domains(
    Lookups, Lifecycle, Reports, Vcpus, Memory, Iothreads, Tuning, Rates, Metadata, Agent, Devices, Saving,
    Snapshots, Checkpoints, CpuModels,
):  # fmt: skip
    """The domains and what belongs to them."""

    __test__ = False


class TestDriver(Fake, Domains, Networks, Interfaces, Volumes, NodeDevices):
    """The whole driver."""

    __test__ = False
