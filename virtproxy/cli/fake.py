# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy fake``: a made-up libvirt host for one command, or until Ctrl-C, and what changes it while it runs.

The tool calls it. The host is virtproxy.testing's, which also serves Python's tests.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from virtproxy.cli.output import CommandError, printable
from virtproxy.testing import FakeLibvirt, RequestRefused, StartFailed, fake_libvirt
from virtproxy.testing.fake import ask, faults_text

CONTROL = "VIRTPROXY_FAKE"
NOT_FOUND, NOT_RUNNABLE = 127, 126
DEEDS = {
    "list": "show the faults, and how often each has struck",
    "set": "add a fault: calls=virDomainCreate error=OPERATION_FAILED nth=3",
    "clear": "take all faults away",
    "reset": "make everything as the scenario has it",
    "save": "write the state to the file of --state",
}
USAGE = """\
virtproxy fake [--scenario FILE] [--state FILE] [--tcp PORT] [--json] [-- COMMAND ...]
       virtproxy fake {list,set,clear,reset,save} [KEY=VALUE ...]"""
EXAMPLES = f"""\
A command after -- finds the host's URI in LIBVIRT_DEFAULT_URI, and its exit status is passed on. Without one the host
stays until Ctrl-C. It is libvirt's usual test host unless a scenario says otherwise; docs/fake-libvirt.md has the form.

while it runs (in the command, or with {CONTROL} set as it says):
  virtproxy fake list | clear | reset | save
  virtproxy fake set calls='virDomainCreate*' error=OPERATION_FAILED message='no memory' nth=3

examples:
  virtproxy fake -- go test ./...
  virtproxy fake --scenario hosts.toml -- sh -c 'virsh list --all'
  virtproxy fake --tcp 16509                  for clients that speak TCP only
  virtproxy fake --state host.xml -- ./step1  and --state host.xml -- ./step2 goes on from there
  virtproxy fake --json | jq -r .uri
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = USAGE
    parser.epilog = EXAMPLES
    parser.add_argument("--scenario", metavar="FILE", type=Path, help="what the host is made of (TOML)")
    parser.add_argument("--state", metavar="FILE", type=Path, help="keep the host in this file from run to run")
    parser.add_argument("--tcp", metavar="PORT", type=_port, help="listen on 127.0.0.1 too, without login; 0: any port")
    parser.add_argument("--json", action="store_true", help="print the URIs, or the answer, as one JSON object")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="what to run against it")


def run(options: argparse.Namespace) -> int:
    """Run the command, or what changes a running fake; return the exit status. CommandError with a sentence."""
    words = options.words
    if words and words[0] != "--":
        return _change(words[0], words[1:], as_json=options.json or "--json" in words)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        scenario = options.scenario or ""
        with fake_libvirt(scenario, state=options.state, tcp=options.tcp) as fake:
            return _with_command(fake, words[1:]) if words[1:] else _stay(fake, as_json=options.json)
    except StartFailed as error:
        raise CommandError(str(error)) from error


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text} is no TCP port: 0 to 65535")
    return int(text)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _environment(fake: FakeLibvirt) -> dict[str, str]:
    """What a command is told of the host."""
    found = {"LIBVIRT_DEFAULT_URI": fake.uri, CONTROL: str(fake.control)}
    return found if fake.tcp_uri is None else {**found, "VIRTPROXY_FAKE_TCP_URI": fake.tcp_uri}


def _with_command(fake: FakeLibvirt, command: Sequence[str]) -> int:
    # Ctrl-C reaches the command too: it decides, and its end is ours. To ignore the signal would be inherited.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        process = subprocess.Popen(command, env={**os.environ, **_environment(fake)})
    except OSError as error:
        print(f"virtproxy fake: cannot run '{command[0]}': {error.strerror}", file=sys.stderr)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: process.send_signal(number))
    status = process.wait()
    # As a shell tells of a command that a signal ended.
    return 128 - status if status < 0 else status


def _stay(fake: FakeLibvirt, *, as_json: bool) -> int:
    told = {"uri": fake.uri, "tcp_uri": fake.tcp_uri, "control": str(fake.control), "pid": fake.pid}
    if as_json:
        print(json.dumps(told), flush=True)
    else:
        for name, value in _environment(fake).items():
            print(f"export {name}='{value}'", flush=True)
        print("It stays up until Ctrl-C.", file=sys.stderr, flush=True)
    try:
        os.waitid(os.P_PID, fake.pid, os.WEXITED | os.WNOWAIT)
    except KeyboardInterrupt:
        return 0
    raise CommandError("virtproxyd ended by itself")


def _change(deed: str, words: Sequence[str], *, as_json: bool) -> int:
    if deed not in DEEDS:
        raise CommandError(f"'{deed}' is none of {', '.join(DEEDS)}; a command to run is written after --")
    control = os.environ.get(CONTROL)
    if not control:
        raise CommandError(f"{CONTROL} does not name a running fake: set it as 'virtproxy fake' says when it starts")
    pairs = [word for word in words if word != "--json"]
    try:
        answer = ask(Path(control), deed, **({"faults": faults_text(_row(pairs))} if deed == "set" else {}))
    except RequestRefused as error:
        raise CommandError(str(error)) from error
    if as_json:
        print(json.dumps(answer))
    elif deed == "list":
        _show(answer["faults"])
    return 0


def _row(pairs: Sequence[str]) -> dict[str, object]:
    """The keys of a fault: values are numbers, true, lists and the like as JSON has them, or else plain text."""
    row: dict[str, object] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise CommandError(f"'{printable(pair)}' is not KEY=VALUE, as calls=virDomainCreate")
        try:
            row[key] = json.loads(text)
        except ValueError:
            row[key] = text
    return row


def _show(faults: list[dict[str, object]]) -> None:
    for fault in faults:
        calls = fault["calls"]
        about = ", ".join(calls) if isinstance(calls, list) else str(calls)
        name = f" of {fault['object']}" if fault["object"] else ""
        print(f"{about}{name}: {fault['does']}; {fault['struck']} of {fault['seen']} calls struck")
