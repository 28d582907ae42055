# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connecting to a local daemon, starting the user's own where it does not run yet.

virt-ssh-helper calls it, and a session proxy on its way to the user's driver daemons. A second client that
starts at the same moment waits for the first on the same lock file as libvirt's client library, so one daemon
is started, not two. It must stay plain Python (no Twisted) for a fast start, and it blocks: a daemon calls it in
a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping

# A daemon started for one client goes away by itself when it was idle this long (seconds, as libvirt's client does).
IDLE_TIMEOUT = 120
START_LIMIT = 30.0
_POLL_INTERVAL = 0.02
# A daemon that finds the pid file of one that is about to end ends with this; then it is started again.
_PID_FILE_HELD = 1
_STARTS_MAX = 3
RESTART_PAUSE = 0.5
# The lock on a file keeps other processes out, but not other threads of this one.
_thread_locks: dict[str, threading.Lock] = {}
# What the service manager of the one who starts says to it alone.
_NOT_INHERITED = {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"}
# Daemons of ours that still run, or have not been looked after since they ended.
_started: list[subprocess.Popen[bytes]] = []
_NOT_LISTENING = (errno.ENOENT, errno.ECONNREFUSED)


class ConnectError(Exception):
    """No daemon could be reached; the message is a sentence for the user."""


def find_daemon(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a daemon's program, or None where it is not installed.

    VIRTD_PATH, or else LIBVIRTD_PATH, is a directory that replaces all others (seen of the client library 9.0.0).
    """
    chosen = environ.get("VIRTD_PATH") or environ.get("LIBVIRTD_PATH")
    places = chosen or os.pathsep.join((environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    return shutil.which(name, path=places)


def may_start(environ: Mapping[str, str]) -> bool:
    """Tell whether a missing daemon of the user's own may be started (LIBVIRT_AUTOSTART, as libvirt has it)."""
    return environ.get("LIBVIRT_AUTOSTART") != "0"


def connect(path: str, program: str | None = None) -> socket.socket:
    """Return a connected blocking socket, starting ``program`` if nobody listens at ``path``.

    Raises ConnectError if nobody listens and nothing can be started.
    """
    try:
        return _connect(path)
    except OSError as error:
        if error.errno not in _NOT_LISTENING or program is None:
            raise ConnectError(_why_not(path, error)) from error
    with _start_lock(path, os.path.basename(program)):
        return _start_and_connect(path, program)


def _connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and error.errno is None:  # CPython's own check of the path's length
            raise OSError(errno.ENAMETOOLONG, str(error)) from error
        raise
    return sock


def _why_not(path: str, error: OSError) -> str:
    hints = {
        errno.ENOENT: "there is no such socket: is the daemon installed and running?",
        errno.ECONNREFUSED: "nobody listens there: is the daemon running?",
        errno.EACCES: "permission denied: is this user allowed to manage virtual machines (group libvirt)?",
        errno.ENAMETOOLONG: "the path is too long for a UNIX socket (at most 107 bytes)",
    }
    return f"cannot connect to '{path}': {hints.get(error.errno or 0, error.strerror)}"


@contextlib.contextmanager
def _start_lock(path: str, program: str) -> Iterator[None]:
    lock = os.path.join(os.path.dirname(path), f"{program}.lock")
    with _thread_locks.setdefault(lock, threading.Lock()):
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConnectError(f"cannot start {program}: '{error.filename}': {error.strerror}") from error
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX, 1)
            yield
        finally:
            os.close(fd)


def _start_and_connect(path: str, daemon: str) -> socket.socket:
    with contextlib.suppress(OSError):
        return _connect(path)  # somebody else started it while we waited for the lock
    process, starts = _start(daemon), 1
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            return _connect(path)
        if process.poll():
            if process.returncode != _PID_FILE_HELD or starts == _STARTS_MAX:
                raise ConnectError(f"{daemon} ended at once (exit status {process.returncode}): run it to see why")
            time.sleep(RESTART_PAUSE)
            process, starts = _start(daemon), starts + 1
        time.sleep(_POLL_INTERVAL)
    raise ConnectError(f"{daemon} was started but does not listen on '{path}' after {START_LIMIT:.0f} seconds")


def _start(daemon: str) -> subprocess.Popen[bytes]:
    # Detached from the ssh session: its end must not take the daemon away from other clients.
    null = subprocess.DEVNULL
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    command = [daemon, f"--timeout={IDLE_TIMEOUT}"]
    _started[:] = [process for process in _started if process.poll() is None]
    try:
        process = subprocess.Popen(
            command, stdin=null, stdout=null, stderr=null, cwd="/", env=environ, start_new_session=True
        )
    except OSError as error:
        raise ConnectError(f"cannot start {daemon}: {error.strerror}") from error
    _started.append(process)
    return process
