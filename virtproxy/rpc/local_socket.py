# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which UNIX socket serves a driver on this host, and which program would listen there.

The client library and virt-ssh-helper call it. It decides as libvirt's own client was seen to decide (9.0.0 and
11.3.0). It must stay plain Python (no Twisted) for a fast start of the helper, and connects to nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from virtproxy.rpc.session_daemon import find_daemon, may_start

MODES = ("auto", "direct", "legacy")


@dataclass(frozen=True, slots=True)
class LocalSocket:
    """Where to connect, and the program to start if nothing listens there (None: start nothing)."""

    path: str
    daemon: str | None = None


def system_socket(driver: str, mode: str, readonly: bool, directory: str) -> LocalSocket:
    """The socket of a system's daemon below ``directory``; ``mode`` is one of MODES."""
    suffix = "-ro" if readonly else ""
    direct = os.path.join(directory, f"virt{driver}d-sock{suffix}")
    legacy = os.path.join(directory, f"libvirt-sock{suffix}")
    if mode == "auto":
        mode = "direct" if driver and os.path.exists(direct) else "legacy"
    return LocalSocket(direct if mode == "direct" else legacy)


def session_socket(driver: str, mode: str, directory: str, environ: Mapping[str, str]) -> LocalSocket:
    """The socket of a user's own daemon below ``directory``; there are no read-only ones."""
    direct = os.path.join(directory, f"virt{driver}d-sock")
    legacy = os.path.join(directory, "libvirt-sock")
    programs = {"direct": (f"virt{driver}d",), "legacy": ("libvirtd", "virtproxyd")}
    if mode == "auto":
        mode = _session_mode(driver, direct, legacy, environ)
    path = direct if mode == "direct" else legacy
    if not may_start(environ):
        return LocalSocket(path)
    found = (find_daemon(name, environ) for name in programs[mode])
    return LocalSocket(path, next(filter(None, found), None))


def _session_mode(driver: str, direct: str, legacy: str, environ: Mapping[str, str]) -> str:
    if os.path.exists(direct):
        return "direct"
    if os.path.exists(legacy) or find_daemon("libvirtd", environ):
        return "legacy"
    return "direct" if find_daemon(f"virt{driver}d", environ) else "legacy"
