# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether polkit answers and knows libvirt's actions, where a daemon asks it. doctor_talk calls it."""

from __future__ import annotations

import importlib.util
from typing import Any

from virtproxy.cli.doctor_settings import is_ours, settings_of, wanted
from virtproxy.cli.findings import ERROR, OK, UNSEEN, Finding
from virtproxy.cli.mode_view import HostView
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.polkit import KEYS, asks_polkit

_JEEPNEY = "pip install 'virtproxy[polkit]', or the Debian package python3-jeepney"
_INSTALL = "apt install polkitd dbus libvirt-daemon-system, and see that both run"


async def polkit(reactor: Any, view: HostView, limit: float) -> list[Finding]:
    """Ask polkit for an action of libvirt's about this very process; the answer does not matter, that there is one."""
    names = [name for name in wanted(view) if _asks(view, name)]
    if not names:
        return [Finding(OK, "polkit", "no daemon asks it")]
    if importlib.util.find_spec("jeepney") is None:
        return [Finding(UNSEEN, "polkit", f"{names[0]} asks it; that is not looked at without jeepney", _JEEPNEY)]
    from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]

    from virtproxy.auth.dbus import BusError, SystemBus

    name = "org.freedesktop.PolicyKit1"
    authority = DBusAddress("/org/freedesktop/PolicyKit1/Authority", name, f"{name}.Authority")
    bus = SystemBus(reactor)
    try:
        actions = (await bus.call(new_method_call(authority, "EnumerateActions", "s", ("C",)), limit))[0]
    except BusError as error:
        return [
            Finding(ERROR, "polkit", f"does not answer, and {', '.join(names)} cannot do without: {error}", _INSTALL)
        ]
    finally:
        bus.close()
    return _judged({str(action[0]) for action in actions}, names)


def _judged(actions: set[str], names: list[str]) -> list[Finding]:
    missing = [one for one in ("org.libvirt.unix.manage", "org.libvirt.unix.monitor") if one not in actions]
    if missing:
        return [Finding(ERROR, "polkit", f"runs, but does not know {', '.join(missing)}: {', '.join(names)} let "
                        "nobody but root in", "apt install libvirt-daemon-system, or virtproxy install")]  # fmt: skip
    return [Finding(OK, "polkit", f"answers and knows libvirt's actions (asked by {', '.join(names)})")]


def _asks(view: HostView, name: str) -> bool:
    try:
        read = settings_of(name)
    except StartupError:
        return False
    if any(asks_polkit(read, key) for key in KEYS if read.has(key)):
        return True
    # libvirt's own daemons ask polkit unless told otherwise.
    return not is_ours(view, name) and not read.is_set("auth_unix_rw")
