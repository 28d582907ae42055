# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a script of virsh commands in a lab and writes down everything a user would see, masked for comparison.

Called by the conformance tests. A script has one step a line:

    list --all                a virsh command that must succeed
    ! dominfo nosuch          one that must fail
    ro: destroy demo          over the read-only socket (may follow "! ")
    $ sha256sum file          a shell command that must succeed (output kept)
    until REGEX: domstate x   repeat until the output matches (only that it did is kept)
    ? sysinfo                 one whose end depends on the host
    console demo: hello       talk over a real terminal: send the text, see it come back, leave
    boot resume demo: hello   the same, but when connected run that command and wait until the guest says that it is up
    & NAME: event --all       start a virsh command and go on
    wait NAME: REGEX          interrupt it when its output matches, and keep that
    sorted: / quiet:          prefixes of a command: order of lines does not count / keep only status and line count
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.guest import BANNER
from tests.support.lab import Lab, end, wait_until

COMMAND_TIME = 60.0
ESCAPE = b"\x1d"
VIRSH = r"(?P<end>[!?] )?(?P<ro>ro: )?(?P<sorted>sorted: )?(?P<quiet>quiet: )?(?P<body>[a-z].+)"

MASKS = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"^\s*(?:memory|disk)_bps: \d+\n", ""),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d{4}|Z)?( [+-]\d{4})?", "<time>"),
        (r"<([acm]time)>[\d.]+<", r"<\1><time><"),
        (r"portid='[0-9a-f-]+'", "portid='<id>'"),
        (r"^(\s*(?:time_elapsed|downtime|setup_time|\w+_remaining|\w+_processed|\w+_total|memory_\w+): )\d+", r"\1<n>"),
        (r'"fd":"\d+"', '"fd":"<n>"'),
        (r"(event 'reboot' for domain 'demo'\n)+", r"\1"),  # firmware resets itself a varying number of times
        (r"(event 'migration-iteration' for domain 'demo': iteration: ).*\n(?:\1.*\n)*", r"\1<n>\n"),
        (r"events received: \d+", "events received"),
        (r"%\d\$s", "%s"),  # an error's template: positional since libvirt 9.1
        (r"<creationTime>\d+</creationTime>", "<creationTime/>"),
        (r"(Creation Time:\s+).*", r"\1<time>"),
        (r"(CPU time:\s+).*", r"\1<seconds>"),
        (r"(Time elapsed:\s+|Total downtime:\s+|Setup time:\s+).*", r"\1<ms>"),
        (r"/dev/pts/\d+", "/dev/pts/<n>"),
        (r"(\.(?:time|times|user|system|wait|delay|rss|last-update)=)\d+", r"\1<n>"),
        (r"^(rss|available|usable|unused|last_update|disk_caches) \d+", r"\1 <n>"),
        (r"(\.(?:rd|wr|fl|rx|tx)\.(?:reqs|bytes|times|pkts|errs|drop)=)\d+", r"\1<n>"),
        (r"((?:rd|wr|flush|rx|tx)_(?:req|bytes|operations|total_times|packets|errs|drop)\s+)\d+", r"\1<n>"),
        (
            r"(Memory processed|Memory remaining|Memory total|Memory bandwidth|Constant pages|Normal pages|Normal data"
            r"|File processed|File remaining|File total|File bandwidth|Data processed|Data remaining|Data total"
            r"|Dirty rate|Iteration|Page size|Postcopy requests|Expected downtime|Compression \w+):.*",
            r"\1: <n>",
        ),
        (r'"id":"libvirt-\d+"', '"id":"libvirt-<n>"'),
        (r'(\\?"(?:seconds|microseconds|thread-id|pid)\\?":\s*)\d+', r"\1<n>"),
        (r"( at (?:offset )?|Thread )0x[0-9a-f]+", r"\1<address>"),
    )
)


def masked(text: str) -> str:
    """The text with what differs between any two runs taken out."""
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text.replace(" \n", "\n").rstrip() + "\n"


@dataclass(frozen=True)
class Step:
    """One line of a script."""

    line: int
    text: str
    kind: str
    body: str
    name: str = ""
    end: str = ""
    readonly: bool = False
    ordered: bool = True
    quiet: bool = False


def parse(script: str) -> list[Step]:
    """The steps of a script."""
    lines = enumerate(script.splitlines(), 1)
    return [parse_line(number, text.strip()) for number, text in lines if text.strip() and not text.startswith("#")]


def parse_line(number: int, text: str) -> Step:
    """One step; ValueError when the line is of no known form."""
    for kind, pattern in (
        ("shell", r"\$ (?P<body>.+)"),
        ("until", r"until (?P<name>.+?): (?P<body>.+)"),
        ("boot", r"boot (?P<name>.+?): (?P<body>.+)"),
        ("console", r"console (?P<name>\S+): (?P<body>.+)"),
        ("spawn", r"& (?P<name>\w+): (?P<body>.+)"),
        ("wait", r"wait (?P<name>\w+): (?P<body>.+)"),
    ):
        match = re.fullmatch(pattern, text)
        if match:
            return Step(number, text, kind, match["body"], match.groupdict().get("name", ""))
    match = re.fullmatch(VIRSH, text)
    if match is None:
        raise ValueError(f"line {number} is no step: {text}")
    return Step(
        number,
        text,
        "virsh",
        match["body"],
        end=(match["end"] or "").strip(),
        readonly=bool(match["ro"]),
        ordered=not match["sorted"],
        quiet=bool(match["quiet"]),
    )


