# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy trace``: what clients and daemon say to each other, for people.

Reads recorded traffic or asks a daemon that runs (``trace_live``). Secrets are masked in everything it prints and
writes. It changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from virtproxy.cli import trace_text
from virtproxy.cli.output import CommandError
from virtproxy.cli.trace_calls import Calls, Choice, Exchange
from virtproxy.cli.trace_packet import Packet
from virtproxy.cli.trace_pcap import captured
from virtproxy.cli.trace_tcp import PORT, Streams
from virtproxy.cli.trace_write import Recording

EXAMPLES = """\
examples:
  tcpdump -i any -w calls.pcap tcp port 16509      record; then:
  virtproxy trace --read calls.pcap                every call with its result and how long it took
  virtproxy trace --read calls.pcap --errors       what failed
  virtproxy trace --read calls.pcap --procedure 'DOMAIN_*' --object web --json
  virtproxy trace --read calls.pcap --write masked.pcapng
                                                   the same traffic without its secrets, for somebody else

Secrets are masked: whatever is not known to be free of them is shown as *** or as a number of bytes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-r", "--read", metavar="FILE", required=True, help="a pcap or pcapng file")
    parser.add_argument("-w", "--write", metavar="FILE", help="write the chosen clients' packets as pcapng, masked")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"the daemon's TCP port ({PORT})")
    parser.add_argument("--client", type=int, metavar="N", help="the number of a connection")
    parser.add_argument("--subject", metavar="WHO", help="who a client is, such as uid:0, or its address; * matches")
    parser.add_argument("--procedure", metavar="NAME", help="such as DOMAIN_CREATE or 'DOMAIN_*'")
    parser.add_argument("--object", metavar="WHAT", help="a name or UUID, or KIND:NAME such as domain:web")
    parser.add_argument("--errors", action="store_true", help="only what failed")
    parser.add_argument("--slower-than", type=float, metavar="MS", help="only calls that took more milliseconds")
    parser.add_argument("--full", action="store_true", help="do not cut texts and lists")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Do it; the exit status."""
    with ExitStack() as stack:
        recording = None
        if options.write:
            recording = Recording(stack.enter_context(_created(options.write)))
        try:
            stream = stack.enter_context(open(options.read, "rb"))
        except OSError as error:
            raise CommandError(f"{options.read}: {error.strerror}") from None
        streams = Streams(options.port)
        for exchange in exchanges(streams.packets(captured(stream, options.read)), choice_of(options), recording):
            tell(exchange, options)
    if not streams.segments:
        _complain(f"{options.read} has no packet of TCP port {options.port} (--port; TLS cannot be read)")
    if streams.lost:
        _complain(f"{streams.lost} bytes could not be read as messages: captured in part, or encrypted")
    return 0


def choice_of(options: argparse.Namespace) -> Choice:
    """What the options ask for."""
    slower = None if options.slower_than is None else options.slower_than / 1000
    return Choice(options.client, options.subject, options.procedure, options.object, options.errors, slower)


def exchanges(packets: Iterable[Packet], choice: Choice, recording: Recording | None) -> Iterator[Exchange]:
    """Yield what is chosen of the packets, and record the chosen clients' packets."""
    calls = Calls()
    for packet in packets:
        if not choice.takes_client(packet):
            continue
        content = calls.read(packet)
        if recording is not None:
            recording.add(packet, content)
        yield from filter(choice.takes, calls.take(packet, content))
    yield from filter(choice.takes, calls.unfinished())


def tell(exchange: Exchange, options: argparse.Namespace) -> None:
    """Print it."""
    if options.json:
        print(json.dumps(trace_text.document(exchange)))
    else:
        print(trace_text.line(exchange, full=options.full))


def _created(path: str) -> BinaryIO:
    # Nobody else may read what clients said, masked or not.
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}: name a new file to write") from None


def _complain(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)
