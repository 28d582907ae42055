# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs that a daemon's main server speaks, by number. The session and the client look here."""

from __future__ import annotations

from collections.abc import Mapping

from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.schema import Program

BY_NUMBER: Mapping[int, Program] = {program.number: program for program in (remote.PROGRAM, qemu.PROGRAM, lxc.PROGRAM)}
