# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd does for a socket unit: ``python -m tests.support.activator PATH COMMAND...``.

It listens at PATH, starts COMMAND with the socket when somebody connects, and again when it has ended and the next one
comes. It says on its output what it starts and how that ended.
"""

from __future__ import annotations

import os
import select
import socket
import sys

# Where systemd puts the first socket.
FIRST = 3


def serve(listener: socket.socket, command: tuple[str, ...], number: int) -> None:
    """Wait for a client, run the command to its end."""
    select.select([listener], [], [])
    print(f"started {number}", flush=True)
    pid = os.fork()
    if pid == 0:
        os.dup2(listener.fileno(), FIRST)
        os.set_inheritable(FIRST, True)
        names = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "virtproxyd.socket"}
        os.execvpe(command[0], command, {**os.environ, **names})
    _, status = os.waitpid(pid, 0)
    print(f"ended {number}: {os.waitstatus_to_exitcode(status)}", flush=True)


def main(path: str, *command: str) -> None:
    """Serve until this process is killed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(4096)
    number = 0
    while True:
        number += 1
        serve(listener, command, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
