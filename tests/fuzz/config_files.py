# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m tests.fuzz.config_files``: hostile configuration files, at least a hundred thousand of them.

Whatever a file holds, reading it ends in settings that are of their keys' types and within their ranges, or in an
error with a file, a line and a sentence; and it ends soon.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from tests.fuzz.campaign import GROWTH_KIB, Finding, resident_kib
from virtproxy.daemon import config
from virtproxy.daemon.call_deadlines import call_deadlines
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.keys import KEYS, Type
from virtproxy.daemon.log_settings import log_settings
from virtproxy.daemon.settings import Settings

INPUTS = 100_000
SECONDS_MAX = 2.0
WARM_UP = 0.3
PATH = "d.conf"
WORDS = (
    "=", "[", "]", ",", ";", '"', "'", '"""', "#", "\n", "\r", "\r\n", " ", "\t", "\0", "\\", "+", "-", "0", "1", "00",
    "-1", "4294967295", "4294967296", "9" * 29, "9" * 31, "9" * 5000, "[" * 20, "]" * 20, "['']", '["a", "b"]', "x=1",
    "é", "\udc80", "\u2028", "\x1b[31m", "*=1", "*" * 40 + "=1", "[!a-", "none", "sasl", "polkit", "%s", "{0}",
    "a" * 3000,
)  # fmt: skip


class Writer:
    """Writes files that are nearly right; the same ones for the same seed."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)

    def text(self) -> str:
        """A file: settings of known and unknown names, then some damage."""
        lines = [self._setting() for _ in range(self.random.randint(0, 3))]
        text = self.random.choice(("\n", "\n", "\n", ";", " ", "\r\n")).join(lines)
        for _ in range(self.random.choice((0, 0, 0, 1, 2, 6))):
            text = self._damaged(text)
        return text

    def _setting(self) -> str:
        random = self.random
        name = random.choice(list(KEYS)) if random.random() < 0.95 else random.choice(WORDS)
        return f"{name}{random.choice((' = ', '=', ' =', '= ', ' '))}{self._value(0)}"

    def _value(self, depth: int) -> str:
        random = self.random
        kind = random.randrange(5)
        if kind == 0:
            return str(random.choice((0, 1, 2, 5, 112, -1, 2**31, 2**32 - 1, 2**32, random.randint(-(10**9), 10**12))))
        if kind == 1 and depth < 20:
            return f"[ {', '.join(self._value(depth + 1) for _ in range(random.randint(0, 4)))} ]"
        if kind == 2:
            return random.choice(WORDS)
        quote = random.choice(("'", '"', '"""'))
        return f"{quote}{random.choice((*WORDS, *KEYS, '1:stderr', 'qemu=/run/sock', 'virDomainGet*=5'))}{quote}"

    def _damaged(self, text: str) -> str:
        random, at = self.random, self.random.randint(0, len(text))
        way = random.randrange(4)
        if way == 0:
            return text[:at] + random.choice(WORDS) + text[at:]
        if way == 1:
            return text[:at] + text[min(len(text), at + random.randint(1, 20)) :]
        if way == 2:
            return text[:at]
        return (
            text[:at] + chr(random.choice((0, 9, 34, 39, 91, 127, 0x2028, random.randrange(0xD800)))) + text[at + 1 :]
        )


def read(text: str) -> str:
    """Read a file as a daemon does; returns what became of it. Raises AssertionError or whatever went wrong."""
    row = ROWS["virtproxyd"]
    try:
        settings = Settings(row, PATH, config.parse(text, PATH))
        _check(settings)
        call_deadlines(settings)
        log_settings(settings, {}, verbose=False)
    except ConfigError as error:
        said = str(error)
        assert said.startswith(PATH), said
        assert len(said) < 5000, said
        assert said.replace("\n", "").isprintable(), repr(said)
        return "refused"
    assert all("\n" not in warning and len(warning) < 5000 for warning in settings.warnings), settings.warnings
    return "read"


def _check(settings: Settings) -> None:
    """Every value is what its key allows, however it came about."""
    for name in settings.set_keys():
        key = KEYS[name]
        if key.type is Type.BOOL:
            assert isinstance(settings.flag(name), bool)
        elif key.type in (Type.INT, Type.UINT):
            assert key.low <= settings.number(name) <= key.high, name
        else:
            given = settings.texts(name) if key.type is Type.STRINGS else settings.text(name)
            for text in (given,) if isinstance(given, str) else given or ():
                assert not key.choices or text in key.choices, (name, text)


def run(seed: int, inputs: int) -> dict[str, int]:
    """Read that many files; how many were read and refused. Raises Finding."""
    counts, memory = {"read": 0, "refused": 0}, 0
    for number in range(inputs):
        if number == int(inputs * WARM_UP):
            memory = resident_kib()
        counts[converse(seed, number)] += 1
    growth = resident_kib() - memory
    if growth > GROWTH_KIB:
        raise Finding(f"memory grew by {growth} KiB")
    return counts


def converse(seed: int, number: int) -> str:
    """One file of the seed. Raises Finding that says how to see it again."""
    text = Writer(f"{seed}/{number}").text()
    begin = time.perf_counter()
    try:
        outcome = read(text)
    except Exception as failure:
        again = f"python -m tests.fuzz.config_files --seed {seed} --only {number}"
        raise Finding(f"see it again with: {again}: {type(failure).__name__}: {failure}") from failure
    if time.perf_counter() - begin > SECONDS_MAX:
        raise Finding(f"file {number} of seed {seed} took longer than {SECONDS_MAX} s")
    return outcome


def main() -> int:
    """Run; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.config_files", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many files (%(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="makes the same files again")
    parser.add_argument("--only", type=int, help="one file of the seed, as a finding names it")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    try:
        if options.only is not None:
            print(converse(options.seed, options.only))
        else:
            print(f"{options.inputs} files: {run(options.seed, options.inputs)}; no finding")
    except Finding as finding:
        print(finding, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
