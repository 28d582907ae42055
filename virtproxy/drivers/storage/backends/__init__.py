# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types of pools that run on this host, by name; of every other type the answer is that its backend is missing."""

from __future__ import annotations

from virtproxy.documents.storage import POOL_NUMBERS
from virtproxy.driver import Place
from virtproxy.drivers.storage.backends.base import Backend
from virtproxy.drivers.storage.backends.directory import Directory
from virtproxy.drivers.storage.backends.disk import Disk
from virtproxy.drivers.storage.backends.filesystem import FileSystem, Network
from virtproxy.drivers.storage.backends.iscsi import Iscsi
from virtproxy.drivers.storage.backends.logical import VolumeGroup
from virtproxy.drivers.storage.errors import internal

BACKENDS: dict[str, type[Backend]] = {
    "dir": Directory,
    "fs": FileSystem,
    "netfs": Network,
    "logical": VolumeGroup,
    "disk": Disk,
    "iscsi": Iscsi,
}


class Backends:
    """One of each, made when first needed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._made: dict[str, Backend] = {}

    def get(self, type: str) -> Backend:
        """The backend of a type; VirtError INTERNAL_ERROR if there is none."""
        if type not in self._made:
            if type not in BACKENDS:
                raise internal(f"missing backend for pool type {POOL_NUMBERS[type]} ({type})")
            self._made[type] = BACKENDS[type](self._place)
        return self._made[type]
