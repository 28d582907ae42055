# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon with a policy does not start where documents cannot be read."""

from __future__ import annotations

import pytest

from virtproxy.daemon import documents_rule
from virtproxy.daemon.failure import StartupError


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    documents_rule.check_documents("virtproxyd.conf:3")
    monkeypatch.setattr(documents_rule, "find_spec", lambda name: None)
    with pytest.raises(StartupError) as caught:
        documents_rule.check_documents("virtproxyd.conf:3")
    told = str(caught.value)
    assert told.startswith("virtproxyd.conf:3: ")
    assert "virtproxy[policy]" in told
    assert "python3-lxml" in told
