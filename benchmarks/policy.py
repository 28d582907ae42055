# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a policy takes: to be read, to know a new caller, and to decide.

python -m benchmarks.policy [--grants N]
"""

from __future__ import annotations

import argparse
import time
import timeit
from collections.abc import Callable
from dataclasses import replace

from virtproxy.access.decision import Thing
from virtproxy.access.policy.decider import PolicyDecider
from virtproxy.access.policy.document import compile_policy
from virtproxy.identity import Identity

USERS = 50
GUESTS = 2000
ALICE = Identity(user_name="u1", uid=1001, pid=7)
ROUNDS = 5


def policy_text(grants: int) -> bytes:
    """An admin, and users with an operator's rights on guests and networks by pattern."""
    rules = ['[[grant]]\nto = "user:root"\nroles = "admin"\n']
    for number in range(1, grants):
        on = f'"domain:g{number}-*", "network:n{number}"'
        rules.append(f'[[grant]]\nto = "user:u{number % USERS}"\nroles = "operator"\non = [{on}]\n')
    return "".join(rules).encode()


def best(function: Callable[[], object], times: int) -> float:
    """Seconds for one call, of the quickest round."""
    return min(timeit.repeat(function, number=times, repeat=ROUNDS)) / times


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--grants", type=int, default=1000, help="how many rules (%(default)s)")
    text = policy_text(parser.parse_args().grants)
    read = best(lambda: compile_policy("/policy.toml", text, lambda identity: frozenset()), 1)
    rules = PolicyDecider(compile_policy("/policy.toml", text, lambda identity: frozenset()))
    callers = iter(replace(ALICE, uid=number) for number in range(10**6))
    known = best(lambda: rules.profile(next(callers)), 20)
    guest = Thing("domain", "QEMU", "qemu:///system", "g951-a", "8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b10")
    again = best(lambda: rules.decide(ALICE, "start", guest), 100_000)
    others = [replace(guest, uuid=f"8c1c5d64-5a3e-4d5c-9d9b-{number:012}") for number in range(GUESTS)]
    began = time.perf_counter()
    for other in others:
        rules.decide(ALICE, "read", other)
    first = (time.perf_counter() - began) / len(others)
    print(f"read a policy of {len(text)} bytes: {read * 1e3:.0f} ms")
    print(f"know a new caller: {known * 1e3:.2f} ms")
    print(f"decide about another thing: {first * 1e6:.1f} us; about the same one again: {again * 1e9:.0f} ns")


if __name__ == "__main__":
    main()
