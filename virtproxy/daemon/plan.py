# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything a daemon is about to do, worked out and checked before anything is created.

Called by ``run`` and the twistd plugins with the options; ``service`` carries the plan out. Whatever can be
known to fail at start-up fails here. It must create nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from virtproxy.auth.settings import AuthSettingError, check_auth_setting
from virtproxy.daemon import endpoints
from virtproxy.daemon.activation import entries_passed, passed_sockets
from virtproxy.daemon.audit_settings import AuditSettings, audit_settings, audit_warnings
from virtproxy.daemon.call_deadlines import call_deadlines
from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.driver_settings import DriverSettings, driver_settings
from virtproxy.daemon.drivers import check_drivers
from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint, entries_configured
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.log_settings import LogSettings, log_settings
from virtproxy.daemon.metrics_port import metrics_endpoint, metrics_warnings
from virtproxy.daemon.options import DaemonOptions
from virtproxy.daemon.owners_file import owners_of
from virtproxy.daemon.paths import Places, places
from virtproxy.daemon.policy_file import policy_of, policy_warnings
from virtproxy.daemon.polkit import check_polkit, polkit_warnings
from virtproxy.daemon.sasl_plan import sasl_rules
from virtproxy.daemon.scenario_file import check_scenario
from virtproxy.daemon.settings import Settings, load
from virtproxy.daemon.sockets import check_inet, check_unix

if TYPE_CHECKING:
    from virtproxy.access.owners import Owners
    from virtproxy.access.policy.decider import PolicyDecider
    from virtproxy.auth.sasl.login import SaslRules
    from virtproxy.auth.tls import ServerTls

