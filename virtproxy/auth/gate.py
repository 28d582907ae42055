# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a client may call a procedure yet: the table of phases.

Each session owns one `Gate` and asks it before every call. The gate keeps no socket and sends nothing; a
combination that the table does not list is refused. Which client a certificate or a UNIX socket belongs
to is decided before, by tls.py and peercred.py: on the wire both are the row "none".
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from virtproxy import errors
from virtproxy.auth.settings import AuthSettingError, check_auth_setting
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure

__all__ = ["AUTH_TYPES", "AuthSettingError", "Gate", "Phase", "check_auth_setting"]


class Phase(enum.Enum):
    """How far a client has come."""

    WAITING = "has to authenticate"
    OPEN = "authenticated"


class Move(enum.Enum):
    """The kinds of calls the gate tells apart."""

    LIST = "asks which authentication there is"
    LOGIN = "authenticates"
    OTHER = "anything else"


# remote_auth_type: what AUTH_LIST answers for a row.
AUTH_TYPES: Mapping[str, int] = MappingProxyType({"none": 0, "sasl": 1, "polkit": 2})

# The phase in which a client of each row begins.
_FIRST_PHASE: Mapping[str, Phase] = MappingProxyType({"none": Phase.OPEN})


def _allowed() -> None:
    return None


def _authentication_required() -> VirtError:
    return errors.rpc("authentication required")


def _no_such_login() -> VirtError:
    # libvirt never tells a client why a login failed.
    return errors.auth_failed("authentication failed")


_LEGAL: Mapping[tuple[Phase, Move], Callable[[], VirtError | None]] = MappingProxyType(
    {
        (Phase.WAITING, Move.LIST): _allowed,
        (Phase.WAITING, Move.LOGIN): _no_such_login,
        (Phase.OPEN, Move.LIST): _allowed,
        (Phase.OPEN, Move.LOGIN): _no_such_login,
        (Phase.OPEN, Move.OTHER): _allowed,
    }
)


class Gate:
    """One client's way through authentication, from connecting to being let in."""

    __slots__ = ("_phase", "_row")

    def __init__(self, auth: str = "none", phase: Phase | None = None) -> None:
        """A gate of row `auth`; `phase` only where the client is known to stand elsewhere than at its start.

        AuthSettingError if this version has no such row.
        """
        if auth not in _FIRST_PHASE:
            raise AuthSettingError(f'authentication "{auth}" is not supported by this version')
        self._row = auth
        self._phase = phase or _FIRST_PHASE[auth]

    @property
    def authenticated(self) -> bool:
        """Whether the client may call everything that its rights allow."""
        return self._phase is Phase.OPEN

    def auth_list(self) -> list[int]:
        """What AUTH_LIST answers: exactly one type, that of the socket the client came in on."""
        return [AUTH_TYPES[self._row]]

    def refuses(self, procedure: Procedure[Any, Any]) -> VirtError | None:
        """The error that answers a call of `procedure` now, or None if the gate lets it pass."""
        answer = _LEGAL.get((self._phase, _move(procedure)), _authentication_required)
        return answer()


def _move(procedure: Procedure[Any, Any]) -> Move:
    if procedure.needs_auth:
        return Move.OTHER
    return Move.LIST if procedure is remote.AUTH_LIST else Move.LOGIN
