# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every key of a daemon's configuration file: type, default, range.

Read by ``settings``, which checks a file against these rows. libvirt's keys keep their names, types, ranges and
defaults (those of a libvirt built without polkit, which this version does not have); our own are listed last.
The values of the auth keys are checked by ``auth``. It must read no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from virtproxy.auth.settings import DEFAULTS
from virtproxy.daemon.catalogue import Row

UINT_MAX = 2**32 - 1
INT_MIN, INT_MAX = -(2**31), 2**31 - 1

Default = int | str | bool | tuple[str, ...] | None


class Type(Enum):
    """What a key takes; the value says it to a person."""

    BOOL = "0 or 1"
    INT = "a whole number"
    UINT = "a number of at least 0"
    STRING = "a string in quotes"
    STRINGS = "a list of strings in [ ]"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``low`` and ``high`` are inclusive. ``network_only``: only daemons with TCP and TLS have it.

    ``row_defaults`` wins over ``default``, by the daemon's name. A default may lie outside the range of what a
    file may set (tcp_min_ssf).
    """

    name: str
    type: Type
    default: Default
    low: int = 0
    high: int = UINT_MAX
    choices: tuple[str, ...] = ()
    network_only: bool = False
    row_defaults: dict[str, Default] = field(default_factory=dict)

    def default_of(self, row: Row) -> Default:
        """Return the value of this key for ``row`` when its file does not set it; None is unset."""
        return self.row_defaults.get(row.name, self.default)


def _flag(name: str, *, network_only: bool = False, **row_defaults: bool) -> Key:
    return Key(name, Type.BOOL, False, 0, 1, network_only=network_only, row_defaults=dict(row_defaults))


def _uint(name: str, default: int, low: int = 0, high: int = UINT_MAX, *, network_only: bool = False) -> Key:
    return Key(name, Type.UINT, default, low, high, network_only=network_only)


def _int(name: str, default: int) -> Key:
    return Key(name, Type.INT, default, INT_MIN, INT_MAX)


def _text(name: str, default: str | None, *choices: str, network_only: bool = False) -> Key:
    return Key(name, Type.STRING, default, choices=choices, network_only=network_only)


def _texts(name: str, *choices: str, network_only: bool = False) -> Key:
    return Key(name, Type.STRINGS, None, choices=choices, network_only=network_only)


_LIBVIRT = (
    _flag("listen_tls", network_only=True, libvirtd=True),
    _flag("listen_tcp", network_only=True),
    _text("tls_port", "16514", network_only=True),
    _text("tcp_port", "16509", network_only=True),
    _text("listen_addr", None, network_only=True),
    _text("unix_sock_group", None),
    _text("unix_sock_ro_perms", "0777"),
    _text("unix_sock_rw_perms", "0700"),
    _text("unix_sock_admin_perms", "0700"),
    _text("unix_sock_dir", None),
    _text("auth_unix_ro", DEFAULTS["auth_unix_ro"]),
    _text("auth_unix_rw", DEFAULTS["auth_unix_rw"]),
    _text("auth_tcp", DEFAULTS["auth_tcp"], network_only=True),
    _text("auth_tls", DEFAULTS["auth_tls"], network_only=True),
    _uint("tcp_min_ssf", 56, 112, network_only=True),
    _texts("access_drivers", "none", "polkit"),
    _text("key_file", None, network_only=True),
    _text("cert_file", None, network_only=True),
    _text("ca_file", None, network_only=True),
    _text("crl_file", None, network_only=True),
    _flag("tls_no_sanity_certificate", network_only=True),
    _flag("tls_no_verify_certificate", network_only=True),
    _texts("tls_allowed_dn_list", network_only=True),
    _text("tls_priority", None, network_only=True),
    _texts("sasl_allowed_username_list"),
    _uint("max_clients", 5000),
    _uint("max_queued_clients", 1000),
    _uint("max_anonymous_clients", 20),
    _uint("min_workers", 5),
    _uint("max_workers", 20, 1),
    _uint("prio_workers", 5),
    _uint("max_client_requests", 5),
    _uint("admin_min_workers", 5),
    _uint("admin_max_workers", 20),
    _uint("admin_max_clients", 5000),
    _uint("admin_max_queued_clients", 20),
    _uint("admin_max_client_requests", 5),
    _uint("log_level", 0, 0, 4),
    _text("log_filters", None),
    _text("log_outputs", None),
    _uint("audit_level", 1),
    _flag("audit_logging"),
    _text("host_uuid", None),
    _text("host_uuid_source", None, "smbios", "machine-id"),
    _int("keepalive_interval", 5),
    _uint("keepalive_count", 5),
    _int("admin_keepalive_interval", 5),
    _uint("admin_keepalive_count", 5),
    _uint("ovs_timeout", 5),
)

_OWN = (
    _texts("backend_sockets"),
    Key("backend_reconnect", Type.BOOL, True, 0, 1),
    _uint("backend_reconnect_timeout", 30, 1, 3600),
    _uint("drain_timeout", 15, 0, 3600),
    _text("metrics_listen", None),
    _texts("metrics_domains"),
    _uint("metrics_domains_interval", 15, 1, 3600),
    _uint("tls_expiry_warning_days", 30, 0, 3650, network_only=True),
    _uint("busy_poll_us", 50, 0, 1000),
    _uint("auth_timeout", 60, 0, 3600),
    _texts("call_deadlines"),
    _uint("max_backend_requests", 0),
    _text("policy_file", None),
    _uint("polkit_timeout", 30, 1, 3600),
    _text("policy_owners_file", None),
    _text("audit_file", None),
    _text("audit_group", None),
    _text("audit_record", "writes", "none", "denials", "writes", "all"),
    _text("audit_documents", "digest", "digest", "whole"),
    _text("audit_failure", "refuse", "refuse", "continue"),
    _text("audit_sync", "interval", "none", "interval", "always"),
    _text("audit_key_file", None),
    _flag("audit_journal"),
    _uint("audit_rotate_mib", 100),
    _flag("audit_rotate_daily"),
    _uint("audit_keep", 0),
    _flag("audit_compress"),
    _uint("audit_anchor_minutes", 0, 0, 10080),
    # Of the daemons that have the test driver, which are those that listen on networks.
    _text("test_scenario", None, network_only=True),
    _text("test_state", None, network_only=True),
    _text("test_control", None, network_only=True),
)

KEYS: dict[str, Key] = {key.name: key for key in _LIBVIRT + _OWN}

# Older files may still set these; libvirt reads them without a word.
IGNORED = frozenset({"keepalive_required", "admin_keepalive_required"})


def keys_of(row: Row) -> dict[str, Key]:
    """Return the keys that the file of ``row`` may set."""
    return {name: key for name, key in KEYS.items() if row.listens_on_network or not key.network_only}
