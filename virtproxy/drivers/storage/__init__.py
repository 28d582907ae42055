# SPDX-License-Identifier: LGPL-2.1-or-later
"""The storage driver, what virtstoraged serves: pools and volumes, in libvirt's own files."""

from __future__ import annotations

from virtproxy.drivers.storage.driver import StorageDriver

__all__ = ["StorageDriver"]