@dataclass
class Transcript:
    """A run of a script with one virsh against one URI in one lab."""

    lab: Lab
    virsh: Path
    env: dict[str, str]
    uri: str = "qemu:///system"
    parts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    spawned: dict[str, tuple[subprocess.Popen[Any], Path]] = field(default_factory=dict)

    def run(self, steps: list[Step]) -> str:
        """Runs all steps and returns the masked text; AssertionError naming the steps that ended unexpectedly."""
        for step in steps:
            self.parts.append(f"[{step.line}] {step.text}\n" + getattr(self, f"_{step.kind}")(step))
        assert not self.wrong, "\n".join(self.wrong)
        return "\n".join(self.parts)

    def argv(self, body: str, *options: str) -> list[str]:
        """The command line of a virsh command."""
        return [str(self.virsh), "-c", self.uri, *options, *shlex.split(body)]

    def _judge(self, step: Step, status: int, output: str) -> None:
        if step.end != "?" and (status != 0) != (step.end == "!"):
            self.wrong.append(f"line {step.line}: {step.text}: exit status {status}: {output.strip()}")

    def _virsh(self, step: Step) -> str:
        argv = self.argv(step.body, *(["-r"] if step.readonly else []))
        done = self.lab.run(*argv, env=self.env, timeout=COMMAND_TIME, check=False)
        self._judge(step, done.returncode, done.stdout + done.stderr)
        out = masked(done.stdout)
        if step.quiet:
            out = f"{len(out.splitlines())} lines\n"
        elif not step.ordered:
            out = "\n".join(sorted(out.splitlines())) + "\n"
        return f"exit {done.returncode}\n{out}{masked(done.stderr)}"

    def _shell(self, step: Step) -> str:
        done = self.lab.run("sh", "-c", step.body, timeout=COMMAND_TIME, check=False)
        self._judge(step, done.returncode, done.stdout + done.stderr)
        return masked(done.stdout + done.stderr)

    def _until(self, step: Step) -> str:
        def matches() -> bool:
            done = self.lab.run(*self.argv(step.body), env=self.env, check=False)
            return re.search(step.name, done.stdout + done.stderr) is not None

        self._expect(step, matches)
        return "came\n"

    def _expect(self, step: Step, condition: Callable[[], bool]) -> None:
        try:
            wait_until(condition, step.text, 20)
        except AssertionError as error:
            self.wrong.append(f"line {step.line}: {error}")

    def _spawn(self, step: Step) -> str:
        output = self.lab.directory / f"spawned-{step.name}"
        with output.open("wb") as file:
            streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": subprocess.STDOUT}
            wrapper = self.lab.popen("stdbuf", "-oL", *self.argv(step.body), env=self.env, **streams)
        self.spawned[step.name] = (wrapper, output)
        time.sleep(0.3)
        return "started\n"

    def _wait(self, step: Step) -> str:
        wrapper, output = self.spawned.pop(step.name)
        self._expect(step, lambda: re.search(step.body, output.read_text()) is not None)
        end(wrapper, signal.SIGINT)
        status = wrapper.returncode
        self._judge(step, status, output.read_text())
        return f"exit {status}\n{masked(output.read_text())}"

    def _console(self, step: Step) -> str:
        with self._terminal(step.name) as terminal:
            return terminal.talk(step.body)

    def _boot(self, step: Step) -> str:
        with self._terminal(step.name.split()[-1]) as terminal:
            self.lab.run(*self.argv(step.name), env=self.env)
            terminal.expect(BANNER)
            return terminal.talk(step.body)

    @contextlib.contextmanager
    def _terminal(self, domain: str) -> Iterator[Terminal]:
        argv = self.argv(f"console {domain}")
        with contextlib.closing(Terminal(self.lab, argv, self.env)) as terminal:
            terminal.expect("Escape character is")
            yield terminal


class Terminal:
    """A console program on a pseudo terminal."""

    def __init__(self, lab: Lab, argv: list[str], env: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.process = lab.popen(*argv, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.seen = b""

    def close(self) -> None:
        """Ends the program."""
        end(self.process)
        os.close(self.master)

    def talk(self, text: str) -> str:
        """Sends the text as a line, waits for its echo and leaves; all that was seen."""
        os.write(self.master, text.encode() + b"\r")
        self.expect(text)
        os.write(self.master, ESCAPE)
        self.process.wait(10)
        with contextlib.suppress(OSError):
            self.drain()
        return masked(self.seen.decode(errors="replace").replace("\r", ""))

    def expect(self, wanted: str) -> None:
        """Reads until that came; AssertionError with what came instead."""
        deadline = time.monotonic() + 15
        while wanted.encode() not in self.seen:
            assert time.monotonic() < deadline, f"no {wanted!r} in {self.seen!r}"
            self.drain()

    def drain(self) -> None:
        """Reads what is there."""
        while select.select([self.master], [], [], 0.1)[0]:
            part = os.read(self.master, 65536)
            if not part:
                return
            self.seen += part
