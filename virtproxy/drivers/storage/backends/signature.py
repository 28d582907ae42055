# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is on a device already, asked of blkid: nothing is made over it unless the client says so."""

from __future__ import annotations

from virtproxy.driver import ErrorCode, Place, run_program
from virtproxy.drivers.storage.errors import failure

# blkid's words for what is found nowhere, and for more than one thing found.
_NOTHING, _AMBIGUOUS = 2, 8


async def signature(place: Place, device: str) -> tuple[str, str]:
    """The file system and the partition table of a device; empty where there is none. VirtError."""
    command = ["blkid", "-p", "-o", "export", device]
    finished = await run_program(place, command, ok=(0, _NOTHING, _AMBIGUOUS))
    if finished.status == _AMBIGUOUS:
        detail = f"Found additional probes to run, probing may be incorrect: '{device}'"
        raise failure(ErrorCode.STORAGE_PROBE_FAILED, detail)
    pairs = dict(line.partition("=")[::2] for line in finished.text.splitlines())
    return pairs.get("TYPE", ""), pairs.get("PTTYPE", "")


async def check_empty(place: Place, device: str, wanted: str, *, table: bool = False) -> None:
    """VirtError STORAGE_POOL_BUILT if the device has what is wanted, STORAGE_PROBE_FAILED if it has something else."""
    found = await signature(place, device)
    known = found[1] if table else found[0]
    other = found[0] if table else found[1]
    if known == wanted:
        raise failure(ErrorCode.STORAGE_POOL_BUILT, f"Device '{device}' already formatted using '{wanted}'")
    if known or other:
        detail = f"Format of device '{device}' does not match the expected format '{wanted}'"
        raise failure(ErrorCode.STORAGE_PROBE_FAILED, detail)
