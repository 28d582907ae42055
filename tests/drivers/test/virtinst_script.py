# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs commands of virtinst against one host, which is kept by a connection of its own; run by test_virtinst.py.

Arguments: the URI and a file with a command a line. Prints one JSON list of what each said and its status.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import libvirt


def said(command: str) -> str:
    """What a command said, on both streams, and its status."""
    ended = subprocess.run(
        ["sh", "-c", command], env={**os.environ, "URI": sys.argv[1]}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )  # fmt: skip
    return f"{ended.stdout}status {ended.returncode}"


holder = libvirt.open(sys.argv[1])
with open(sys.argv[2]) as file:
    print(json.dumps([said(line.strip()) for line in file]))
