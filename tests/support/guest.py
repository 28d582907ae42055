# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest that the tests boot: one boot sector, made from nothing.

Its source is tests/data/conformance/guest.s. Used by the conformance tests and the benchmarks.
"""

from __future__ import annotations

from pathlib import Path

SECTOR_SIZE = 512
DISK_SIZE = 8 * 1024 * 1024
BANNER = "virtproxy test guest: ready"

CODE = (
    bytes.fromhex(
        "fa31c08ed88ed0bc007cfcfbb80300cd10b401b90020cd10ba0206b80001"
        "efbe8a7cac84c0740e50e84e0058b40ebb0700cd10ebedf4ba0006edf6c4"
        "0175316631c0ba10ae66efba04ae66ed6685c07405ba08ae66efbafd03ec"
        "a80174d7baf803ece814003c0d75edb00ae80b00ebe6ba0406b80020efeb"
        "bc5250bafd03eca82074fb58baf803ee5ac3"
    )
    + f"{BANNER}\r\n\0".encode()
)


def write_disk(path: Path) -> None:
    """Writes the guest's disk as a raw image of DISK_SIZE bytes."""
    sector = CODE.ljust(SECTOR_SIZE - 2, b"\0") + b"\x55\xaa"
    with path.open("wb") as file:
        file.write(sector)
        file.truncate(DISK_SIZE)
