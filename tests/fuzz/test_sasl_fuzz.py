# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short run of the hostile logins, and proof that it would notice."""

from __future__ import annotations

import re

import pytest

from tests.fuzz import sasl
from tests.fuzz.campaign import Finding
from virtproxy.auth.sasl import login
from virtproxy.auth.sasl.login import SaslLogin
from virtproxy.errors import VirtError
from virtproxy.protocol import remote

pytestmark = pytest.mark.programs("saslpasswd2")
MECHANISMS = ("PLAIN", "DIGEST-MD5")


@pytest.mark.timeout(60)
def test_logins_are_answered_and_nobody_comes_in_unproven() -> None:
    report = sasl.run(20261125, 3000, MECHANISMS)
    let_in = int(report.partition(" let in")[0].rpartition(" ")[2])
    assert 50 < let_in < 1000, report


def test_who_is_let_in_by_anything_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sasl, "PROOF", {"PLAIN": re.compile(b"never said")})
    with pytest.raises(Finding, match="--seed 3 --only"):
        sasl.run(3, 500, ("PLAIN",))


def test_a_login_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise VirtError(1, "a text of our own")

    monkeypatch.setattr(SaslLogin, "_start", broken)
    monkeypatch.setattr(login, "_LEGAL", {**login._LEGAL, (login.State.OFFERED, remote.AUTH_SASL_START): broken})
    with pytest.raises(Finding, match="a text of our own"):
        sasl.run(3, 500, ("PLAIN",))
