# SPDX-License-Identifier: LGPL-2.1-or-later
"""The domain's documents: a domain, its snapshots and its checkpoints, as every hypervisor driver shares them.

Import from here: the modules below are its own affair.
"""

from __future__ import annotations

from virtproxy.documents.domain.device import Device
from virtproxy.documents.domain.layout import Host
from virtproxy.documents.domain.model import INACTIVE, MIGRATABLE, SECURE, UPDATE_CPU, DomainDocument
from virtproxy.documents.domain.moments import CheckpointDocument, SnapshotDocument

__all__ = [
    "INACTIVE",
    "MIGRATABLE",
    "SECURE",
    "UPDATE_CPU",
    "CheckpointDocument",
    "Device",
    "DomainDocument",
    "Host",
    "SnapshotDocument",
]
