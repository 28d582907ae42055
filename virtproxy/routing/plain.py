# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which calls no stage of a session wants to see, so that they go to their backend with one look-up.

The pipeline asks at each refresh. Tables are shared by sessions whose stages have equal profiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from virtproxy.protocol import programs
from virtproxy.routing.procedures import PLAIN, Key
from virtproxy.routing.stages import Stage

# How many tables are remembered, each for one combination of profiles.
_TABLES_MAX = 256
_tables: dict[Any, Mapping[Key, int]] = {}


def plain_for(stages: Sequence[Stage]) -> Mapping[Key, int]:
    """The calls that no stage wants to see, remembered for equal profiles."""
    if not stages:
        return PLAIN
    profile = tuple((type(stage), stage.profile()) for stage in stages)
    table = _tables.get(profile)
    if table is None:
        if len(_tables) >= _TABLES_MAX:
            _tables.clear()
        table = _tables[profile] = {
            (program, version, number): family
            for (program, version, number), family in PLAIN.items()
            if not any(stage.sees(programs.BY_NUMBER[program].procedures[number]) for stage in stages)
        }
    return table
