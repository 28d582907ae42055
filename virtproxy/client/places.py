# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where on this host the socket is that serves a URI, as libvirt's own client library looks for it.

``opening`` calls it for the transport unix. It connects to nothing and starts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from virtproxy.client.uri import RemoteUri, UriError

SYSTEM_DIRECTORY = "/run/libvirt"


def socket_path(uri: RemoteUri, *, readonly: bool, environ: Mapping[str, str], uid: int) -> str:
    """Return the path to connect to: the URI's own, the driver's own daemon where it listens, else the common one.

    UriError on an unknown ``mode``. ``readonly`` chooses the read-only socket of a system daemon.
    """
    if uri.parameters.get("socket"):
        return uri.parameters["socket"]
    mode = uri.parameters.get("mode", "auto")
    if mode not in ("auto", "direct", "legacy"):
        raise UriError(f"mode={mode} is not known: it is auto, direct or legacy")
    session = uid != 0 and uri.path == "/session"
    directory = _session_directory(environ) if session else SYSTEM_DIRECTORY
    # A user's own daemons have no read-only socket.
    suffix = "-ro" if readonly and not session else ""
    direct = os.path.join(directory, f"virt{uri.driver}d-sock{suffix}")
    if mode == "direct" or (mode == "auto" and uri.driver and os.path.exists(direct)):
        return direct
    return os.path.join(directory, f"libvirt-sock{suffix}")


def _session_directory(environ: Mapping[str, str]) -> str:
    """XDG base directories: relative ones do not count."""
    for variable in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        if os.path.isabs(environ.get(variable, "")):
            return os.path.join(environ[variable], "libvirt")
    home = environ.get("HOME") or os.path.expanduser("~")
    return os.path.join(home, ".cache", "libvirt")
