#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the files by which polkit knows libvirt's actions, for a host that has none of libvirt's own packages.

An administrator runs it, and a package's build does: python3 conf/polkit/write_actions.py /usr/share/polkit-1/actions
A file that is there is left as it is. "virtproxy install" does the same, and more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from virtproxy.access.polkit_actions import action_files


def main(directory: Path) -> int:
    """Write what is missing; return the exit status."""
    for name, text in action_files().items():
        try:
            with open(directory / name, "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            print(f"{directory / name} is there already, and stays")
        except OSError as error:
            print(f"cannot write {directory / name}: {error.strerror}", file=sys.stderr)
            return 1
        else:
            print(f"wrote {directory / name}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY (for polkit: /usr/share/polkit-1/actions)")
    sys.exit(main(Path(sys.argv[1])))
