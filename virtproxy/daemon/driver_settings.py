# SPDX-License-Identifier: LGPL-2.1-or-later
"""The settings of the drivers in a daemon's own process: each driver's file beside the daemons' (secret.conf).

``plan`` reads them, so that a wrong one is said before anything starts; ``reach`` gives them to the drivers' places.
The files are libvirt's own, with its keys; what they do is checked where the driver checks it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.keys import Default, Key, Type
from virtproxy.daemon.settings import Settings, load

# Where systemd puts what LoadCredential= and LoadCredentialEncrypted= name (systemd.exec(5)).
CREDENTIALS = "CREDENTIALS_DIRECTORY"


def _secret_check(settings: Settings, values: Mapping[str, Any]) -> None:
    from virtproxy.drivers.secret.keys import keyring

    try:
        keyring(values)
    except ValueError as error:
        raise settings.error(_named_in(str(error), settings), str(error)) from None


def _named_in(problem: str, settings: Settings) -> str:
    """The key that a problem is about: it has its name, or a path that it was set to."""
    for key in settings.set_keys():
        value = settings.values()[key]
        if any(text in problem for text in (key, *(value if isinstance(value, tuple) else (str(value),)))):
            return key
    return "secrets_encryption_key"


@dataclass(frozen=True, slots=True)
class DriverFile:
    """One driver's keys, and what refuses values that cannot be used (ConfigError)."""

    keys: tuple[Key, ...]
    check: Callable[[Settings, Mapping[str, Any]], None]


FILES: Mapping[str, DriverFile] = {
    "secret": DriverFile(
        (
            Key("secrets_encryption_key", Type.STRING, None),
            Key("encrypt_data", Type.BOOL, None),
            Key("secrets_former_keys", Type.STRINGS, None),
        ),
        _secret_check,
    ),
}


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """What the drivers of a daemon are given; ``warnings`` are for the log."""

    values: Mapping[str, Default] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def driver_settings(row: Row, config_dir: str, environ: Mapping[str, str]) -> DriverSettings:
    """Return the checked settings of the drivers that ``row`` has in its process. Raises ConfigError."""
    values: dict[str, Default] = {"credentials_directory": environ.get(CREDENTIALS)}
    warnings: list[str] = []
    for scheme in row.local:
        file = FILES.get(scheme)
        if file is not None:
            path = os.path.join(config_dir, f"{scheme}.conf")
            settings = load(row, path, required=False, keys={key.name: key for key in file.keys})
            values |= settings.values()
            file.check(settings, values)
            warnings += settings.warnings
    return DriverSettings(values, tuple(warnings))
