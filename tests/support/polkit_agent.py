# SPDX-License-Identifier: LGPL-2.1-or-later
"""An agent that polkit lets ask a human for the password, who always says no: started in a lab by the tests of logins.

Usage: polkit_agent.py PID (of the process whose human it stands for); prints "ready" when polkit knows it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jeepney import (  # type: ignore[import-untyped]
    DBusAddress,
    HeaderFields,
    MessageType,
    new_error,
    new_method_call,
    new_method_return,
)
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]

AUTHORITY = DBusAddress(
    "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1", "org.freedesktop.PolicyKit1.Authority"
)


def main(pid: int) -> None:
    """Register and say no until the bus ends."""
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])
    subject = ("unix-process", {"pid": ("u", pid), "start-time": ("t", started)})
    connection = open_dbus_connection("SYSTEM")
    body = (subject, "C", "/agent")
    register = new_method_call(AUTHORITY, "RegisterAuthenticationAgent", "(sa{sv})ss", body)
    reply = connection.send_and_get_reply(register)
    print("ready" if reply.header.message_type is MessageType.method_return else reply.body, flush=True)
    while True:
        message = connection.receive()
        if message.header.message_type is not MessageType.method_call:
            continue
        if message.header.fields[HeaderFields.member] == "BeginAuthentication":
            connection.send(new_error(message, "org.freedesktop.PolicyKit1.Error.Cancelled", "s", ("no",)))
        else:
            connection.send(new_method_return(message))


if __name__ == "__main__":
    main(int(sys.argv[1]))
