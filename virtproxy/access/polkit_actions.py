# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files by which polkit knows libvirt's actions, for a host that has none of libvirt's own packages.

``virtproxy install`` and conf/polkit/write_actions.py write them. The files have the names that libvirt's own have
(Debian: libvirt-daemon-system), because polkit takes an action from one file only. It must write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from virtproxy.access.acl import KINDS, LOGIN_ACTIONS

# How a file of ours is known when it is to be replaced or removed.
MARK = "<!-- Written by virtproxy"
_LOGINS = {
    "org.libvirt.unix.monitor": "watch the virtual machines of this host",
    "org.libvirt.unix.manage": "manage the virtual machines of this host",
}
_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD polkit Policy Configuration 1.0//EN"
 "http://www.freedesktop.org/software/polkit/policyconfig-1.dtd">
{MARK}: change rules in /etc/polkit-1/rules.d, not this file. -->
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


def _document(actions: Mapping[str, tuple[str, str]]) -> str:
    """The file of these actions: by name, what each lets somebody do and polkit's default for it."""
    parts = [
        _ACTION.format(action=action, description=escape(what.capitalize()), what=escape(what), default=default)
        for action, (what, default) in actions.items()
    ]
    return f"{_HEAD}{''.join(parts)}</policyconfig>\n"


def action_files() -> dict[str, str]:
    """Return the text of each file by its name in /usr/share/polkit-1/actions."""
    logins = {action: (_LOGINS[action], default) for action, default in LOGIN_ACTIONS.items()}
    rules = {
        kind.action(name): (f"use {name.replace('_', ' ')} on a {kind.name.replace('_', ' ')}", "yes" if free else "no")
        for kind in KINDS.values()
        for name, free in kind.permissions.items()
    }
    return {"org.libvirt.unix.policy": _document(logins), "org.libvirt.api.policy": _document(rules)}
