# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where on this host the socket is that serves a URI, as libvirt's own client library looks for it.

``dial`` calls it for the transport unix. It connects to nothing and starts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from virtproxy.client.uri import RemoteUri, UriError
from virtproxy.rpc.local_socket import MODES, LocalSocket, session_socket, system_socket

SYSTEM_DIRECTORY = "/run/libvirt"


def local_socket(uri: RemoteUri, *, readonly: bool, environ: Mapping[str, str], uid: int) -> LocalSocket:
    """Return the socket to connect to: the URI's own, the driver's own daemon where it listens, else the common one.

    UriError on an unknown ``mode``. ``readonly`` chooses the read-only socket of a system daemon.
    """
    if uri.parameters.get("socket"):
        return LocalSocket(uri.parameters["socket"])
    mode = uri.parameters.get("mode", "auto")
    if mode not in MODES:
        raise UriError(f"mode={mode} is not known: it is {', '.join(MODES)}")
    # libvirt's client takes a user to the user's own daemon for these too (9.0.0).
    if uid != 0 and (uri.path == "/session" or uri.driver in {"", "test"}):
        return session_socket(uri.driver, mode, _session_directory(environ), environ)
    return system_socket(uri.driver, mode, readonly, SYSTEM_DIRECTORY)


def _session_directory(environ: Mapping[str, str]) -> str:
    """XDG base directories: relative ones do not count."""
    for variable in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        if os.path.isabs(environ.get(variable, "")):
            return os.path.join(environ[variable], "libvirt")
    home = environ.get("HOME") or os.path.expanduser("~")
    return os.path.join(home, ".cache", "libvirt")
