# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit as the configuration has it, checked before anything is opened.

Called by ``plan``. libvirt's audit_level and audit_logging keep their meaning: 0 is no audit, 1 an audit where a
place for it is named, 2 insists on one; audit_logging has the records in the daemon's log too.
"""

from __future__ import annotations

import grp
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from virtproxy.daemon.failure import reason
from virtproxy.daemon.settings import Settings

if TYPE_CHECKING:
    from virtproxy.routing.rules.audit import Recorded

KEY_MIN, KEY_MAX = 32, 4096
_OWN = ("audit_record", "audit_documents", "audit_failure", "audit_sync", "audit_key_file", "audit_journal",
        "audit_rotate_mib", "audit_rotate_daily", "audit_keep", "audit_compress", "audit_anchor_minutes",
        "audit_group")  # fmt: skip
_TOO_MUCH = 1024 * 1024  # a terabyte


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """A checked audit. ``key`` is the chain's, or None; ``group`` the number of who may read the file, or None.

    ``rotate_size`` is in bytes and ``anchor_seconds`` in seconds, 0 for never; ``keep`` 0 keeps every file.
    """

    path: str
    recorded: Recorded = "writes"
    whole: bool = False
    refuse: bool = True
    sync: str = "interval"
    key: bytes | None = None
    group: int | None = None
    journal: bool = False
    logging: bool = False
    rotate_size: int = 0
    rotate_daily: bool = False
    keep: int = 0
    compress: bool = False
    anchor_seconds: int = 0


def audit_settings(settings: Settings) -> AuditSettings | None:
    """Return the audit that the settings ask for, or None. Raises ConfigError."""
    path = settings.text("audit_file")
    if path is None:
        _check_absent(settings)
        return None
    level = settings.number("audit_level")
    if level == 0:
        problem = "audit_level = 0 turns the audit off, but audit_file names a place for it: remove one of the two"
        raise settings.error("audit_level", problem)
    if not os.path.isabs(path):
        raise settings.error("audit_file", f'audit_file must be an absolute path, not "{path}"')
    recorded = settings.text("audit_record")
    if level > 1 and recorded == "none":
        raise settings.error("audit_record", 'audit_level = 2 insists on an audit, and audit_record = "none" has none')
    if settings.number("audit_rotate_mib") > _TOO_MUCH:
        raise settings.error("audit_rotate_mib", f"audit_rotate_mib must be at most {_TOO_MUCH}")
    return AuditSettings(
        path=path,
        recorded=cast("Recorded", recorded),
        whole=settings.text("audit_documents") == "whole",
        refuse=settings.text("audit_failure") == "refuse",
        sync=settings.text("audit_sync") or "interval",
        key=_key(settings),
        group=_group(settings),
        journal=settings.flag("audit_journal"),
        logging=settings.flag("audit_logging"),
        rotate_size=settings.number("audit_rotate_mib") * 1024 * 1024,
        rotate_daily=settings.flag("audit_rotate_daily"),
        keep=settings.number("audit_keep"),
        compress=settings.flag("audit_compress"),
        anchor_seconds=settings.number("audit_anchor_minutes") * 60,
    )


def audit_warnings(settings: Settings) -> list[str]:
    """Return what of the audit's settings has no effect, and why."""
    if settings.text("audit_file") is None and settings.is_set("audit_logging"):
        return [f"{settings.place('audit_logging')}: audit_logging has no effect: audit_file names no audit log"]
    return []


def _check_absent(settings: Settings) -> None:
    """Without a file there is no audit: nobody may believe that there is."""
    if settings.number("audit_level") > 1:
        problem = (
            'audit_level = 2 insists on an audit: name its file, as in audit_file = "/var/log/libvirt/audit.jsonl"'
        )
        raise settings.error("audit_level", problem)
    for key in _OWN:
        if settings.is_set(key):
            raise settings.error(key, f"{key} needs audit_file, the path of the audit log")


def _key(settings: Settings) -> bytes | None:
    path = settings.text("audit_key_file")
    if path is None:
        return None
    try:
        return read_key(path)
    except ValueError as error:
        raise settings.error("audit_key_file", str(error)) from None


def read_key(path: str) -> bytes:
    """Return the key in a file. ValueError, a sentence, if it cannot be one."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(KEY_MAX + 2).strip(b"\r\n")
    except OSError as error:
        raise ValueError(f"the audit's key {path} cannot be read: {reason(error)}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ValueError(f"others may read the audit's key {path}: chmod 600 {path}")
    if not KEY_MIN <= len(key) <= KEY_MAX:
        raise ValueError(
            f"the audit's key {path} has {len(key)} bytes and needs {KEY_MIN} to {KEY_MAX}: "
            f"make one with 'openssl rand -hex 32'"
        )
    return key


def _group(settings: Settings) -> int | None:
    name = settings.text("audit_group")
    if name is None:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise settings.error("audit_group", f'this host has no group "{name}"') from None
