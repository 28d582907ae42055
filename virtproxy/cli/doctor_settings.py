# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configuration, certificates and SASL as ``virtproxy doctor`` sees them: of every daemon that runs or will.

Each file is read as the daemon reads it, certificates as ``virtproxy pki check`` looks at them.
"""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from virtproxy.cli import mode_units
from virtproxy.cli.findings import ERROR, OK, UNSEEN, WARNING, Finding
from virtproxy.cli.mode_view import HostView
from virtproxy.daemon import endpoints
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.endpoints import InetEndpoint
from virtproxy.daemon.failure import ConfigError, StartupError
from virtproxy.daemon.paths import SYSTEM
from virtproxy.daemon.sasl_plan import sasl_rules
from virtproxy.daemon.settings import Settings, load
from virtproxy.daemon.units import PORTS

# Days before a certificate's end from which on it is a warning, as "virtproxy pki check" has it.
_WARN_DAYS = 30
TCP: Final = "tcp"
TLS: Final = "tls"


def wanted(view: HostView) -> list[str]:
    """The daemons that run or will after the next boot."""
    return [name for name, one in view.daemons.items() if one.now or one.boot]


def settings_of(name: str) -> Settings:
    """Return a daemon's settings. Raises ConfigError."""
    return load(ROWS[name], SYSTEM.config_file(ROWS[name]), required=False)


def settings(view: HostView) -> Iterator[Finding]:
    """Files that cannot be read, that the wrong people can write, and doors without a lock."""
    found = [one for name in wanted(view) for one in _file(view, name)]
    if not found:
        names = ", ".join(ROWS[name].config_name for name in wanted(view))
        yield Finding(OK, "settings", f"{names} of {SYSTEM.config_dir} is sound" if wanted(view) else "none in use")
    yield from found


def _file(view: HostView, name: str) -> Iterator[Finding]:
    path = SYSTEM.config_file(ROWS[name])
    try:
        mode = os.stat(path)
    except OSError:
        mode = None
    if mode and (mode.st_uid != 0 or stat.S_IMODE(mode.st_mode) & 0o022):
        problem = "others than root can write it, and are root by way of the daemon"
        yield Finding(ERROR, path, problem, f"chown root:root {path}; chmod go-w {path}")
    try:
        read = settings_of(name)
    except ConfigError as error:
        unseen = isinstance(error.__context__, PermissionError)
        yield Finding(UNSEEN if unseen else ERROR, name, error.message, "sudo virtproxy doctor" if unseen else "")
        return
    yield from (Finding(WARNING, name, warning) for warning in read.warnings)
    yield from _doors(view, name, read)


def _doors(view: HostView, name: str, read: Settings) -> Iterator[Finding]:
    """Who comes in without being asked who they are."""
    path = mode_units.socket_files(ROWS[name], view.place.run_dir)["rw"]
    if _unasked(view, name, read, "auth_unix_rw") and _world_writable(path):
        yield Finding(
            ERROR, path, f'every user of this host may do everything: auth_unix_rw of {name} is "none"',
            f'set auth_unix_rw = "polkit" in {read.path}, or SocketMode=0660, SocketGroup=libvirt in its socket unit',
        )  # fmt: skip
    if PORTS["tcp"] in view.listeners.tcp and read.has("auth_tcp") and read.text("auth_tcp") == "none":
        problem = f'port {PORTS["tcp"]} is open, and auth_tcp of {name} is "none": who reaches it may do everything'
        yield Finding(ERROR, "tcp", problem, f"systemctl disable --now {name}-tcp.socket, and use TLS")


def _unasked(view: HostView, name: str, read: Settings, key: str) -> bool:
    """Whether a daemon asks nobody; unset it depends on whose daemon it is: libvirt's ask polkit, ours do not."""
    return read.text(key) == "none" and (read.is_set(key) or is_ours(view, name))


