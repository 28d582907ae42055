# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which UNIX socket of this host serves a URI.

virt-ssh-helper calls it. It reads URIs as libvirt's own helper was seen to read them (9.0.0 and 11.3.0, traced over
every mix of sockets, users and URIs). It must stay plain Python: the helper has to start fast, so no Twisted here,
and it must connect to nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from virtproxy.daemon.paths import SYSTEM, session_places
from virtproxy.rpc.local_socket import MODES, LocalSocket, session_socket, system_socket

__all__ = ["Caller", "LocalSocket", "LocalUriError", "find_socket"]

# RFC 3986 section 3, without user, port and fragment: a local URI has none of them.
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9.-]*)(\+(?P<transport>\w+))?:"
                  r"(//(?P<host>[^/?#]*))?(?P<path>[^?#]*)(\?(?P<query>[^#]*))?")  # fmt: skip


class LocalUriError(ValueError):
    """The URI names no socket of this host; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what a user's own sockets and daemons depend on."""

    uid: int
    env: Mapping[str, str]

    @classmethod
    def this_process(cls) -> Caller:
        """Return the effective user of this process with its environment."""
        return cls(os.geteuid(), os.environ)

    @property
    def session_dir(self) -> str:
        """Return the directory of the sockets of the user's own daemons."""
        home = self.env.get("HOME") or os.path.expanduser("~")
        return session_places(self.env, home).run_dir


def find_socket(uri: str, readonly: bool, caller: Caller, run_dir: str = SYSTEM.run_dir) -> LocalSocket:
    """Return the socket that serves ``uri`` for ``caller``.

    Raises LocalUriError for a URI that is malformed, remote, or asks for an unknown mode.
    """
    parts = _split(uri)
    query = dict(parse_qsl(parts["query"] or "", keep_blank_values=True))
    mode = query.get("mode", "auto")
    if mode not in MODES:
        raise LocalUriError(f"mode={mode} in '{uri}' is not known, it can be {', '.join(MODES)}")
    if query.get("socket"):
        return LocalSocket(query["socket"])
    if _is_session(parts, caller):
        return session_socket(parts["scheme"], mode, caller.session_dir, caller.env)
    return system_socket(parts["scheme"], mode, readonly, run_dir)


def _split(uri: str) -> dict[str, str]:
    match = _URI.fullmatch(uri)
    if match is None:
        raise LocalUriError(f"'{uri}' is not a libvirt URI, one looks like qemu:///system")
    parts = match.groupdict(default="")
    if parts["transport"] not in ("", "unix") or parts["host"]:
        raise LocalUriError(f"'{uri}' is not on this host, give it without transport and host (qemu:///system)")
    return parts


def _is_session(parts: Mapping[str, str], caller: Caller) -> bool:
    # A test URI with a transport is a user's own too; root has no session daemons.
    test_over_socket = parts["scheme"] == "test" and bool(parts["transport"])
    return caller.uid != 0 and (parts["path"] == "/session" or test_over_socket)
