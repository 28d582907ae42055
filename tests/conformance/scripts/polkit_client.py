# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user sees of a connection, as one JSON line for each URI: the error with all its fields, or the guests.

Copied into a lab and run there as an ordinary user, so it must import nothing of the project.
Usage: polkit_client.py [-r] [--lookup NAME] URI...
"""

from __future__ import annotations

import argparse
import json

import libvirt


def seen(uri: str, readonly: bool, name: str | None) -> object:
    """The error's fields, or the names of the guests."""
    try:
        connection = (libvirt.openReadOnly if readonly else libvirt.open)(uri)
        if name is not None:
            connection.lookupByName(name)
        return sorted(domain.name() for domain in connection.listAllDomains())
    except libvirt.libvirtError as error:
        # How a template marks the place of its detail differs between libvirt's versions.
        return {"error": [field.replace("%1$s", "%s") if isinstance(field, str) else field for field in error.err]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-r", action="store_true")
    parser.add_argument("--lookup")
    parser.add_argument("uris", nargs="+")
    options = parser.parse_args()
    libvirt.registerErrorHandler(lambda *_: None, None)
    for uri in options.uris:
        print(json.dumps(seen(uri, options.r, options.lookup)))
