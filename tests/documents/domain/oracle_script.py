# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvirt's own test driver makes of domain documents: run by the system's Python, with libvirt-python.

Reads a JSON list of documents from standard input and writes a line of JSON for each: the text that it gives back
after a definition, or the error's code, domain and message. Each definition is undone before the next.
"""

from __future__ import annotations

import json
import sys

import libvirt


def answer(connection: libvirt.virConnect, text: str) -> list[object]:
    """["ok", document] or ["error", code, domain, message]."""
    try:
        domain = connection.defineXML(text)
    except libvirt.libvirtError as error:
        return ["error", error.get_error_code(), error.get_error_domain(), error.get_error_message()]
    try:
        return ["ok", domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE)]
    finally:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


def main() -> None:
    """Answer for every document."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open("test:///default")
    for text in json.load(sys.stdin):
        print(json.dumps(answer(connection, text)), flush=True)


main()
