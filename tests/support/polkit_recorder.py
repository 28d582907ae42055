# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for polkitd: grants everything and writes down what it is asked, one JSON object a line.

Started by polkit_bus.py, and by polkit_host.py with ``--user`` as the one who may own polkit's name. ``--deny REGEX``
refuses questions whose "ACTION KEY=VALUE KEY=VALUE" it matches, ``--challenge REGEX`` asks for a password nobody gives,
``--silent REGEX`` leaves them unanswered. The bus is DBUS_SYSTEM_BUS_ADDRESS or the usual one.
Usage: polkit_recorder.py LOG [--deny REGEX] [--challenge REGEX] [--silent REGEX] [--user NAME]
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
from typing import Any

from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return  # type: ignore[import-untyped]
from jeepney.io.blocking import open_dbus_connection  # type: ignore[import-untyped]


def answer(options: argparse.Namespace, question: str) -> tuple[bool, bool] | None:
    """Whether it is granted, and whether a password would help; None for no answer."""
    if options.silent and re.search(options.silent, question):
        return None
    if options.challenge and re.search(options.challenge, question):
        return False, True
    return not (options.deny and re.search(options.deny, question)), False


def main() -> None:
    """Serve until the bus ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    for name in ("--deny", "--challenge", "--silent", "--user"):
        parser.add_argument(name)
    options = parser.parse_args()
    if options.user:
        # Only now: where this file is, the user may have no business.
        os.setuid(pwd.getpwnam(options.user).pw_uid)
    connection = open_dbus_connection("SYSTEM")
    connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.PolicyKit1"))
    # Its coming into being tells the test that the name is owned.
    with open(options.log, "w", buffering=1) as log:
        while True:
            serve(connection, connection.receive(), options, log)


def serve(connection: Any, message: Any, options: argparse.Namespace, log: Any) -> None:
    """Write down and answer one message."""
    if message.header.message_type is not MessageType.method_call:
        return
    member = message.header.fields[HeaderFields.member]
    if member == "CancelCheckAuthorization":
        log.write(json.dumps({"cancel": message.body[0]}) + "\n")
        connection.send(new_method_return(message))
    elif member == "CheckAuthorization":
        subject, action, details, flags, cancellation = message.body
        facts = {key: value for key, (_, value) in subject[1].items()}
        row = {"action": action, "details": details, "flags": flags, "cancellation": cancellation}
        row["types"] = {key: kind for key, (kind, _) in subject[1].items()}
        log.write(json.dumps({**row, "kind": subject[0], "subject": facts}) + "\n")
        given = answer(options, " ".join([action, *(f"{key}={value}" for key, value in sorted(details.items()))]))
        if given is not None:
            connection.send(new_method_return(message, "(bba{ss})", ((*given, {}),)))
    elif member == "Ping":
        connection.send(new_method_return(message))
    else:
        connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))


if __name__ == "__main__":
    main()
