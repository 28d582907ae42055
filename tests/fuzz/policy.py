# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m tests.fuzz.policy``: hostile policies. Each is refused in words, or taken and as strict as it says.

Every input is made again from its seed and number.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.access.policy.examples import ALICE, CAROL, CONNECTION, DAVE, NOBODY, ROOT, WEB, claim, owned
from tests.access.policy.test_errors import BROKEN, ODD
from tests.fuzz.campaign import Finding, resident_kib
from tests.toml.test_positions import TEXT as EVERY_FORM
from virtproxy.access.policy.decider import PolicyDecider
from virtproxy.access.policy.document import compile_policy
from virtproxy.access.policy.quotas import Usage
from virtproxy.access.policy.source import PolicyError
from virtproxy.cli.policy_template import TEMPLATE

INPUTS = 200_000
GROWTH_KIB = 6 * 1024
# Longer problems than this would make a log unreadable.
PROBLEM_MAX = 400
TOKENS = (
    '"', "'", '"""', "'''", "[", "]", "[[", "]]", "{", "}", "=", ",", ".", "#", "\n", "\r\n", "\\", "\\u0000",
    "\\U0010ffff", "\0", "\x1b[31m", "\u2028", "é", "*", "**", "?", "!", ":", "/", "..", "[[grant]]", "[[deny]]",
    "[subjects.a]", "[roles.a]", "to = ", "roles = ", "permissions = ", "on = ", "except = ", "everyone", "true",
    "false", "0", "-1", "1e999", "nan", "inf", "9" * 4400, "[" * 300, "{a=" * 50, "0x1F", "1979-05-27", "domain:start",
    "*:*", "owned = true", "'" * 7,
)  # fmt: skip


def corpus() -> list[bytes]:
    """Good policies and bad ones to start from."""
    lines = TEMPLATE.splitlines()
    whole = "\n".join(line[1:] if line.startswith("#") and line[1:2] not in ("", " ", "#") else line for line in lines)
    texts = [TEMPLATE, whole, EVERY_FORM, *(text for text, *_ in BROKEN.values()), *(text for text, *_ in ODD.values())]
    kept = [text for text in texts if len(text) < 20_000]
    return [text.encode() for text in [*kept, *[whole] * 20]]


class Mutator:
    """Changes policies as texts, as lines and as bytes."""

    def __init__(self, random: Random, texts: list[bytes]) -> None:
        self.random = random
        self.texts = texts
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._token, self._token, self._line, self._line, self._swap, self._cut, self._flip, self._word,
        )  # fmt: skip

    def text(self) -> bytes:
        """One policy."""
        changed = bytearray(self.random.choice(self.texts))
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            self.random.choice(self._ways)(changed)
        return bytes(changed)

    def _place(self, text: bytearray) -> int:
        return self.random.randint(0, len(text))

    def _token(self, text: bytearray) -> None:
        at = self._place(text)
        text[at:at] = self.random.choice(TOKENS).encode()

    def _line(self, text: bytearray) -> None:
        """Another policy's line, in a place of its own or of another line."""
        lines = self.random.choice(self.texts).split(b"\n")
        mine = text.split(b"\n")
        at = self.random.randrange(len(mine))
        mine[at : at + self.random.choice((0, 0, 1))] = [bytearray(self.random.choice(lines))]
        text[:] = b"\n".join(mine)

    def _swap(self, text: bytearray) -> None:
        mine = text.split(b"\n")
        self.random.shuffle(mine)
        text[:] = b"\n".join(mine)

    def _cut(self, text: bytearray) -> None:
        del text[self._place(text) :]

    def _flip(self, text: bytearray) -> None:
        if text:
            text[self.random.randrange(len(text))] ^= 1 << self.random.randrange(8)

    def _word(self, text: bytearray) -> None:
        """One word for another."""
        words = bytes(text).split(b" ")
        words[self.random.randrange(len(words))] = self.random.choice(TOKENS).encode()
        text[:] = b" ".join(words)


def look(content: bytes) -> bool:
    """Whether the policy is taken. AssertionError if it is neither refused in words nor sound."""
    try:
        policy = compile_policy("/etc/p.toml", content, lambda identity: frozenset())
    except PolicyError as error:
        last = content.count(b"\n") + 1
        assert error.problems
        for problem in error.problems:
            assert 0 <= problem.line <= last, problem
            assert problem.text.isprintable(), problem
            assert len(problem.text) < PROBLEM_MAX, problem
        return False
    _check_sound(PolicyDecider(policy))
    return True


def _check_sound(rules: PolicyDecider) -> None:
    policy = rules.policy
    reporting = policy.report
    for identity in (ALICE, ROOT, CAROL, DAVE, NOBODY):
        named = any(grant.is_for(policy.standing_of(identity).who) for grant in policy.grants)
        for thing, permission in ((CONNECTION, "getattr"), (WEB, "start"), (owned(WEB, "unix:alice"), "read_secure")):
            decision = rules.decide(identity, permission, thing)
            always = rules.always(identity, thing.kind, permission)
            assert always in (None, decision.granted), (identity, permission)
            assert named or not decision.granted or decision.pretended, (identity, permission)
            assert decision.granted or decision.missing
            assert not decision.pretended or reporting
        judged = rules.judge(identity, [claim("file", "/etc/../x"), claim("network", "default")])
        assert judged.granted or judged.missing
        rules.judge_usage(identity, Usage(1, 1, 1, 1))
    # Nothing that a policy says stands up against a deny of everything.
    closed = [rule for rule in policy.denies if not rule.on and not rule.but and rule.names == "everyone"]
    if any(len(rule.permissions) > 120 for rule in closed) and not reporting:
        assert not rules.decide(ROOT, "start", WEB).granted


def run(seed: int, inputs: int) -> str:
    """Look at so many policies; returns a report. Raises Finding."""
    texts, seen, memory = corpus(), Counter[bool](), 0
    began = time.perf_counter()
    for number in range(inputs):
        if number == inputs // 3:
            memory = resident_kib()
        content = Mutator(Random(f"{seed}/{number}"), texts).text()
        try:
            seen[look(content)] += 1
        except Exception as failure:
            again = f"python -m tests.fuzz.policy --seed {seed} --only {number}"
            raise Finding(f"see it again with: {again}: {type(failure).__name__}: {failure}") from failure
    growth = resident_kib() - memory
    if growth > GROWTH_KIB:
        raise Finding(f"memory grew by {growth} KiB in {inputs} policies of seed {seed}")
    seconds = time.perf_counter() - began
    return (
        f"{inputs} policies, {seen[True]} taken and {seen[False]} refused, in {seconds:.1f} s;"
        f" memory grew by {growth} KiB; no finding"
    )


def main() -> int:
    """Run it; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.policy", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many policies (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="makes the same policies again")
    parser.add_argument("--only", type=int, help="one policy of the seed, as a finding names it")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if options.only is not None:
        content = Mutator(Random(f"{options.seed}/{options.only}"), corpus()).text()
        Path("policy.bad.toml").write_bytes(content)
        print("taken" if look(content) else "refused")
        return 0
    try:
        print(run(options.seed, options.inputs))
    except Finding as finding:
        print(finding, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
