# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a daemon shows its metrics, by the setting metrics_listen, and the listening there.

``plan`` has the setting checked, ``service`` opens the port; ``metrics_web`` answers. It is plain HTTP without a login,
so it is for the host itself unless the administrator names another address.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import socket
from typing import Any

from virtproxy.daemon.drivers import others
from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint, check_path
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.listeners import Listeners
from virtproxy.daemon.metrics import Metrics
from virtproxy.daemon.metrics_web import MetricsSite
from virtproxy.daemon.settings import Settings
from virtproxy.errors import VirtError
from virtproxy.routing.families import HYPERVISORS, LOCAL, Target, target_of

KEY = "metrics_listen"
DOMAINS_KEY = "metrics_domains"
# More at once are closed unheard: one who scrapes needs one.
CONNECTIONS_MAX = 20
_BACKLOG = 50
_UNIX_MODE = 0o660
_EXPECTED = '"127.0.0.1:PORT", "[::1]:PORT" or "unix:/path"'


def metrics_endpoint(settings: Settings) -> UnixEndpoint | InetEndpoint | None:
    """Return where metrics are asked for, None if nowhere.

    Raises ConfigError for what is no address, StartupError if prometheus-client is missing.
    """
    text = settings.text(KEY)
    metrics_targets(settings)
    if text is None:
        return None
    if importlib.util.find_spec("prometheus_client") is None:
        raise StartupError(
            f"{settings.place(KEY)}: {KEY} needs prometheus-client: pip install 'virtproxy[metrics]', or on Debian "
            "apt install python3-prometheus-client",
            ExitCode.CONFIGURATION,
        )
    if text.startswith("unix:"):
        return _unix(settings, text.removeprefix("unix:"))
    return _inet(settings, text)


def metrics_targets(settings: Settings) -> list[Target]:
    """Return whose domains are shown. Raises ConfigError for what is no hypervisor's URI, or where nothing is shown."""
    uris = settings.texts(DOMAINS_KEY) or ()
    if uris and settings.text(KEY) is None:
        raise settings.error(DOMAINS_KEY, f"{DOMAINS_KEY} needs {KEY}, which says where to show them")
    return [_target(settings, uri) for uri in dict.fromkeys(uris)]


def _target(settings: Settings, uri: str) -> Target:
    try:
        target = target_of(uri)
    except VirtError:
        target = None
    if target is None or target.driver not in (*HYPERVISORS, LOCAL, *others()):
        raise settings.error(DOMAINS_KEY, f'{DOMAINS_KEY} takes URIs such as "qemu:///system", not "{uri}"')
    return target


def _unix(settings: Settings, path: str) -> UnixEndpoint:
    if not os.path.isabs(path):
        raise settings.error(KEY, f'{KEY} must be {_EXPECTED}, not "unix:{path}"')
    check_path(settings, KEY, path)
    return UnixEndpoint(path, _UNIX_MODE, None, True, KEY)


def _inet(settings: Settings, text: str) -> InetEndpoint:
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})", text)
    try:
        if found is None or int(found[3]) > 65535:
            raise ValueError
        address = ipaddress.ip_address(found[1] or found[2])
        if (address.version == 6) is not bool(found[1]):
            raise ValueError
    except ValueError:
        raise settings.error(KEY, f'{KEY} must be {_EXPECTED}, not "{text}"') from None
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return InetEndpoint(family, (str(address), int(found[3])), "tcp", KEY, False, KEY)


def metrics_warnings(settings: Settings, endpoint: UnixEndpoint | InetEndpoint | None) -> list[str]:
    """What an administrator should know about a metrics port that works."""
    if not isinstance(endpoint, InetEndpoint) or ipaddress.ip_address(endpoint.address[0]).is_loopback:
        return []
    return [f"{settings.place(KEY)}: whoever reaches {endpoint} can read the metrics: nobody is asked who they are"]


class MetricsPort:
    """Listens on ``endpoint`` and shows ``metrics``; ``reactor`` is a whole one."""

    def __init__(self, reactor: Any, endpoint: UnixEndpoint | InetEndpoint, metrics: Metrics) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._site = MetricsSite(metrics, reactor)
        self.listeners = Listeners(reactor, _BACKLOG, self._accepted)

    def open(self) -> None:
        """Listen. Raises SocketError."""
        self.listeners.open([self._endpoint])

    def start(self) -> None:
        """Answer."""
        self.listeners.resume()

    def close(self) -> None:
        """Listen no more, and end who is connected."""
        self.listeners.close()
        self._site.end_all()

    def _accepted(self, sock: socket.socket, address: object, endpoint: UnixEndpoint | InetEndpoint) -> None:
        with sock:
            if len(self._site.connections) < CONNECTIONS_MAX:
                # The reactor has a descriptor of its own afterwards.
                self._reactor.adoptStreamConnection(sock.fileno(), sock.family, self._site)
