# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short run of the garbage around TLS, and proof that it would notice."""

from __future__ import annotations

import pytest

from tests.fuzz import tls
from tests.fuzz.campaign import Finding
from virtproxy.auth.tls import ServerTls
from virtproxy.auth.tls_verify import PeerCertificate
from virtproxy.routing.session import Session

INPUTS = 3000


@pytest.mark.timeout(90)
def test_garbage_is_refused() -> None:
    assert "no finding" in tls.run(20261125, INPUTS)


def test_a_session_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, frame: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Session, "call", broken)
    with pytest.raises(Finding, match="--seed 3 --only"):
        tls.run(3, 500)


def test_one_who_is_let_in_without_a_certificate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PeerCertificate, "problems", lambda *_: [])
    with pytest.raises(Finding, match="--seed 3 --only"):
        tls.run(3, 3000)


def test_files_that_nobody_signed_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServerTls, "check", lambda self: [])
    with pytest.raises(Finding, match=r"nobody signed it|Error"):
        tls.run(3, 500)
