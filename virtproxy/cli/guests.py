# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests that run on this host, as processes: they live on while the daemons that started them change.

The switch counts them before and after, and ``virtproxy doctor`` too. It must not touch them.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field

# The programs of guests: of the QEMU driver (on some distributions qemu-kvm) and of the LXC driver.
_PROGRAMS = ("qemu-system-", "qemu-kvm", "libvirt_lxc")


@dataclass(frozen=True, slots=True, order=True)
class Guest:
    """One guest's process; ``started`` tells it from a later process of the same number.

    ``groups`` are its control groups, as /proc/PID/cgroup has them.
    """

    pid: int
    started: str
    name: str
    groups: str = field(default="", compare=False)

    def is_of(self, unit: str) -> bool:
        """Whether systemd counts the process as one of a unit's, so that stopping the unit may kill it."""
        return any(unit in line.split("/") for line in self.groups.splitlines())


def running(proc: str = "/proc") -> set[Guest]:
    """Return the guests that libvirt's drivers started, by anybody's daemon."""
    pids = (name for name in os.listdir(proc) if name.isdecimal())
    return {guest for pid in pids if (guest := _guest(int(pid), proc)) is not None}


def _guest(pid: int, proc: str) -> Guest | None:
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            words = [word.decode("utf-8", "replace") for word in file.read(16384).split(b"\0")]
        if not os.path.basename(words[0]).startswith(_PROGRAMS):
            return None
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state, *fields = file.read().rpartition(")")[2].split()
        with open(f"{proc}/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            groups = file.read()
    except OSError:
        return None
    name = _name(words)
    # A process that only waits to be reaped is no guest any more; starttime is field 22 of proc(5).
    return None if name is None or state == "Z" else Guest(pid, fields[18], name, groups)


def _name(words: list[str]) -> str | None:
    """The name that libvirt gave a guest's process: "-name guest=NAME,..." of QEMU, "--name NAME" of LXC."""
    for option, value in itertools.pairwise(words):
        if option == "-name" and value.startswith("guest="):
            return value.removeprefix("guest=").partition(",")[0]
        if option == "--name":
            return value
    return None


def listed(guests: set[Guest]) -> str:
    """Name guests in a sentence, not more than a handful."""
    names = [f"{guest.name} (process {guest.pid})" for guest in sorted(guests)]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
