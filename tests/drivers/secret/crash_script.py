# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ends a process, as kill -9 does, before each of its changes to the disk in turn, and says what a daemon finds then.

Run by test_store.py as a program of its own, whose one thread makes forking safe, with a directory to work in. Each
line is a case, the number of changes before the end, and the state: "UUID-less" text of document and value.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from virtproxy.documents.secret import SecretDocument
from virtproxy.drivers.secret.keys import Key, Keyring
from virtproxy.drivers.secret.store import SecretStore

OLD, NEW = SecretDocument(b"u" * 16, description="old"), SecretDocument(b"u" * 16, description="new")
PLAIN, KEYED = Keyring(), Keyring(Key(b"k" * 32))
READING = Keyring(None, (Key(b"k" * 32),))


def first(store: SecretStore) -> None:
    store.write(OLD, b"old", fresh=True)


# What there is before, what changes it, and with which keys.
CASES: dict[str, tuple[bool, Keyring, Callable[[SecretStore], None]]] = {
    "define": (False, PLAIN, lambda store: store.write(NEW, None, fresh=True)),
    "define with a value": (False, PLAIN, lambda store: store.write(NEW, b"new", fresh=True)),
    "redefine": (True, PLAIN, lambda store: store.write(NEW, None, fresh=False)),
    "set": (True, PLAIN, lambda store: store.write_value(OLD, b"new")),
    "set encrypted": (True, KEYED, lambda store: store.write_value(OLD, b"new")),
    "undefine": (True, PLAIN, lambda store: store.remove(OLD.uuid)),
}


def limited(count: int) -> None:
    """Let this process end before its change number `count`."""
    left = [count]

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return real(*args, **named)

        return call

    for name in ("unlink", "open", "rename", "mkdir", "fsync", "fchmod"):
        setattr(os, name, counting(getattr(os, name)))


def state(directory: str) -> str:
    """What a daemon finds, whichever form a value has."""
    found = [f"{one.document.description} {one.value!r}" for one in SecretStore(directory, READING).load()]
    return "; ".join(found) or "nothing"


def main(place: Path) -> None:
    """Every case, with every number of changes until all of them happen."""
    for name, (there, keys, change) in CASES.items():
        count = 0
        while True:
            directory = str(place / "secrets")
            shutil.rmtree(directory, ignore_errors=True)
            if there:
                first(SecretStore(directory, PLAIN))
            pid = os.fork()
            if pid == 0:
                limited(count)
                change(SecretStore(directory, keys))
                os._exit(0)
            done = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            print(f"{name}|{count}|{state(directory)}", flush=True)
            if done:
                break
            count += 1


main(Path(sys.argv[1]))
