# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy audit``: verifies audit logs, shows and follows their records.

The tool's main calls it. It reads files and nothing else; it needs no daemon. Logs may be larger than memory, so
that everything is read line by line.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
import time
from collections.abc import Iterator

from virtproxy.access.audit import files
from virtproxy.access.audit.chain import Entry, entry_of
from virtproxy.access.audit.choose import Choice, object_text, result_text, subject_text
from virtproxy.access.audit.documents import described
from virtproxy.access.audit.verify import Verdict, Verifier, logs
from virtproxy.cli.output import GREEN, RED, YELLOW, CommandError, paint
from virtproxy.daemon.audit_settings import read_key

DEFAULT = "/var/log/libvirt/virtproxy-audit.jsonl"
POLL_SECONDS = 0.2
BROKEN = 2
_ANCHOR = re.compile(r"(\d+):([0-9a-f]{64})")
_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# A record comes from a client: it must not drive the terminal.
_CONTROL = dict.fromkeys([*range(32), *range(127, 160)], "?")
EXAMPLES = """\
examples:
  virtproxy audit verify                           the chain of the usual log, all its files
  virtproxy audit verify --key /etc/libvirt/audit.key --anchor 4711:9f86d0...
  virtproxy audit show --denied --since 1h         what was refused in the last hour
  virtproxy audit show --object domain:web --procedure 'DOMAIN_*' --json
  virtproxy audit show --subject sasl:fred --since 2026-11-25 --until 2026-11-26
  virtproxy audit follow --errors                  as it happens
  virtproxy audit digest guest.xml                 the digest that a record has of a document

exit status of verify: 0 the chain holds, 1 it could not be checked, 2 it is broken
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    verify = commands.add_parser("verify", help="check that nothing was changed, removed or put in")
    _add_paths(verify)
    verify.add_argument("--key", metavar="FILE", help="the audit_key_file of the daemon that wrote it")
    verify.add_argument(
        "--anchor", action="append", default=[], metavar="NUMBER:LINK", help="what a line's link must be"
    )
    verify.add_argument("--anchors", metavar="FILE", help="a system's log with anchors in it; - is standard input")
    verify.add_argument("--json", action="store_true", help="print one JSON object a log")
    verify.set_defaults(audit_run=_verify)
    for name, run, summary in (("show", _show, "show records, the newest last"), ("follow", _follow, "show new ones")):
        command = commands.add_parser(name, help=summary)
        _add_paths(command)
        _add_choice(command)
        command.add_argument("--json", action="store_true", help="print the records as they are, one a line")
        command.set_defaults(audit_run=run)
        if name == "follow":
            command.add_argument(
                "--lines", type=int, default=0, metavar="N", help="begin with the N newest of the file"
            )
    digest = commands.add_parser("digest", help="print the digest that a record has of an XML document")
    digest.add_argument("document", help="the document's file; - is standard input")
    digest.set_defaults(audit_run=_digest)


def _add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="*", default=[DEFAULT], help=f"a log, with its rotated files, or a directory ({DEFAULT})"
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--subject", metavar="WHO", help="a name, uid:0, sasl:NAME, x509:DN or an address; * and ? match"
    )
    parser.add_argument("--object", metavar="WHAT", help="a name or UUID, or KIND:NAME such as domain:web")
    parser.add_argument("--procedure", metavar="NAME", help="such as DOMAIN_CREATE or 'DOMAIN_*'")
    parser.add_argument("--event", metavar="NAME", help="call, login, connected, gap, start, ...")
    parser.add_argument("--client", type=int, metavar="N", help="the number of a connection")
    parser.add_argument("--denied", action="store_true", help="only what was denied, or would have been")
    parser.add_argument("--errors", action="store_true", help="only what failed")
    parser.add_argument(
        "--since", type=_when, metavar="TIME", help="2026-11-25, 2026-11-25T10:00 (UTC), or 90s, 10m, 2h, 7d ago"
    )
    parser.add_argument("--until", type=_when, metavar="TIME", help="likewise; not included")


def run(options: argparse.Namespace) -> int:
    """Do it; the exit status."""
    try:
        status: int = options.audit_run(options)
        return status
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"{error.filename or 'the audit log'}: {error.strerror or error}") from None


def _when(text: str) -> str:
    """A time as records have it, from a date, a time or an age."""
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f'"{text}" is neither a time (2026-11-25T10:00) nor an age (90s, 2h)'
        ) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# verify


def _verify(options: argparse.Namespace) -> int:
    key = _key(options.key)
    anchors = _anchors(options)
    verdicts = _verdicts(options.path, key, anchors)
    for verdict in verdicts:
        if options.json:
            print(json.dumps(verdict.document()))
        else:
            _tell(verdict)
    return BROKEN if any(verdict.broken for verdict in verdicts) else 0


def _verdicts(paths: list[str], key: bytes | None, anchors: dict[int, str]) -> list[Verdict]:
    """Check each log; again, if its files changed their names meanwhile: some would not have been read."""
    for last in (False, False, True):
        found = logs(paths)
        if not found:
            raise CommandError(f"there is no audit log in {', '.join(paths)}: a log's name ends with .jsonl")
        try:
            before = _inodes(found)
            verdicts = [Verifier(key, anchors).run(names) for names in found]
            if last or before == _inodes(logs(paths)):
                return verdicts
        except FileNotFoundError:
            if last:
                raise
    raise AssertionError("the last time returns")


def _inodes(found: list[list[str]]) -> list[tuple[str, int]]:
    return [(name, os.stat(name).st_ino) for names in found for name in names]


def _key(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return read_key(path)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _anchors(options: argparse.Namespace) -> dict[int, str]:
    found: dict[int, str] = {}
    for text in options.anchor:
        match = _ANCHOR.fullmatch(text)
        if match is None:
            raise CommandError(f'"{text}" is no anchor: it is a line\'s number, a colon and 64 hexadecimal digits')
        found[int(match[1])] = match[2]
    if options.anchors:
        with open(0 if options.anchors == "-" else options.anchors, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                found |= {int(number): link for number, link in re.findall(r"audit anchor (\d+):([0-9a-f]{64})", line)}
    return found


def _tell(verdict: Verdict) -> None:
    for note in verdict.notes:
        print(f"{paint('note', YELLOW, sys.stdout)}: {note.translate(_CONTROL)}")
    if verdict.broken is not None:
        print(f"{paint('BROKEN', RED, sys.stdout)}: {verdict.broken.translate(_CONTROL)}")
    counts = f"{verdict.lines} lines in {verdict.files} file{'s' * (verdict.files != 1)}"
    if verdict.first is not None:
        counts += f", number {verdict.first} to {verdict.last}"
    if verdict.anchors:
        counts += f", {verdict.anchors} anchors hold"
    held = "the chain holds" if verdict.broken is None else "the chain holds up to there"
    print(f"{paint('ok', GREEN, sys.stdout) + ': ' if verdict.broken is None else ''}{held}: {counts}")
    if verdict.link is not None:
        print(f"its end is {verdict.last}:{verdict.link}")


# show and follow


def _choice(options: argparse.Namespace) -> Choice:
    return Choice(
        **{name: getattr(options, name) for name in Choice.__dataclass_fields__},
    )


def _show(options: argparse.Namespace) -> int:
    choice = _choice(options)
    for paths in logs(options.path):
        for path in paths:
            with files.opened(path) as stream:
                for line in files.lines(stream):
                    _print(entry_of(line), choice, options.json)
    return 0


def _follow(options: argparse.Namespace) -> int:
    if len(options.path) != 1 or os.path.isdir(options.path[0]):
        raise CommandError("follow one log, the file that the daemon writes")
    choice = _choice(options)
    for line in followed(options.path[0], options.lines):
        _print(entry_of(line), choice, options.json)
        sys.stdout.flush()
    return 0


def followed(path: str, newest: int = 0) -> Iterator[bytes]:
    """Yield the lines of a log as they are written, over rotations, for ever; first the `newest` of the file."""
    stream = open(path, "rb")  # noqa: SIM115  # it changes while we read
    try:
        lines = stream.readlines() if newest > 0 else []
        if newest <= 0:
            stream.seek(0, os.SEEK_END)
        yield from lines[-newest:] if newest else ()
        rest = b""
        while True:
            piece = stream.readline()
            if piece:
                rest += piece
                if rest.endswith(b"\n"):
                    yield rest
                    rest = b""
                continue
            if _replaced(path, stream.fileno()):
                # What was written between our last look and the change is read first.
                yield from stream.readlines()
                stream.close()
                stream = open(path, "rb")  # noqa: SIM115
                rest = b""
                continue
            time.sleep(POLL_SECONDS)
    finally:
        stream.close()


def _replaced(path: str, fd: int) -> bool:
    try:
        return not os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _print(entry: Entry | None, choice: Choice, as_json: bool) -> None:
    if entry is None or not choice.takes(entry.members):
        return
    if as_json:
        print(entry.raw.rstrip(b"\n").decode("ascii", "replace"))
        return
    record = entry.members
    what = str(record.get("procedure") or entry.event)
    columns = (str(record.get("time"))[:23], f"{record.get('client', '-')!s:>5}", f"{subject_text(record):16}", what)
    about = object_text(record)
    text = f"{'  '.join(columns)}{' ' + about if about else ''}  {result_text(record)}".translate(_CONTROL)
    denied = record.get("decision") in ("denied", "would deny")
    print(paint(text, RED if denied else YELLOW, sys.stdout) if denied or entry.event == "gap" else text)


# digest


def _digest(options: argparse.Namespace) -> int:
    with open(0 if options.document == "-" else options.document, "rb") as stream:
        text = stream.read().decode("utf-8", "surrogateescape")
    shown, found = described(text, whole=False)
    if found is None:
        raise CommandError(f"{options.document} does not parse as an XML document: a record has no digest of it")
    members = json.loads(shown)
    secrets = f"  ({members['masked']} secrets masked)" if "masked" in members else ""
    print(f"{members['sha256']}{secrets}")
    return 0
