# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where libsasl2's libvirt.conf is, and where it keeps the users; for what must know before or without libsasl2.

``setup`` names the file in its sentences, ``users`` looks for the database. What the settings mean is libsasl2's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

# As libvirt's daemons call themselves.
APPLICATION = "libvirt"
# Where libsasl2 looks when SASL_CONF_PATH is not set.
CONFIG_PATH = "/etc/sasl2:/etc/sasl:/usr/lib/sasl2"
SASLDB = "/etc/sasldb2"
_SETTING = re.compile(r"[ \t]*(?P<name>[A-Za-z0-9_-]+)[ \t]*:[ \t]*(?P<value>.*?)\s*")


def config_file(environ: Mapping[str, str]) -> str:
    """The path of libvirt.conf of SASL; where it should be if there is none."""
    directories = (environ.get("SASL_CONF_PATH") or CONFIG_PATH).split(":")
    paths = [os.path.join(directory, f"{APPLICATION}.conf") for directory in directories if directory]
    return next((path for path in paths if os.path.exists(path)), paths[0])


def database_file(environ: Mapping[str, str]) -> str:
    """The path of the users' database; OSError if there is a libvirt.conf that cannot be read."""
    try:
        with open(config_file(environ), encoding="utf-8", errors="replace") as file:
            found = [
                match["value"] for match in map(_SETTING.fullmatch, file) if match and match["name"] == "sasldb_path"
            ]
    except FileNotFoundError:
        found = []
    return found[0] if found else SASLDB
