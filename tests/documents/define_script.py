# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives documents to libvirt's own test driver, in this process, and prints what it makes of each, as JSON.

Run by the system's Python with the kind of document and a directory for a file; reads the documents by name as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import libvirt


def network(conn: Any, xml: str, _: Path) -> str:
    """A network as it is once it is defined."""
    net = conn.networkDefineXML(xml)
    try:
        return str(net.XMLDesc())
    finally:
        net.undefine()


def interface(conn: Any, xml: str, _: Path) -> str:
    """An interface as it is once it is defined."""
    iface = conn.interfaceDefineXML(xml)
    try:
        return str(iface.XMLDesc())
    finally:
        iface.undefine()


def nodedev(_: Any, xml: str, place: Path) -> str:
    """A device as it is on a host with nothing else."""
    file = place / "host.xml"
    file.write_text(f"<node>{xml}</node>")
    return "".join(str(device.XMLDesc()) for device in libvirt.open(f"test://{file}").listAllDevices())


def main() -> None:
    """Try each document."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open("test:///default")
    answers: dict[str, Any] = {}
    for name, xml in json.load(sys.stdin).items():
        try:
            answers[name] = globals()[sys.argv[1]](conn, xml, Path(sys.argv[2]))
        except libvirt.libvirtError as error:
            answers[name] = error.err
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
