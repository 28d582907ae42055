# SPDX-License-Identifier: LGPL-2.1-or-later
"""The storage driver: its calls are in `lists`, `pools`, `volumes` and `content`, what they share in `state`."""

from __future__ import annotations

from urllib.parse import urlsplit

from virtproxy.drivers.storage.content import Content
from virtproxy.drivers.storage.errors import internal
from virtproxy.drivers.storage.lists import Lists
from virtproxy.drivers.storage.pools import Pools
from virtproxy.drivers.storage.volumes import Volumes


class StorageDriver(Lists, Pools, Volumes, Content):
    """All pools and volumes of a host, or of a user."""

    def check_uri(self, uri: str) -> None:
        """Take storage:///system or storage:///session, whichever this daemon is; VirtError for anything else."""
        super().check_uri(uri)
        path, own = urlsplit(uri).path, f"/{self.place.mode}"
        if path != own:
            raise internal(f"unexpected storage URI path '{path}', try storage://{own}")
