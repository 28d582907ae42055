#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the files by which polkit knows libvirt's actions, for a host that has none of libvirt's own packages.

An administrator runs it, and a package's build does: python3 conf/polkit/write_actions.py /usr/share/polkit-1/actions
The files have the names that libvirt's own have (Debian: libvirt-daemon-system), because polkit takes an action from
one file only: a file that is there is left as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from virtproxy.access.acl import KINDS, LOGIN_ACTIONS

_LOGINS = {
    "org.libvirt.unix.monitor": "watch the virtual machines of this host",
    "org.libvirt.unix.manage": "manage the virtual machines of this host",
}
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD polkit Policy Configuration 1.0//EN"
 "http://www.freedesktop.org/software/polkit/policyconfig-1.dtd">
<!-- Written by virtproxy's write_actions.py: change rules in /etc/polkit-1/rules.d, not this file. -->
<policyconfig>
  <vendor>virtproxy</vendor>
"""
_ACTION = """  <action id="{action}">
    <description>{description}</description>
    <message>It needs permission to {what}</message>
    <defaults>
      <allow_any>{default}</allow_any>
      <allow_inactive>{default}</allow_inactive>
      <allow_active>{default}</allow_active>
    </defaults>
  </action>
"""


def document(actions: Mapping[str, tuple[str, str]]) -> str:
    """The file of these actions: by name, what each lets somebody do and polkit's default for it."""
    parts = [
        _ACTION.format(action=action, description=escape(what.capitalize()), what=escape(what), default=default)
        for action, (what, default) in actions.items()
    ]
    return f"{_HEAD}{''.join(parts)}</policyconfig>\n"


def files() -> dict[str, str]:
    """The files by name."""
    logins = {action: (_LOGINS[action], default) for action, default in LOGIN_ACTIONS.items()}
    rules = {
        kind.action(name): (f"use {name.replace('_', ' ')} on a {kind.name.replace('_', ' ')}", "yes" if free else "no")
        for kind in KINDS.values()
        for name, free in kind.permissions.items()
    }
    return {"org.libvirt.unix.policy": document(logins), "org.libvirt.api.policy": document(rules)}


def main(directory: Path) -> int:
    """Write what is missing; return the exit status."""
    for name, text in files().items():
        try:
            with open(directory / name, "x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            print(f"{directory / name} is there already, and stays")
        except OSError as error:
            print(f"cannot write {directory / name}: {error.strerror}", file=sys.stderr)
            return 1
        else:
            print(f"wrote {directory / name}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: {sys.argv[0]} DIRECTORY (for polkit: /usr/share/polkit-1/actions)")
    sys.exit(main(Path(sys.argv[1])))
