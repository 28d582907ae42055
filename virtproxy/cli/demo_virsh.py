# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of a demonstration that virsh, libvirt's own client, speaks.

demo calls it. Where virsh is not installed it only says so.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass

from virtproxy.cli.output import CommandError, Narrator

# In one go: the pretended host starts afresh when its last client has left.
SCRIPT = "list --all; suspend test; domstate test --reason; resume test"
LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """What virsh was asked and what it answered."""

    command: str
    output: str


def talk_with_virsh(uri: str, tell: Narrator) -> Spoken | None:
    """Run the script over ``uri`` and show what virsh answers; None without virsh, CommandError where it fails."""
    program = shutil.which("virsh")
    if program is None:
        tell.note("virsh is not installed (on Debian: apt-get install libvirt-clients), so this part is left out")
        return None
    try:
        ended = subprocess.run(
            [program, "-c", uri, SCRIPT], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"virsh did not end within {LIMIT:.0f} seconds") from error
    if ended.returncode != 0:
        raise CommandError(f"virsh could not go on: {' '.join(ended.stderr.split())}")
    tell.done(f"virsh '{SCRIPT}'")
    tell.quote(ended.stdout)
    return Spoken(shlex.join(["virsh", "-c", uri, SCRIPT]), ended.stdout)
