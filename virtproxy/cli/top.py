# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy top``: the clients of a daemon and their calls in flight, the longest waiting first.

Asks the daemon's admin socket every few seconds. It changes nothing but what it is told to: ``--kill``, or the key k,
ends a client.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from virtproxy.cli.insight_client import InsightClient, add_daemon_arguments, admin_socket
from virtproxy.cli.output import CommandError
from virtproxy.cli.top_screen import Screen
from virtproxy.cli.top_table import SORTS, procedure_name, table
from virtproxy.protocol import admin, insight

EXAMPLES = """\
examples:
  virtproxy top                       a table that is drawn anew every 2 seconds; q or Ctrl-C leaves
  virtproxy top --once                the whole table, once
  virtproxy top --once --json         for a script
  virtproxy top --sort client         by client, not by age
  virtproxy top --kill 7              end the connection of client 7

keys: q quits, s sorts by the next column, k ends a client
"""


@dataclass(frozen=True, slots=True)
class State:
    """What a daemon says of itself; calls are the oldest first, ``total`` counts those left out too."""

    clients: list[insight.Client]
    calls: list[insight.RunningCall]
    total: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_daemon_arguments(parser)
    parser.add_argument("--once", action="store_true", help="print the whole table once and end")
    parser.add_argument("--json", action="store_true", help="print one JSON object and end")
    parser.add_argument("--sort", choices=SORTS, default=SORTS[0], help=f"the order of the calls ({SORTS[0]})")
    parser.add_argument("--interval", type=_seconds, default=2.0, metavar="S", help="seconds between looks (2)")
    parser.add_argument("--kill", type=int, metavar="CLIENT", help="end the connection of a client, by its number")


def run(options: argparse.Namespace) -> int:
    """Do it; the exit status."""
    with InsightClient(admin_socket(options)) as client:
        if options.kill is not None:
            kill(client, options.kill)
            print(f"client {options.kill} is cut off")
        elif options.json:
            print(json.dumps(document(state_of(client))))
        elif options.once or not sys.stdout.isatty():
            state = state_of(client)
            print("\n".join(table(state.clients, state.calls, state.total, options.sort)))
        else:
            with suppress(KeyboardInterrupt):
                _watch(client, options)
    return 0


def state_of(client: InsightClient) -> State:
    """Ask a daemon. Raises CommandError."""
    calls = client.call(insight.LIST_CALLS)
    return State(client.call(insight.LIST_CLIENTS).clients, calls.calls, calls.total)


def kill(client: InsightClient, number: int) -> None:
    """End a client's connection. Raises CommandError if there is none of that number."""
    client.call(admin.CONNECT_OPEN, admin.ConnectOpenArgs(0))
    servers = client.call(admin.CONNECT_LIST_SERVERS, admin.ConnectListServersArgs(1, 0)).servers
    server = next(server for server in servers if server.name != "admin")
    who = client.call(admin.SERVER_LOOKUP_CLIENT, admin.ServerLookupClientArgs(server, number, 0)).clnt
    client.call(admin.CLIENT_CLOSE, admin.ClientCloseArgs(who, 0))


def document(state: State) -> dict[str, Any]:
    """The state as a JSON object; ages are in seconds."""
    return {
        "clients": [
            {
                "client": one.number, "subject": one.subject, "transport": one.transport,
                "connected": one.connected / 1000, "in_flight": one.in_flight,
            }
            for one in state.clients
        ],
        "calls": [
            {
                "client": one.client, "procedure": procedure_name(one), "serial": one.serial, "age": one.age / 1000,
                "waits_for": one.place, "object": one.object or None,
            }
            for one in state.calls
        ],
        "total": state.total,
    }  # fmt: skip


def _watch(client: InsightClient, options: argparse.Namespace) -> None:
    sort, said = options.sort, ""
    with Screen() as screen:
        while True:
            state = state_of(client)
            screen.draw(table(state.clients, state.calls, state.total, sort), said)
            key = screen.key(options.interval)
            if key in ("q", "\x03", "\x04"):
                return
            said = said if not key else ""
            if key == "s":
                sort = SORTS[(SORTS.index(sort) + 1) % len(SORTS)]
            elif key == "k":
                said = _ask_and_kill(client, screen)


def _ask_and_kill(client: InsightClient, screen: Screen) -> str:
    answer = screen.ask("end the client with the number: ")
    if not answer.isdigit():
        return ""
    try:
        kill(client, int(answer))
    except CommandError as error:
        return str(error)
    return f"client {answer} is cut off"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of seconds from 0.1 to 3600')
    return seconds
