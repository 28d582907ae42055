# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest's fixtures for the tests of tools that speak libvirt; pytest finds them wherever virtproxy is installed.

`libvirt_uri` is a usual host for one test, `fake_libvirt` makes hosts of scenarios. Every pytest imports this, so it
loads next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from virtproxy.testing import FakeLibvirt

    MakeFake = Callable[..., FakeLibvirt]


@pytest.fixture
def fake_libvirt() -> Iterator[MakeFake]:
    """Make fake libvirt hosts for this test: ``fake_libvirt(scenario="", state=None, tcp=None)``.

    A scenario is TOML text, or a file: a pathlib.Path, or a name that ends in .toml. Each host has ``uri``,
    ``set_fault(calls, ...)``, ``clear_faults()`` and ``reset()``, and is gone when the test is over.
    """
    from virtproxy.testing import fake_libvirt as start

    with ExitStack() as stack:

        def make(scenario: str | Path = "", *, state: Path | None = None, tcp: int | None = None) -> FakeLibvirt:
            return stack.enter_context(start(scenario, state=state, tcp=tcp))

        yield make


@pytest.fixture
def libvirt_uri(fake_libvirt: MakeFake) -> str:
    """Give the URI of a fake libvirt host with one running guest, "test", for this test alone."""
    return fake_libvirt().uri
