# SPDX-License-Identifier: LGPL-2.1-or-later
"""Defines each guest of a list at the lab's libvirtd and prints what that made of it, or null where it refused.

Run inside a lab with the file of a JSON list; prints a JSON list of the same length.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import libvirt


def understood(connection: libvirt.virConnect, document: str) -> str | None:
    """The definition as libvirt wrote it down."""
    try:
        guest = connection.defineXMLFlags(document, 0)
    except libvirt.libvirtError:
        return None
    try:
        return str(guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    finally:
        guest.undefine()


def main() -> None:
    """Read, define, print."""
    libvirt.registerErrorHandler(lambda context, error: None, None)
    connection = libvirt.open("qemu:///system")
    documents = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps([understood(connection, document) for document in documents]))


if __name__ == "__main__":
    main()
