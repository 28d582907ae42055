# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seam between whoever asks for a permission and whoever decides.

Drivers ask through their call. A decision knows the caller, the driver and the object; it must be quick
and must not raise.
"""

from __future__ import annotations

from typing import Protocol

from virtproxy.identity import Identity


class Access(Protocol):
    """Decides about one permission ("domain", "suspend") on one object for one caller."""

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        """Whether it is granted; `subject` is None where `kind` is "connect"."""


class EveryoneMay:
    """Grants everything: what a daemon without access drivers does."""

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        return True
