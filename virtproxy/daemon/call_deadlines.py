# SPDX-License-Identifier: LGPL-2.1-or-later
"""``call_deadlines``: which procedure has how many seconds, from patterns over their names.

``plan`` calls it to check the setting, ``rules`` for its value. It must not know what becomes of a late call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from virtproxy.daemon.settings import Settings
from virtproxy.protocol import programs
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.procedures import is_passed_on

_SECONDS_MAX = 7 * 24 * 3600


def call_deadlines(settings: Settings) -> Mapping[Procedure[Any, Any], float]:
    """Return the seconds of each procedure that has a deadline. Raises ConfigError that says which entry is wrong."""
    rules = [_rule(settings, entry) for entry in settings.texts("call_deadlines") or ()]
    found: dict[Procedure[Any, Any], float] = {}
    for procedure in _procedures():
        # The first that fits counts, also one that says there is none.
        seconds = next((seconds for pattern, seconds in rules if _fits(pattern, procedure)), 0)
        if seconds:
            found[procedure] = seconds
    return found


def _rule(settings: Settings, entry: str) -> tuple[str, int]:
    pattern, equals, text = (part.strip() for part in entry.partition("="))
    if not (pattern and equals and text.isascii() and text.isdecimal() and int(text[:9]) <= _SECONDS_MAX):
        raise settings.error(
            "call_deadlines",
            f'an entry of call_deadlines must be "PATTERN=SECONDS", such as "virDomainGetInfo=5" or "domain_*=60", '
            f'of at most {_SECONDS_MAX} seconds, not "{entry[:60]}"',
        )
    if not any(_fits(pattern.lower(), procedure) for procedure in _procedures()):
        raise settings.error(
            "call_deadlines", f'"{pattern[:60]}" in call_deadlines fits the name of no procedure that a daemon serves'
        )
    return pattern.lower(), int(text[:9])


def _fits(pattern: str, procedure: Procedure[Any, Any]) -> bool:
    names = (procedure.name, procedure.api or "")
    return any(fnmatchcase(name.lower(), pattern) for name in names)


def _procedures() -> Iterator[Procedure[Any, Any]]:
    for program in programs.BY_NUMBER.values():
        yield from (entry for entry in program.procedures.values() if not entry.event and is_passed_on(entry))
