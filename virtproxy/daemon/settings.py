# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon's settings: the file's values, each checked against its key, and the defaults of the rest.

Called by ``service`` and ``options`` with a path; hands out typed values and, for errors found later, the file
and line of any key. It must open nothing but the configuration file.
"""

from __future__ import annotations

from collections.abc import Sequence

from virtproxy.daemon import config
from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.config import Setting, Value
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.keys import IGNORED, Default, Key, Type, keys_of


class Settings:
    """The checked settings of one daemon.

    ``warnings`` says what in the file is odd but harmless: unknown and repeated keys.
    """

    def __init__(
        self, row: Row, path: str, entries: Sequence[Setting] = (), keys: dict[str, Key] | None = None
    ) -> None:
        """Check ``entries``, which were read from ``path``. Raises ConfigError at the first wrong one.

        ``keys`` are those of a driver's file instead of the daemon's.
        """
        self.row = row
        self.path = path
        self.warnings: list[str] = []
        self._keys = keys_of(row) if keys is None else keys
        self._set: dict[str, Setting] = {}
        self._values: dict[str, Default] = {name: key.default_of(row) for name, key in self._keys.items()}
        for entry in entries:
            self._enter(entry)

    def _enter(self, entry: Setting) -> None:
        key = self._keys.get(entry.key)
        if key is None:
            if entry.key not in IGNORED:
                self._warn(entry, _unknown(entry.key, self.row, self._keys))
            return
        value = _checked(key, entry, self.path)
        if entry.key in self._set:
            self._warn(entry, f"{entry.key} was already set on line {self._set[entry.key].line}, which counts")
            return
        self._set[entry.key] = entry
        self._values[entry.key] = value

    def _warn(self, entry: Setting, text: str) -> None:
        self.warnings.append(f"{self.path}:{entry.line}: {text}")

    def is_set(self, name: str) -> bool:
        """Whether the file sets ``name``."""
        return name in self._set

    def set_keys(self) -> list[str]:
        """Return the names of the keys that the file sets."""
        return list(self._set)

    def values(self) -> dict[str, Default]:
        """Return the value of every key, set or not."""
        return dict(self._values)

    def has(self, name: str) -> bool:
        """Whether this daemon has the key at all; only some listen on the network."""
        return name in self._keys

    def place(self, name: str) -> str:
        """Return where ``name`` is set, or would be: ``file:line`` or ``file``."""
        entry = self._set.get(name)
        return self.path if entry is None else f"{self.path}:{entry.line}"

    def error(self, name: str, problem: str) -> ConfigError:
        """Return a ConfigError about ``name``, at its line if the file sets it."""
        entry = self._set.get(name)
        return ConfigError(self.path, None if entry is None else entry.line, problem)

    def flag(self, name: str) -> bool:
        """Return the value of a BOOL key."""
        return self._values[name] is True

    def number(self, name: str) -> int:
        """Return the value of an INT or UINT key."""
        value = self._values[name]
        if not isinstance(value, int):
            raise TypeError(f"{name} is not a number")
        return value

    def text(self, name: str) -> str | None:
        """Return the value of a STRING key; None when it is unset."""
        value = self._values[name]
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is not a string")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return the value of a STRINGS key; None when it is unset."""
        value = self._values[name]
        if value is not None and not isinstance(value, tuple):
            raise TypeError(f"{name} is not a list")
        return value


def _unknown(name: str, row: Row, keys: dict[str, Key]) -> str:
    import difflib  # only a mistake needs it, and it would slow every start

    name = config.shortened(name)
    near = difflib.get_close_matches(name, keys, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{row.name} has no setting {name}; it is ignored{hint}"


def _checked(key: Key, entry: Setting, path: str) -> Default:
    value = _typed(key, entry.value)
    if value is None:
        raise ConfigError(path, entry.line, f"{key.name} must be {key.type.value}, not {_shown(entry.value)}")
    if key.type in {Type.INT, Type.UINT} and isinstance(value, int) and not key.low <= value <= key.high:
        raise ConfigError(path, entry.line, f"{key.name} must be from {key.low} to {key.high}, not {value}")
    for text in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
        if key.choices and text not in key.choices:
            expected = ", ".join(f'"{choice}"' for choice in key.choices)
            raise ConfigError(path, entry.line, f"{key.name} must be one of {expected}, not {_shown(text)}")
    return value


def _typed(key: Key, value: Value) -> Default:
    """Return ``value`` as the key's type has it; None when it is of another type."""
    if key.type is Type.BOOL:
        return bool(value) if isinstance(value, int) and value in {0, 1} else None
    if key.type in {Type.INT, Type.UINT}:
        return value if isinstance(value, int) else None
    if key.type is Type.STRING:
        return value if isinstance(value, str) else None
    if not isinstance(value, list):
        return None
    texts = tuple(item for item in value if isinstance(item, str))
    return texts if len(texts) == len(value) else None


def _shown(value: Value) -> str:
    """How an error shows a value, shortened: it may be anything."""
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, list):
        text = "a list" if all(isinstance(item, str) for item in value) else "a list with other things in it"
    else:
        text = str(value)
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def load(row: Row, path: str, *, required: bool, keys: dict[str, Key] | None = None) -> Settings:
    """Return the settings of ``row`` from the file ``path``; only defaults if it is missing and not ``required``.

    ``keys`` are those of a driver's file. Raises ConfigError with the file, the line and what is expected.
    """
    try:
        return Settings(row, path, config.read(path), keys)
    except ConfigError as error:
        missing = isinstance(error.__context__, FileNotFoundError)
        if missing and not required:
            return Settings(row, path, (), keys)
        raise
