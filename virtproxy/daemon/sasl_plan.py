# SPDX-License-Identifier: LGPL-2.1-or-later
"""SASL as a daemon's settings ask for it, tried before anything is opened.

Called by ``plan``. It must not load libsasl2 for a daemon none of whose sockets asks for SASL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.settings import Settings

if TYPE_CHECKING:
    from virtproxy.auth.sasl.login import SaslRules


def sasl_rules(
    settings: Settings, endpoints: Sequence[UnixEndpoint | InetEndpoint], environ: Mapping[str, str]
) -> tuple[SaslRules | None, list[str]]:
    """Return the rules of SASL logins and warnings for the log; None if no endpoint asks for them.

    Raises ConfigError if an endpoint asks for SASL and has no mechanism to offer: nobody could use it.
    """
    keys = {auth_key(endpoint): _transport(endpoint) for endpoint in endpoints}
    asked = {key: transport for key, transport in keys.items() if settings.text(key) == "sasl"}
    if not asked:
        return None, []
    from virtproxy.auth.sasl.library import SaslSetupError
    from virtproxy.auth.sasl.login import SaslRules
    from virtproxy.auth.sasl.server import server
    from virtproxy.auth.sasl.setup import Setup

    min_ssf = settings.number("tcp_min_ssf") if settings.has("tcp_min_ssf") else 0
    rules = SaslRules(settings.texts("sasl_allowed_username_list"), min_ssf)
    offered: set[str] = set()
    for key, transport in asked.items():
        try:
            setup = Setup(server(), environ)
            offered.update(setup.offered(rules, transport))
        except SaslSetupError as problem:
            raise settings.error(key, f'{key} = "sasl" cannot be: {problem}') from None
    return rules, [f"{settings.place(next(iter(asked)))}: {trouble}" for trouble in setup.troubles(offered)]


def auth_key(endpoint: UnixEndpoint | InetEndpoint) -> str:
    """Return the setting that says how clients of ``endpoint`` log in."""
    if isinstance(endpoint, UnixEndpoint):
        return "auth_unix_ro" if endpoint.readonly else "auth_unix_rw"
    return f"auth_{endpoint.transport}"


def _transport(endpoint: UnixEndpoint | InetEndpoint) -> str:
    return "unix" if isinstance(endpoint, UnixEndpoint) else endpoint.transport
