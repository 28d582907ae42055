# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run by the system's Python in a lab: what libvirt's QEMU driver makes of documents, once and once more."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import libvirt


def written(conn: Any, text: str) -> str | None:
    """The document as the driver keeps it, None if it does not take it."""
    try:
        domain = conn.defineXMLFlags(text, 0)
    except libvirt.libvirtError:
        return None
    kept: str = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    return kept


def main(source: str, target: str) -> None:
    """Each document, as it is written and as that is written again."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    conn = libvirt.open("qemu:///system")
    pairs = []
    for text in json.loads(Path(source).read_text()):
        once = written(conn, text)
        pairs.append((once, None if once is None else written(conn, once)))
    Path(target).write_text(json.dumps(pairs))


if __name__ == "__main__":
    main(*sys.argv[1:])
