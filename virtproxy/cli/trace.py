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
from collections.abc import Iterable
from contextlib import ExitStack
from typing import BinaryIO

from virtproxy.cli import trace_text
from virtproxy.cli.insight_client import InsightClient, add_daemon_arguments, admin_socket
from virtproxy.cli.output import CommandError
from virtproxy.cli.trace_calls import Calls, Choice, Exchange
from virtproxy.cli.trace_live import LivePackets
from virtproxy.cli.trace_packet import Packet
from virtproxy.cli.trace_pcap import captured
from virtproxy.cli.trace_tcp import PORT, Streams
from virtproxy.cli.trace_write import Recording

EXAMPLES = """\
examples:
  virtproxy trace                                  what passes now, until Ctrl-C
  virtproxy trace --slower-than 100 --object web   calls about one guest that take longer than 0.1 s
  virtproxy trace --client 7 --write seven.pcapng  for Wireshark; `virtproxy top` has the numbers
  tcpdump -i any -w calls.pcap tcp port 16509      record on another host; then:
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
    add_daemon_arguments(parser)
    parser.add_argument("-r", "--read", metavar="FILE", help="read a pcap or pcapng file, and ask no daemon")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"the TCP port in that file ({PORT})")
    parser.add_argument("-w", "--write", metavar="FILE", help="write the chosen clients' packets as pcapng, masked")
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
        recording = Recording(stack.enter_context(_created(options.write))) if options.write else None
        shown = _Shown(options, recording)
        if options.read:
            _read(options, shown)
        else:
            _follow(options, shown)
    return 0


class _Shown:
    """Prints what is chosen of the packets it is given, and records the chosen clients' packets."""

    def __init__(self, options: argparse.Namespace, recording: Recording | None) -> None:
        self._options = options
        self._choice = choice_of(options)
        self._recording = recording
        self._calls = Calls()

    def packet(self, packet: Packet) -> None:
        if not self._choice.takes_client(packet):
            return
        content = self._calls.read(packet)
        if self._recording is not None:
            self._recording.add(packet, content)
        self._tell(self._calls.take(packet, content))

    def end(self) -> None:
        """Nothing more comes: tell what has no answer."""
        self._tell(self._calls.unfinished())

    def _tell(self, exchanges: Iterable[Exchange]) -> None:
        for exchange in filter(self._choice.takes, exchanges):
            if self._options.json:
                print(json.dumps(trace_text.document(exchange)))
            else:
                print(trace_text.line(exchange, full=self._options.full))


def _read(options: argparse.Namespace, shown: _Shown) -> None:
    try:
        stream = open(options.read, "rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise CommandError(f"{options.read}: {error.strerror}") from None
    streams = Streams(options.port)
    with stream:
        for packet in streams.packets(captured(stream, options.read)):
            shown.packet(packet)
    shown.end()
    if not streams.segments:
        _complain(f"{options.read} has no packet of TCP port {options.port} (--port; TLS cannot be read)")
    if streams.lost:
        _complain(f"{streams.lost} bytes could not be read as messages: captured in part, or encrypted")


def _follow(options: argparse.Namespace, shown: _Shown) -> None:
    """Show what passes until Ctrl-C, or the daemon ends."""
    path = admin_socket(options)
    with InsightClient(path) as client:
        live = LivePackets(client, options.client)
        dropped = -1
        try:
            for batch in live:
                if dropped < 0:
                    _complain(f"showing what passes at {path} from now on; Ctrl-C ends")
                    dropped = 0
                for packet in batch:
                    shown.packet(packet)
                sys.stdout.flush()
                if live.dropped > dropped:
                    _complain(f"{live.dropped - dropped} packets came too fast and are not shown")
                    dropped = live.dropped
        except KeyboardInterrupt:
            # A call whose answer is still to come is no news: it is what `virtproxy top` shows.
            print(file=sys.stderr)
        finally:
            live.stop()


def choice_of(options: argparse.Namespace) -> Choice:
    """What the options ask for."""
    slower = None if options.slower_than is None else options.slower_than / 1000
    return Choice(options.client, options.subject, options.procedure, options.object, options.errors, slower)


def _created(path: str) -> BinaryIO:
    # Nobody else may read what clients said, masked or not.
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}: name a new file to write") from None


def _complain(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)
