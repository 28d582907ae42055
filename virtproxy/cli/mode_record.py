# SPDX-License-Identifier: LGPL-2.1-or-later
"""The record of a switch: how every unit it touches was before, kept on disk so that it can be undone.

mode_switch.py writes it before the first step. The file is there whole or not at all. It must change no unit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from virtproxy.access.owners import replace_file
from virtproxy.cli.output import CommandError
from virtproxy.cli.systemctl import UnitState
from virtproxy.daemon.paths import SYSTEM

PATH = Path(SYSTEM.state_dir) / "mode.json"
_VERSION = 1
# A record of a hundred units is 10 KB; what is longer is none.
_SIZE_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One switch to ``target``, begun at ``began`` (ISO 8601); ``before`` is how the units were."""

    target: str
    began: str
    before: Mapping[str, UnitState]
    finished: bool = False

    def save(self, path: Path) -> None:
        """Write the record. Raises CommandError."""
        units = {name: {"active": one.active, "enabled": one.file} for name, one in self.before.items()}
        whole = {"version": _VERSION, "target": self.target, "began": self.began, "finished": self.finished}
        try:
            replace_file(path, json.dumps({**whole, "before": units}, indent=1) + "\n")
        except OSError as error:
            raise CommandError(
                f"cannot write {path}, without which the switch could not be undone: {error.strerror}; "
                "nothing was changed by this step"
            ) from None

    def done(self) -> Record:
        """Return the record of the same switch at its end."""
        return replace(self, finished=True)


def load(path: Path) -> Record | None:
    """Return the record of the last switch, None if there is none. Raises CommandError for a file that is no record."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_SIZE_MAX)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        return _record(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{path} is no record of a switch ({error}): move it away, and the switch before cannot be undone"
        raise CommandError(problem) from None


def _record(found: dict[str, object]) -> Record:
    if found["version"] != _VERSION:
        raise ValueError(f"its version {found['version']} is not known")
    target, began, finished, before = (found[key] for key in ("target", "began", "finished", "before"))
    if not (isinstance(target, str) and isinstance(began, str) and isinstance(finished, bool)):
        raise TypeError("target, began or finished is of the wrong type")
    if not isinstance(before, dict):
        raise TypeError("before is no object")
    return Record(target, began, {name: _unit(name, one) for name, one in before.items()}, finished)


def _unit(name: str, found: dict[str, object]) -> UnitState:
    active, file = found["active"], found["enabled"]
    if not (isinstance(active, str) and isinstance(file, str)) or os.sep in name:
        raise TypeError(f"{name} is not described as a unit")
    return UnitState(name, "masked" if file.startswith("masked") else "loaded", active, file)


def forget(path: Path) -> None:
    """Remove the record: what it says has been undone."""
    path.unlink(missing_ok=True)
