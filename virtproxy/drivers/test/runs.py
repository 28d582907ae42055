# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a domain begins and ends to run, and the events that tell of it; for the parts that make it do so."""

from __future__ import annotations

from enum import IntEnum

from virtproxy.documents.domain import DomainDocument
from virtproxy.driver import remote
from virtproxy.drivers.test.guests import Guest, State
from virtproxy.drivers.test.host import TestHost


class Event(IntEnum):
    """Lifecycle events, as the public API numbers them."""

    DEFINED = 0
    UNDEFINED = 1
    STARTED = 2
    SUSPENDED = 3
    RESUMED = 4
    STOPPED = 5


# Details of events, and reasons of states; both are numbered per event and per state.
ADDED, UPDATED, DEFINED_RENAMED = 0, 1, 2
REMOVED, UNDEFINED_RENAMED = 0, 1
STARTED_BOOTED, STARTED_RESTORED, STARTED_FROM_SNAPSHOT = 0, 2, 3
PAUSED_BY_USER, SUSPENDED_FROM_SNAPSHOT, RESUMED_UNPAUSED = 0, 5, 0
STOPPED_SHUTDOWN, STOPPED_DESTROYED, STOPPED_CRASHED, STOPPED_SAVED, STOPPED_FROM_SNAPSHOT = 0, 1, 2, 4, 6
RUNNING_BOOTED, RUNNING_RESTORED, RUNNING_FROM_SNAPSHOT, RUNNING_UNPAUSED = 1, 3, 4, 5
PAUSED_USER, PAUSED_FROM_SNAPSHOT = 1, 7
SHUTOFF_SHUTDOWN, SHUTOFF_DESTROYED, SHUTOFF_CRASHED, SHUTOFF_SAVED, SHUTOFF_FROM_SNAPSHOT = 1, 2, 3, 5, 7


class Runs(TestHost):
    """No procedure is here."""

    def begin(self, guest: Guest, document: DomainDocument, reason: int, detail: int) -> None:
        """Run from a copy of `document`; the reason of the state, the detail of the event."""
        guest.start(document, self.guests.next_id(), reason)
        self.tell(guest, Event.STARTED, detail)

    def end(self, guest: Guest, reason: int, detail: int) -> None:
        """End the run; a transient domain is gone then."""
        guest.stop(reason)
        self.tell(guest, Event.STOPPED, detail)
        self.guests.forget(guest)

    def halt(self, guest: Guest) -> None:
        """End the run only to begin another one from a snapshot: even a transient domain stays."""
        guest.stop(SHUTOFF_FROM_SNAPSHOT)
        self.tell(guest, Event.STOPPED, STOPPED_FROM_SNAPSHOT)

    def pause(self, guest: Guest, reason: int, detail: int) -> None:
        """Keep it where it is."""
        guest.state, guest.reason = State.PAUSED, reason
        self.tell(guest, Event.SUSPENDED, detail)

    def tell(self, guest: Guest, event: Event, detail: int) -> None:
        """Emit a lifecycle event."""
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, event, detail)
