# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user sees of a connection, as one JSON line for each URI: the error with all its fields, or the guests.

Copied into a lab and run there as an ordinary user, so it must import nothing of the project.
Usage: polkit_client.py [-r] URI...
"""

from __future__ import annotations

import json
import sys

import libvirt


def seen(uri: str, readonly: bool) -> object:
    """The error's fields, or the names of the guests."""
    try:
        connection = (libvirt.openReadOnly if readonly else libvirt.open)(uri)
        return sorted(domain.name() for domain in connection.listAllDomains())
    except libvirt.libvirtError as error:
        # How a template marks the place of its detail differs between libvirt's versions.
        return {"error": [field.replace("%1$s", "%s") if isinstance(field, str) else field for field in error.err]}


if __name__ == "__main__":
    libvirt.registerErrorHandler(lambda *_: None, None)
    for argument in sys.argv[1:]:
        if argument != "-r":
            print(json.dumps(seen(argument, "-r" in sys.argv)))