def is_ours(view: HostView, name: str) -> bool:
    """Whether a daemon is virtproxy's and not libvirt's: ours are scripts, theirs are not."""
    running = [one for one in view.processes if one.daemon == name]
    if running:
        return all(one.python for one in running)
    unit = view.units.get(mode_units.service(name))
    try:
        with open((unit and unit.program) or shutil.which(name) or "", "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _world_writable(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & stat.S_IWOTH)
    except OSError:
        return False


def certificates(view: HostView) -> Iterator[Finding]:
    """What ``virtproxy pki check`` finds, for the daemon that listens for TLS clients."""
    for name in (mode_units.PROXY, mode_units.MONOLITHIC):
        unit = view.units.get(f"{name}-tls.socket")
        here = view.daemons[name].now and PORTS["tls"] in view.listeners.tcp
        if here or (unit is not None and (unit.running or unit.enabled)):
            yield from certificates_of(name)
            return
    yield Finding(OK, "certificates", "none needed: nobody listens for TLS clients")


def certificates_of(name: str) -> Iterator[Finding]:
    """What is wrong with the TLS files of one daemon."""
    # OpenSSL takes a while to load, and few hosts listen for TLS.
    from virtproxy.auth.tls_settings import TlsSetupError
    from virtproxy.cli.pki_inspect import FAULT, NOTE, inspect
    from virtproxy.cli.pki_permissions import reader_of
    from virtproxy.daemon.tls_plan import tls_settings

    try:
        tls = tls_settings(settings_of(name), session=False)
        now = datetime.datetime.now(datetime.UTC)
        found = inspect(tls, reader_of(0), [], _WARN_DAYS, now, Path("/etc/pki/CA"))
    except (TlsSetupError, ConfigError) as error:
        yield Finding(ERROR, "certificates", str(error), "virtproxy pki check")
        return
    levels = {FAULT: ERROR, NOTE: OK}
    for one in found:
        level = levels.get(one.level, WARNING)
        yield Finding(level, one.file, one.problem, "" if level == OK else "virtproxy pki check")


def sasl(view: HostView) -> Iterator[Finding]:
    """Whether SASL can let anybody in, where a daemon asks for it."""
    found = []
    asked = False
    for name in wanted(view):
        transports = [
            each
            for each in mode_units.remote_sockets(name)
            if each in view.units and (view.units[each].running or view.units[each].enabled)
        ]
        asks, those = sasl_of(name, {each.rpartition("-")[2].partition(".")[0] for each in transports})
        asked = asked or asks
        found += those
    if not found:
        yield Finding(OK, "sasl", "ready for logins" if asked else "no daemon asks for it")
    yield from found


def sasl_of(name: str, transports: set[str]) -> tuple[bool, list[Finding]]:
    """Whether a daemon asks for SASL, and what is wrong with it; systemd passes it sockets of ``transports``."""
    try:
        read = settings_of(name)
        passed = [
            InetEndpoint(socket.AF_INET6, ("::", 0), transport, f"{transport}_port", wildcard=True)
            for transport in (TCP, TLS)
            if transport in transports
        ]
        unix, inet = endpoints.unix_endpoints(read, SYSTEM), endpoints.inet_endpoints(read)
        rules, troubles = sasl_rules(read, [*unix, *inet, *passed], os.environ)
    except StartupError as error:
        # What else is wrong with the file is told with the settings.
        return True, [Finding(ERROR, "sasl", str(error))] if "sasl" in str(error).lower() else []
    return rules is not None, [Finding(WARNING, "sasl", trouble) for trouble in troubles]


def remote_faults(name: str, transports: tuple[str, ...]) -> list[Finding]:
    """What would keep a daemon from serving remote clients, or from starting at all with their sockets."""
    found = [*certificates_of(name)] if TLS in transports else []
    if name == mode_units.PROXY:  # libvirt's own libvirtd starts all the same
        found += sasl_of(name, set(transports))[1]
    return [one for one in found if one.level == ERROR]
