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
from virtproxy.auth.login import Login
from virtproxy.auth.settings import AuthSettingError, check_auth_setting
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure

__all__ = ["AUTH_TYPES", "AuthSettingError", "Gate", "Phase", "check_auth_setting"]


class Phase(enum.Enum):
    """How far a client has come."""

    WAITING = "has to authenticate"
    LOGGING_IN = "a login call is being served"
    OPEN = "authenticated"


class Move(enum.Enum):
    """The kinds of calls the gate tells apart."""

    LIST = "asks which authentication there is"
    LOGIN = "authenticates as its row has it"
    OTHER_LOGIN = "authenticates in a way that is not offered"
    OTHER = "anything else"


# remote_auth_type: what AUTH_LIST answers for a row.
AUTH_TYPES: Mapping[str, int] = MappingProxyType({"none": 0, "sasl": 1, "polkit": 2})

# The calls by which a client of each row logs in; one whose row has none is in at once.
_LOGINS: Mapping[str, frozenset[Procedure[Any, Any]]] = MappingProxyType(
    {
        "none": frozenset(),
        "sasl": frozenset({remote.AUTH_SASL_INIT, remote.AUTH_SASL_START, remote.AUTH_SASL_STEP}),
        "polkit": frozenset({remote.AUTH_POLKIT}),
    }
)


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
        (Phase.WAITING, Move.LOGIN): _allowed,
        (Phase.WAITING, Move.OTHER_LOGIN): _no_such_login,
        (Phase.LOGGING_IN, Move.LIST): _allowed,
        # One at a time: the answer to the first decides what the second could mean.
        (Phase.LOGGING_IN, Move.LOGIN): _no_such_login,
        (Phase.LOGGING_IN, Move.OTHER_LOGIN): _no_such_login,
        (Phase.OPEN, Move.LIST): _allowed,
        (Phase.OPEN, Move.LOGIN): _no_such_login,
        (Phase.OPEN, Move.OTHER_LOGIN): _no_such_login,
        (Phase.OPEN, Move.OTHER): _allowed,
    }
)


class Gate:
    """One client's way through authentication, from connecting to being let in."""

    __slots__ = ("_admitted", "_phase", "_row", "login")

    def __init__(
        self,
        auth: str = "none",
        phase: Phase | None = None,
        *,
        login: Login | None = None,
        admitted: Callable[[], None] = lambda: None,
    ) -> None:
        """A gate of row `auth`, whose clients log in by `login`; `admitted` is called when one has.

        `phase` only where the client is known to stand elsewhere than at its start. AuthSettingError if there is no
        such row, or if it needs a login and has none: nobody comes in by mistake.
        """
        if auth not in _LOGINS or (login is None) is not (auth == "none"):
            raise AuthSettingError(f'authentication "{auth}" is not supported by this version')
        self._row = auth
        self._phase = phase or (Phase.OPEN if login is None else Phase.WAITING)
        self._admitted = admitted
        self.login = login

    @property
    def row(self) -> str:
        """How clients of its socket log in: "none", "sasl", "polkit"."""
        return self._row

    @property
    def authenticated(self) -> bool:
        """Whether the client may call everything that its rights allow."""
        return self._phase is Phase.OPEN

    def auth_list(self) -> list[int]:
        """What AUTH_LIST answers: exactly one type, that of the socket the client came in on; none once it is in."""
        return [AUTH_TYPES["none" if self.authenticated else self._row]]

    def refuses(self, procedure: Procedure[Any, Any]) -> VirtError | None:
        """The error that answers a call of `procedure` now, or None if the gate lets it pass."""
        answer = _LEGAL.get((self._phase, self._move(procedure)), _authentication_required)
        return answer()

    def _move(self, procedure: Procedure[Any, Any]) -> Move:
        if procedure.needs_auth:
            return Move.OTHER
        if procedure is remote.AUTH_LIST:
            return Move.LIST
        return Move.LOGIN if procedure in _LOGINS[self._row] else Move.OTHER_LOGIN

    def begin(self) -> None:
        """A login call is being served from now on."""
        self._phase = Phase.LOGGING_IN

    def end(self, *, complete: bool) -> None:
        """The login call has its answer, by which the client is let in or not."""
        self._phase = Phase.OPEN if complete else Phase.WAITING
        if complete:
            self.close()
            self._admitted()

    def close(self) -> None:
        """The client is gone, or needs no login any more."""
        if self.login is not None:
            self.login.close()
