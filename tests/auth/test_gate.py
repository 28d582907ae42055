# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gate: who may call what, in every phase, for every procedure there is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from virtproxy.auth.gate import AUTH_TYPES, AuthSettingError, Gate, Phase, check_auth_setting
from virtproxy.auth.login import Progress
from virtproxy.auth.settings import DEFAULTS, KNOWN
from virtproxy.protocol import admin, lxc, qemu, remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure

LOGINS: list[Procedure[Any, Any]] = [
    remote.AUTH_SASL_INIT,
    remote.AUTH_SASL_START,
    remote.AUTH_SASL_STEP,
    remote.AUTH_POLKIT,
]
PROCEDURES = [p for module in (remote, qemu, lxc, admin) for p in module.PROGRAM.procedures.values() if not p.event]
OTHERS = [p for p in PROCEDURES if p not in LOGINS and p is not remote.AUTH_LIST]


def refusal(gate: Gate, procedure: Procedure[Any, Any]) -> tuple[int, int, str | None]:
    error = gate.refuses(procedure)
    assert error is not None
    return error.code, error.domain, error.message


def test_without_authentication_a_client_is_let_in_at_once() -> None:
    gate = Gate("none")
    assert gate.authenticated
    assert gate.auth_list() == [0]
    assert len(OTHERS) > 400
    assert not [p.name for p in [remote.AUTH_LIST, *OTHERS] if gate.refuses(p)]


@pytest.mark.parametrize("procedure", LOGINS, ids=lambda p: p.name)
@pytest.mark.parametrize("phase", list(Phase))
def test_a_login_that_is_not_asked_for_fails(procedure: Procedure[Any, Any], phase: Phase) -> None:
    # Recorded from libvirtd 9.0.0 for the three of SASL.
    expected = (ErrorCode.AUTH_FAILED, ErrorDomain.RPC, "authentication failed: authentication failed")
    assert refusal(Gate("none", phase), procedure) == expected


def test_before_authentication_nothing_else_is_served() -> None:
    gate = Gate("none", Phase.WAITING)
    assert not gate.authenticated
    assert gate.refuses(remote.AUTH_LIST) is None
    refusals = {refusal(gate, procedure) for procedure in OTHERS}
    assert refusals == {(ErrorCode.RPC, ErrorDomain.RPC, "authentication required")}


@pytest.mark.parametrize("auth", ["sasl", "polkit", "", "None"])
def test_there_is_no_gate_without_a_login(auth: str) -> None:
    with pytest.raises(AuthSettingError, match="is not supported"):
        Gate(auth)


class NeverLogin:
    """A login that is not asked; counts how often it was closed."""

    closed = 0

    async def serve(self, procedure: Any, args: Any, identity: Any) -> Progress:
        """Not called by a gate."""
        raise AssertionError

    def close(self) -> None:
        """The gate is done with it."""
        self.closed += 1


def test_there_is_no_login_where_none_is_asked_for() -> None:
    with pytest.raises(AuthSettingError):
        Gate("none", login=NeverLogin())


ROWS: dict[str, list[Procedure[Any, Any]]] = {"sasl": LOGINS[:3], "polkit": LOGINS[3:]}


def legal(gate: Gate) -> list[Procedure[Any, Any]]:
    """The procedures that a gate lets pass."""
    return [procedure for procedure in PROCEDURES if gate.refuses(procedure) is None]


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_its_own_calls_and_one_at_a_time(row: str) -> None:
    login, admitted = NeverLogin(), Counter[str]()
    gate = Gate(row, login=login, admitted=lambda: admitted.update(["in"]))
    in_order = [procedure for procedure in PROCEDURES if procedure is remote.AUTH_LIST or procedure in ROWS[row]]
    assert (legal(gate), gate.auth_list()) == (in_order, [AUTH_TYPES[row]])
    gate.begin()
    assert (legal(gate), gate.authenticated) == ([remote.AUTH_LIST], False)
    assert {refusal(gate, procedure)[0] for procedure in LOGINS} == {ErrorCode.AUTH_FAILED}
    assert {refusal(gate, procedure)[0] for procedure in OTHERS} == {ErrorCode.RPC}
    gate.end(complete=False)
    assert (legal(gate), admitted, login.closed) == (in_order, Counter(), 0)
    gate.begin()
    gate.end(complete=True)
    assert (legal(gate), gate.auth_list()) == ([p for p in PROCEDURES if p not in LOGINS], [0])
    assert (admitted["in"], login.closed) == (1, 1)


# Polkit knows processes of this host, and who they are is known of UNIX sockets alone.
POSSIBLE = {(key, value) for key in DEFAULTS for value in KNOWN if value != "polkit" or key.startswith("auth_unix_")}


@pytest.mark.parametrize(("key", "value"), sorted(POSSIBLE))
def test_what_there_is_may_be_set(key: str, value: str) -> None:
    check_auth_setting(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key in DEFAULTS for value in ("polkit", "kerberos", "") if (key, value) not in POSSIBLE],
)
def test_any_other_setting_says_what_to_write_instead(key: str, value: str) -> None:
    with pytest.raises(AuthSettingError) as caught:
        check_auth_setting(key, value)
    text = str(caught.value)
    assert text.startswith(f'{key} = "{value}"')
    assert ("UNIX sockets" in text) is (value == "polkit")
    assert f'{key} = "none"' in text


def test_an_empty_configuration_is_safe() -> None:
    for key, value in DEFAULTS.items():
        check_auth_setting(key, value)
    assert DEFAULTS["auth_tcp"] == "sasl"
