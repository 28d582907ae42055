# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page of each driver's daemon and of libvirtd, from its row and templates/manual.rst.

Called by ``python -m virtproxy.daemon.written``, which keeps docs/man up to date. virtproxyd's page has more to say and
is written by hand. It must write nothing.
"""

from __future__ import annotations

import os
import textwrap

from virtproxy.daemon.catalogue import Kind, Row
from virtproxy.daemon.conf_file import template
from virtproxy.daemon.paths import SYSTEM

_WIDTH = 120
_CONFIG, _RUNTIME, _CACHE = "$XDG_CONFIG_HOME/libvirt", "$XDG_RUNTIME_DIR/libvirt", "$XDG_CACHE_HOME/libvirt"
# What each daemon is about, for its title and its description.
_ABOUT = {
    "libvirtd": "everything that libvirt manages, in one process",
    "virtqemud": "guests of QEMU and KVM",
    "virtxend": "guests of Xen",
    "virtlxcd": "containers (LXC)",
    "virtvboxd": "guests of VirtualBox",
    "virtbhyved": "guests of bhyve",
    "virtinterfaced": "network interfaces of the host",
    "virtnetworkd": "virtual networks",
    "virtnodedevd": "devices of the host",
    "virtnwfilterd": "network filters",
    "virtsecretd": "secrets",
    "virtstoraged": "storage pools and volumes",
}
_LISTEN = """``-l``, ``--listen``
    Listen on TCP and TLS as the configuration says. Refused where systemd passes sockets.

"""
_SESSION_ENVIRONMENT = """``XDG_CONFIG_HOME``, ``XDG_RUNTIME_DIR``, ``XDG_CACHE_HOME``
    Where a user's own daemon has its files. Without them: ``~/.config``, the cache directory, ``~/.cache``.

"""


def manual(row: Row) -> str:
    """Return the reStructuredText of the manual page of ``row``'s daemon."""
    what = f"manage {_ABOUT[row.name]}"
    words = {
        "bar": "=" * len(row.name),
        "name": row.name,
        "line": "-" * len(what),
        "what": what,
        "description": _wrapped(_description(row)),
        "served": _wrapped(_served(row)),
        "modes": _wrapped(_modes(row)),
        "listen": _LISTEN if row.kind is Kind.MONOLITHIC else "",
        "sockets": _sockets(row),
        "files": _files(row),
        "environment": _SESSION_ENVIRONMENT if row.session_mode else "",
        "status": _wrapped(_status(row)),
        "examples": _examples(row),
        "see": ", ".join(f"``{name}``\\({section})" for name, section in _SEE),
    }
    return template("manual.rst").format_map(words)


_SEE = (("virtproxyd", 8), ("virtproxy", 1), ("virsh", 1), ("virt-admin", 1), ("twistd", 1))


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _description(row: Row) -> str:
    about = f"{row.name} is the daemon for {_ABOUT[row.name]}."
    if row.kind is Kind.MONOLITHIC:
        return f"{about} It and the modular daemons exclude each other: virtproxyd takes over its sockets."
    uris = ", ".join(f"``{uri}``" for uri in row.uris)
    about = f"{about} Clients open it as {uris}, at its own socket or by virtproxyd, which passes their calls on."
    if row.kind is Kind.HYPERVISOR:
        return f"{about} Networks, storage, secrets and the like are the matter of other daemons, which it asks."
    return about


def _served(row: Row) -> str:
    if row.kind is Kind.MONOLITHIC:
        own = ", ".join(row.local)
        return f"Its drivers are those of this version of virtproxy ({own}), and those that other packages bring."
    if row.served:
        return "Its driver is part of virtproxy."
    return (
        f"**This version of virtproxy has no driver for it**: the program says so and ends with status 11. "
        f"Run libvirt's own {row.name}, which virtproxyd works with."
    )


def _modes(row: Row) -> str:
    if not row.session_mode:
        return "It is run by root only."
    return (
        "Run by root it is the system's daemon. Run by another user it is that user's own, and serves nobody else: "
        "libvirt's clients start it when they need it, and it ends by itself."
    )


def _entry(names: str, text: str) -> str:
    return f"{names}\n" + textwrap.indent(textwrap.fill(text, _WIDTH - 4, break_long_words=False), "    ")


def _sockets(row: Row) -> str:
    where = f"{SYSTEM.run_dir}/{row.socket_prefix}"
    entries = [
        _entry(f"``{where}-sock``", "For reading and writing."),
        _entry(f"``{where}-sock-ro``", "For reading only."),
        _entry(f"``{where}-admin-sock``", "For ``virt-admin``\\(1), run by the daemon's own user."),
    ]
    if row.session_mode:
        own = f"``{_RUNTIME}/{row.socket_prefix}-sock``, ``{_RUNTIME}/{row.socket_prefix}-admin-sock``"
        entries.append(_entry(own, "A user's own."))
    return "\n\n".join(entries)


def _files(row: Row) -> str:
    def pair(system: str, session: str) -> str:
        return f"``{system}``" + (f"; ``{session}``" if row.session_mode else "")

    config = pair(SYSTEM.config_file(row), os.path.join(_CONFIG, row.config_name))
    pid_file = pair(SYSTEM.pid_file(row), os.path.join(_RUNTIME, row.pid_name))
    log_file = pair(SYSTEM.log_file(row), os.path.join(_CACHE, f"{row.name}.log"))
    entries = [
        _entry(config, "Its configuration; the file that comes with virtproxy explains every setting."),
        _entry(pid_file, "Its process id, locked while it lives."),
        _entry(log_file, "Its log, where it runs in the background and neither the journal nor a setting has it."),
        _entry(f"``/etc/sysconfig/{row.name}``, ``/etc/default/{row.name}``", _arguments(row)),
    ]
    return "\n\n".join(entries)


def _arguments(row: Row) -> str:
    return f"Options for the daemon that systemd starts, in the variable ``{row.name.upper()}_ARGS``."


def _status(row: Row) -> str:
    privileges = "" if row.session_mode else "5 where it is not run by root, "
    return (
        "0 after an orderly end, 1 for a mistake in options or configuration or a pid file in use, 2 where the "
        f"directory of its sockets cannot be made, {privileges}6 where it cannot listen or TLS cannot be set up, "
        "11 without a driver. The reason is on standard error."
    )


def _examples(row: Row) -> str:
    uri = row.uris[0] if row.kind is not Kind.MONOLITHIC else "qemu:///system"
    shown = [
        ("See whether the configuration is right:", f"{row.name} --check-config"),
        ("Run in the foreground, saying what it does, until nobody has come for a minute:", f"{row.name} -v -t 60"),
        ("Let the first client start it:", f"systemctl enable --now {row.name}.socket {row.name}-ro.socket"),
        ("Be a client of it:", f"virsh -c {uri} uri"),
    ]
    return "\n\n".join(f"{text} ::\n\n    {command}" for text, command in shown)
