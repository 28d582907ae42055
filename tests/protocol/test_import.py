# SPDX-License-Identifier: LGPL-2.1-or-later
"""What importing the declarations costs, in a fresh interpreter: every daemon pays it at start."""

from __future__ import annotations

import json
import subprocess
import sys

MEASURE = """
import json, sys, time
def resident():
    return int(open('/proc/self/statm').read().split()[1]) * 4
before, began = resident(), time.process_time()
import virtproxy.protocol.remote
took, grew = time.process_time() - began, resident() - before
print(json.dumps({'seconds': took, 'kib': grew, 'modules': [m for m in sys.modules if m.startswith('virtproxy')]}))
"""
# Of a quiet machine 0.06 s; processor time, but a busy machine has slower processors too.
SECONDS, KIB = 0.15, 6144


def measured() -> dict[str, object]:
    """One import, measured."""
    done = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_the_remote_program_is_cheap_to_import() -> None:
    runs = [measured() for _ in range(4)]
    assert min(float(str(run["seconds"])) for run in runs[1:]) < SECONDS
    assert min(int(str(run["kib"])) for run in runs) < KIB


def test_it_does_without_enums_and_compiler() -> None:
    modules = str(measured()["modules"])
    assert "virtproxy.protocol.domain_events" in modules
    assert "virtproxy.protocol.enums" not in modules
    assert "virtproxy.wire.decoder" not in modules
