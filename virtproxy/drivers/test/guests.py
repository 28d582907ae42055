# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended guests: one object a domain, and the table that finds them.

No protocol procedure lives here; the driver's methods call these. A guest has a live document while it
runs and a config document if it is persistent; one without either is gone.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import count
from uuid import UUID

from virtproxy.documents.domain import CheckpointDocument, DomainDocument, SnapshotDocument
from virtproxy.driver import ErrorCode, ErrorDomain, Objects, VirtError, kinds, remote
from virtproxy.drivers.test.moments import Moments


class State(IntEnum):
    """The domain states the driver uses, as the public API numbers them."""

    # Those without a word here are only had from a configuration file.
    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7


def invalid(detail: str, domain: ErrorDomain = ErrorDomain.TEST) -> VirtError:
    """The operation does not fit the domain's state."""
    return VirtError.of(ErrorCode.OPERATION_INVALID, detail, domain=domain)


class Guest:
    """One domain. `state` and `reason` are the public API's numbers."""

    def __init__(self, document: DomainDocument) -> None:
        self.name = document.name
        self.uuid = document.uuid
        self.id = -1
        self.state = State.SHUTOFF
        self.reason = 0
        self.live: DomainDocument | None = None
        self.config: DomainDocument | None = None
        self.autostart = False
        self.managed_save = False
        # Mount points that are frozen, and how I/O threads poll that were added by hand.
        self.frozen: set[str] = set()
        self.polls: dict[int, dict[str, int]] = {}
        self.snapshots: Moments[SnapshotDocument] = Moments()
        self.checkpoints: Moments[CheckpointDocument] = Moments()
        self._former: DomainDocument | None = None

    def ref(self) -> remote.NonnullDomain:
        """How the protocol names it."""
        return remote.NonnullDomain(self.name, self.uuid, self.id)

    @property
    def active(self) -> bool:
        """Whether it has a live document: running or paused."""
        return self.live is not None

    @property
    def persistent(self) -> bool:
        """Whether it outlives a stop."""
        return self.config is not None

    @property
    def was_defined(self) -> bool:
        """Whether it is or once was persistent; a later definition then counts as an update."""
        return self.inactive_document is not None

    @property
    def inactive_document(self) -> DomainDocument | None:
        """The persistent document, or the last one it had before it was undefined while it runs."""
        return self.config or self._former

    def undefine(self) -> None:
        """Stop being persistent."""
        self._former = self.inactive_document
        self.config, self.managed_save = None, False

    @property
    def document(self) -> DomainDocument:
        """What describes it now."""
        document = self.live or self.config
        if document is None:
            raise self.gone()
        return document

    def active_document(self) -> DomainDocument:
        """The live document; VirtError if it is not running."""
        if self.live is None:
            raise invalid("domain is not running", ErrorDomain.DOMAIN)
        return self.live

    def config_document(self) -> DomainDocument:
        """The persistent document; VirtError if it is transient."""
        if self.config is None:
            raise invalid("transient domains do not have any persistent config", ErrorDomain.DOMAIN)
        return self.config

    def start(self, document: DomainDocument, id: int, reason: int) -> None:
        """Run from a copy of `document`."""
        self.live = document.copy()
        self.id = id
        self.state, self.reason = State.RUNNING, reason
        self.managed_save = False

    def stop(self, reason: int) -> None:
        """End the run. A transient guest keeps its last number for the event that tells of it."""
        self.state, self.reason = State.SHUTOFF, reason
        self.live = None
        self.polls = {}
        if self.persistent:
            self.id = -1

    def gone(self) -> VirtError:
        """The error for a reference to a guest that is not there."""
        return no_such_guest(self.uuid, self.name)


def no_such_guest(uuid: bytes, name: str) -> VirtError:
    """No guest has that UUID."""
    detail = f"no domain with matching uuid '{UUID(bytes=uuid)}' ({name})"
    return VirtError.of(ErrorCode.NO_DOMAIN, detail, domain=ErrorDomain.TEST)


class Guests(Objects[Guest]):
    """All guests of one pretended host, in the order in which they were made."""

    def __init__(self) -> None:
        super().__init__(kinds.DOMAINS)
        self._numbers = count(1)

    def next_id(self) -> int:
        """A number for a guest that starts; never used again."""
        return next(self._numbers)

    def by_ref(self, ref: remote.NonnullDomain) -> Guest:
        """The guest a client speaks of; VirtError NO_DOMAIN if there is none."""
        guest = self.get(uuid=ref.uuid)
        if guest is None:
            raise no_such_guest(ref.uuid, ref.name)
        return guest

    def by_uuid(self, uuid: bytes) -> Guest:
        """The guest with that UUID; VirtError NO_DOMAIN."""
        return _there(self.get(uuid=uuid))

    def by_name(self, name: str) -> Guest:
        """The guest called that; VirtError NO_DOMAIN."""
        return _there(self.get(name=name))

    def by_id(self, id: int) -> Guest:
        """The running guest with that number; VirtError NO_DOMAIN."""
        return _there(next((guest for guest in self if guest.active and guest.id == id), None))

    def place(self, document: DomainDocument, *, must_be_stopped: bool) -> Guest:
        """The guest that `document` is about: the one of that name and UUID, else a new one.

        VirtError OPERATION_FAILED if name or UUID is another's, or if it runs although it must not.
        """
        found = self.claim(document.name, document.uuid)
        if found is None:
            return self.add(Guest(document))
        if must_be_stopped and found.active:
            raise invalid(f"domain '{found.name}' is already active", ErrorDomain.DOMAIN)
        return found

    def check_new_name(self, guest: Guest, name: str) -> None:
        """VirtError unless `guest` may be called `name` from now on."""
        if name == guest.name:
            raise invalid("Can't rename domain to itself", ErrorDomain.DOMAIN)
        if not name or "/" in name:
            raise VirtError.of(ErrorCode.XML_ERROR, f"name {name} cannot contain '/'", domain=ErrorDomain.TEST)
        if self.get(name=name) is not None:
            raise invalid(f"domain with name '{name}' already exists", ErrorDomain.DOMAIN)

    def rename(self, guest: Guest, name: str) -> None:
        """Call a guest something else, in its persistent document too."""
        super().rename(guest, name)
        document = guest.config_document()
        document.name = name
        document.root.child("name").set_text(name)

    def forget(self, guest: Guest) -> None:
        """Drop a guest that neither runs nor is persistent; others stay."""
        if not guest.active and not guest.persistent:
            self.remove(guest)


def _there(guest: Guest | None) -> Guest:
    if guest is None:
        raise VirtError.of(ErrorCode.NO_DOMAIN, domain=ErrorDomain.TEST)
    return guest