_UUID = re.compile(r"\s*[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\s*")


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked start. ``tls`` and ``sasl`` are None when no endpoint needs them; ``warnings`` are for the log.

    ``admin`` are the sockets of the administration interface. ``policy`` decides what clients may do, ``owners`` has
    who owns what; None without a policy_file. ``drivers`` has what the drivers' own files say.
    """

    row: Row
    places: Places
    settings: Settings
    log: LogSettings
    unix: tuple[UnixEndpoint, ...]
    inet: tuple[InetEndpoint, ...]
    backends: Mapping[str, str]
    tls: ServerTls | None
    sasl: SaslRules | None
    pid_file: str
    timeout: int
    metrics: UnixEndpoint | InetEndpoint | None = None
    audit: AuditSettings | None = None
    warnings: tuple[str, ...] = field(default=())
    admin: tuple[UnixEndpoint, ...] = ()
    policy: PolicyDecider | None = None
    owners: Owners | None = None
    drivers: DriverSettings = field(default_factory=DriverSettings)


def make_plan(options: DaemonOptions, environ: Mapping[str, str], uid: int) -> Plan:
    """Return what the daemon of ``options`` will do. Raises StartupError with what is wrong and what to do."""
    row, where = options.row, places(environ, uid)
    given = passed_sockets(options, environ)
    if not options.check_config:
        row = _check_row(row, where)
    settings = load(row, options.config_file or where.config_file(row), required=options.config_file is not None)
    log = log_settings(settings, environ, verbose=options.verbose)
    _check_supported(settings)
    _check_values(settings)
    check_scenario(settings)
    audit = audit_settings(settings)
    entries = entries_passed(given, settings) if given else entries_configured(settings, where, options.listens)
    wants_tls = any(endpoint.transport == "tls" for endpoint in entries.inet)
    tls, tls_warnings = _tls(settings, where) if wants_tls else (None, [])
    policy = policy_of(settings)
    sasl, sasl_warnings = sasl_rules(settings, [*entries.unix, *entries.inet], environ)
    metrics = metrics_endpoint(settings)
    drivers = driver_settings(row, where.config_dir, environ)
    return Plan(
        row=row,
        places=where,
        settings=settings,
        log=log,
        unix=entries.unix,
        inet=entries.inet,
        admin=entries.admin,
        backends=endpoints.backend_sockets(settings, where),
        tls=tls,
        sasl=sasl,
        pid_file=options.pid_file or where.pid_file(row),
        timeout=options.timeout,
        audit=audit,
        warnings=(
            *settings.warnings,
            *_without_effect(settings),
            *entries.warnings,
            *tls_warnings,
            *sasl_warnings,
            *policy_warnings(policy),
            *polkit_warnings(settings, bool(entries.inet)),
            *metrics_warnings(settings, metrics),
            *drivers.warnings,
        ),
        policy=policy,
        owners=owners_of(settings, row, where, policy),
        metrics=metrics,
        drivers=drivers,
    )


def check_free(plan: Plan) -> Plan:
    """Check that every endpoint is free, and return the plan without the addresses that this host lacks.

    Raises StartupError that names who is in the way. Apart from ``make_plan`` because the daemon that holds
    the pid file is the better news when both are taken.
    """
    made = [endpoint for endpoint in (*plan.unix, *plan.admin) if endpoint.fd is None]
    if made:
        endpoints.check_directory(plan.settings, plan.places)
    for endpoint in (*made, plan.metrics):
        if isinstance(endpoint, UnixEndpoint):
            check_unix(endpoint)
    if isinstance(plan.metrics, InetEndpoint):
        check_inet(plan.metrics)
    return replace(plan, inet=tuple(each for each in plan.inet if each.fd is not None or check_inet(each)))


def _check_row(row: Row, where: Places) -> Row:
    """The row with the drivers that it can have here."""
    checked = check_drivers(row)
    if not where.is_system and not row.session_mode:
        raise StartupError(f"{row.name} runs as root only", ExitCode.PRIVS)
    return checked


def _check_supported(settings: Settings) -> None:
    """Refuse what would leave the daemon more open than its administrator wrote."""
    for key in ("auth_unix_rw", "auth_unix_ro", "auth_tcp", "auth_tls"):
        if settings.has(key) and (settings.is_set(key) or _in_use(settings, key)):
            try:
                check_auth_setting(key, settings.text(key) or "")
            except AuthSettingError as error:
                raise settings.error(key, str(error)) from None
    check_polkit(settings)


def _in_use(settings: Settings, key: str) -> bool:
    listens = {"auth_tcp": "listen_tcp", "auth_tls": "listen_tls"}
    return key not in listens or settings.flag(listens[key])


def _check_values(settings: Settings) -> None:
    for key, meaning in (("max_clients", "let nobody in"), ("max_client_requests", "serve no call")):
        if settings.number(key) == 0:
            raise settings.error(key, f"{key} = 0 would {meaning}: set it to 1 or more, or leave it out")
    call_deadlines(settings)
    uuid = settings.text("host_uuid")
    if uuid is not None and not _UUID.fullmatch(uuid):
        raise settings.error("host_uuid", f'host_uuid must be a UUID of 32 hexadecimal digits, not "{uuid}"')
    if uuid is not None and len(set(re.sub(r"[\s-]", "", uuid))) == 1:
        raise settings.error("host_uuid", "host_uuid must not have all its digits alike")


def _tls(settings: Settings, where: Places) -> tuple[ServerTls, list[str]]:
    # Only a daemon that speaks TLS pays for loading OpenSSL.
    from virtproxy.auth.tls import ServerTls
    from virtproxy.auth.tls_settings import TlsSetupError
    from virtproxy.daemon.tls_plan import tls_settings

    try:
        tls = ServerTls(tls_settings(settings, session=not where.is_system))
        return tls, tls.check()
    except TlsSetupError as error:
        raise StartupError(f"{settings.place('listen_tls')}: TLS cannot start: {error}", ExitCode.NETWORK) from None


# Why a setting that was read and checked does nothing in this version.
_NO_EFFECT: dict[str, str] = {
    "ovs_timeout": "this daemon does not talk to Open vSwitch",
}


def _without_effect(settings: Settings) -> list[str]:
    named = [
        f"{settings.place(key)}: {key} has no effect: {why}"
        for key, why in _NO_EFFECT.items()
        if settings.has(key) and settings.is_set(key)
    ]
    return [*audit_warnings(settings), *named]
