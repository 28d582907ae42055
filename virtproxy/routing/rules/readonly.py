# SPDX-License-Identifier: LGPL-2.1-or-later
"""The read-only gate as a stage: nothing that a read-only client may not call comes near a backend.

Every session has one (``daemon.rules``). For a read-write session it sees nothing. What may be called is each
procedure's declaration; the error is ``access.readonly``'s. It must not look at who the client is.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from virtproxy.access.readonly import refused
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.edge import CONNECT_RO
from virtproxy.routing.stages import Request, Stage

if TYPE_CHECKING:
    from virtproxy.routing.session import Session


class ReadonlyStage(Stage):
    """Refuses what the declarations deny to a connection that was opened read-only, over whatever it came."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._readonly = False

    def refresh(self) -> None:
        """CONNECT_OPEN has set the session's flags, the -ro socket's too."""
        self._readonly = bool(self._session.flags & CONNECT_RO)

    def profile(self) -> Hashable:
        """All read-only sessions see the same procedures."""
        return self._readonly

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        """What can be denied, be it always or for some arguments."""
        return self._readonly and procedure.readonly.kind != "allowed"

    def call(self, request: Request) -> None:
        """Refuse the call if its declaration denies it; broken arguments first, as libvirt does."""
        error = refused(request.procedure, request.args)
        if error is not None:
            raise error
