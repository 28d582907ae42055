# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy demo``: virtproxyd with the embedded test driver, talked to over a UNIX socket and over TLS.

The tool and ./quickstart call it. It touches nothing outside its directory and listens on loopback only.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import NoReturn

from virtproxy.cli.certificates import create_authority, issue_client, issue_server
from virtproxy.cli.demo_place import Place, make_place
from virtproxy.cli.demo_talk import talk_with_library
from virtproxy.cli.demo_virsh import Spoken, talk_with_virsh
from virtproxy.cli.output import CommandError, Narrator
from virtproxy.testing.daemon import HOST, StartFailed, last_words, running_daemon

DEFAULT_PORT = 16514
EXAMPLES = """\
examples:
  virtproxy demo                       stay up until Ctrl-C
  virtproxy demo --once --port 0       on a free port, and end after the demonstration
  virtproxy demo --dir /tmp/demo       keep configuration, certificates and log there
  virtproxy demo --json | jq .commands
"""
COMMANDS = ("list --all", "dominfo test", "dumpxml test", "suspend test", "event --all --loop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--once", action="store_true", help="end after the demonstration")
    parser.add_argument("--json", action="store_true", help="print one JSON object; implies --once")
    parser.add_argument("--dir", metavar="DIR", help="an empty or new directory to keep (default: a temporary one)")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="port for TLS, 0: a free one (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; return the exit status, raise CommandError with a sentence where it cannot go on."""
    # A polite end of this process must end the daemon as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    tell = Narrator(quiet=options.json)
    with ExitStack() as stack:
        place = stack.enter_context(make_place(options.dir, options.port))
        _furnish(place, tell)
        process = stack.enter_context(_started(place))
        tell.done(f"virtproxyd runs (process {process.pid})")
        spoken = _demonstrate(place, tell)
        if options.json:
            print(json.dumps(_summary(place, spoken), indent=2))
        else:
            tell.heading("To try while it is up, without --once" if options.once else "To try")
            for command in _commands(place):
                tell.line(f"  {command}")
        if not (options.once or options.json):
            _stay(process, place, tell)
    return 0


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no TCP port: 0 to 65535")
    return number


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _started(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    try:
        with running_daemon(place.config, place.log, (place.socket,), (place.port,)) as process:
            yield process
    except StartFailed as error:
        raise CommandError(str(error)) from error


def _furnish(place: Place, tell: Narrator) -> None:
    tell.heading("A virtproxyd with the test driver")
    try:
        create_authority(place.pki)
        issue_server(place.pki, [HOST, "localhost", "::1"])
        issue_client(place.pki, "demo")
        place.write_config()
    except OSError as error:
        raise CommandError(f"cannot write '{error.filename}': {error.strerror}") from error
    tell.done(f"a fresh CA with a server and a client certificate in {place.pki}")
    tell.done(f"configuration in {place.config}")


def _demonstrate(place: Place, tell: Narrator) -> list[Spoken]:
    talk_with_library(_uris(place), tell)
    spoken = []
    for name, uri in _uris(place).items():
        tell.heading(f"virsh over {name}")
        spoken.append(talk_with_virsh(uri, tell))
    return [part for part in spoken if part]


def _uris(place: Place) -> dict[str, str]:
    return {f"the UNIX socket {place.socket}": place.unix_uri, f"TLS at {HOST}:{place.port}": place.tls_uri}


def _commands(place: Place) -> list[str]:
    return [f"virsh -c {shlex.quote(uri)} {what}" for uri in _uris(place).values() for what in COMMANDS]


def _summary(place: Place, spoken: list[Spoken]) -> dict[str, object]:
    uris = {"unix_uri": place.unix_uri, "tls_uri": place.tls_uri}
    return {**uris, "commands": _commands(place), "virsh": [asdict(part) for part in spoken]}


def _stay(process: subprocess.Popen[bytes], place: Place, tell: Narrator) -> None:
    try:
        tell.line("\nIt stays up until Ctrl-C.")
        status = process.wait()
    except KeyboardInterrupt:
        tell.line("\nGood-bye.")
        return
    raise CommandError(f"virtproxyd ended (exit status {status}): {last_words(place.log)}")
