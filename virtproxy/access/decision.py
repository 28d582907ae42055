# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seam between whoever asks for a permission and whoever decides.

The access stage asks for every call of a client, and a driver may ask through its call. A permission is libvirt's,
"domain:start"; the thing it is about is described as the daemon that has it knows it, never as a client calls it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

from virtproxy.identity import Identity


@dataclass(frozen=True, slots=True)
class Thing:
    """What a permission is about: a guest, a volume, the connection itself (`kind` "connect").

    `kind` is the word of libvirt's access rules ("domain", "storage_vol"), `driver` the driver's name in them
    ("QEMU", "storage"), `uri` what its daemon was opened with. `uuid` is in the usual text form. `details` are
    libvirt's polkit attributes ("domain_name", "pool_uuid"), without connect_driver. `owner` is known where a
    policy keeps owners.
    """

    kind: str
    driver: str
    uri: str
    name: str | None = None
    uuid: str | None = None
    details: tuple[tuple[str, str], ...] = field(default=())
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Granted or not, and by what: `rule` names it for the audit and for people ("policy.toml:12 grant operator").

    `missing` is what a refusal tells the client: the permission it lacks, in a phrase. `pretended`: it would have
    been refused, were the rules not only reporting.
    """

    granted: bool
    rule: str = ""
    missing: str = ""
    pretended: bool = False


GRANTED = Decision(True)


class Decider(Protocol):
    """Decides about permissions: a policy, polkit. Quick where it can be; a coroutine where it must ask somebody."""

    def profile(self, identity: Identity) -> Hashable:
        """A value that is equal for callers whom `always` answers alike."""

    def always(self, identity: Identity, kind: str, permission: str) -> bool | None:
        """Whether the permission is granted on every thing of the kind (True), on none (False), or it depends."""

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision | Coroutine[Any, Any, Decision]:
        """Decide about one permission, without the kind ("start"), on one thing. Must not raise."""


class Access(Protocol):
    """Decides about one permission ("domain", "suspend") on one object for one caller: what a driver may ask."""

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        """Whether it is granted; `subject` is None where `kind` is "connect"."""


class EveryoneMay:
    """Grants everything: what a daemon without access drivers does."""

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        return True
