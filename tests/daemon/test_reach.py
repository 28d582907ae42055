# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon reaches: URIs of its own drivers, of others behind a proxy, and a driver that asks another."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from tests.support.scripted import ScriptedDaemon
from tests.support.toy import ToyDriver, result_of
from virtproxy.daemon import reach as reach_module
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.options import options_for
from virtproxy.daemon.paths import SYSTEM, Places, session_places
from virtproxy.daemon.peers import Peers
from virtproxy.daemon.plan import Plan, make_plan
from virtproxy.daemon.reach import driver_place, further_sockets, reach
from virtproxy.driver import VirtError, remote
from virtproxy.driver.backend import LocalBackend
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.families import DRIVERS
from virtproxy.routing.router import Router


def plan(tmp_path: Path, name: str, text: str = "", uid: int = 0) -> Plan:
    path = tmp_path / "d.conf"
    path.write_text(text)
    options = options_for(ROWS[name])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse(["-f", str(path)])
    return make_plan(options, {"HOME": str(tmp_path)}, uid)


def router(tmp_path: Path, name: str, text: str = "") -> Router:
    reactor: Any = Clock()
    return reach(plan(tmp_path, name, text), reactor, reactor)[1]


@pytest.mark.parametrize(
    ("name", "opens", "refuses"),
    [
        ("virtsecretd", "secret:///system", ("storage:///system", "qemu:///system", "test:///default")),
        ("libvirtd", "test:///default", ("qemu:///system", "network:///system", "fake:///system")),
        ("virtproxyd", "qemu:///system", ("fake:///system", "log:///system", "lock:///system")),
    ],
)
def test_whose_uris_are_opened(tmp_path: Path, name: str, opens: str, refuses: tuple[str, ...]) -> None:
    found = router(tmp_path, name)
    assert found.route(opens).primary.uri == opens
    for uri in refuses:
        with pytest.raises(VirtError) as refused:
            found.route(uri)
        assert (refused.value.code, refused.value.message) == (
            ErrorCode.NO_CONNECT,
            f"no connection driver available for {uri}",
        )


def test_a_proxy_reaches_every_daemon_and_others_only_those_of_their_row(tmp_path: Path) -> None:
    assert set(router(tmp_path, "virtproxyd").sockets) == set(DRIVERS)
    assert router(tmp_path, "virtsecretd").sockets == {}
    assert router(tmp_path, "libvirtd", 'backend_sockets = [ "qemu=/x" ]').sockets == {}


def test_an_empty_uri_is_the_daemons_own(tmp_path: Path) -> None:
    assert router(tmp_path, "virtsecretd").default_uri() == "secret:///system"
    with pytest.raises(VirtError, match="no connection driver available"):
        router(tmp_path, "libvirtd").default_uri()


def places(tmp_path: Path, **session: str) -> Places:
    if session:
        return session_places(session, str(tmp_path))
    return Places("system", "/c", str(tmp_path), "/p", "/l")


def test_a_proxy_finds_a_driver_of_somebody_elses_by_its_socket(tmp_path: Path) -> None:
    find = further_sockets(places(tmp_path))
    assert find("toy") is None
    for name in ("toy", "log"):
        (tmp_path / f"virt{name}d-sock").touch()
    assert find("toy") == f"{tmp_path}/virttoyd-sock"
    assert [find(name) for name in ("log", "../toy", "", "TOY")] == [None] * 4


def test_a_users_proxy_finds_those_that_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("virttoyd", "virtiofsd"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(reach_module, "others", lambda: {"toy": (), "absent": ()})
    where = places(tmp_path, XDG_RUNTIME_DIR=str(tmp_path / "run"))
    monkeypatch.setenv("VIRTD_PATH", str(tmp_path))
    assert further_sockets(where)("toy") == f"{tmp_path}/run/libvirt/virttoyd-sock"
    # A program that is no driver's is not run because of its name, and what is not installed cannot be.
    assert (further_sockets(where)("iofs"), further_sockets(where)("absent")) == (None, None)


def test_where_drivers_live(tmp_path: Path) -> None:
    found = driver_place(plan(tmp_path, "virtsecretd", "max_clients = 7\n"), None, Peers())
    assert (found.mode, found.config, found.state, found.run, found.cache, found.log, found.privileged) == (
        "system",
        "/etc/libvirt",
        "/var/lib/libvirt",
        "/run/libvirt",
        "/var/cache/libvirt",
        "/var/log/libvirt",
        True,
    )
    assert found.settings["max_clients"] == 7
    own = driver_place(plan(tmp_path, "virtsecretd", uid=1000), None, Peers())
    assert (own.mode, own.config, own.state, own.privileged) == (
        "session",
        f"{tmp_path}/.config/libvirt",
        f"{tmp_path}/.local/share/libvirt",
        False,
    )
    assert SYSTEM.data_dir == "/var/lib/libvirt"


class Asked:
    """Peers of a daemon that has the toy in its process."""

    def __init__(self, sockets: Mapping[str, str] | None = None) -> None:
        self.clients: list[LocalBackend] = []
        reactor: Any = Clock()
        self.peers = Peers()
        self.peers.router = Router(reactor, "system", sockets or {}, {"toy": self.open}, opens_relayed=False)

    def open(self, target: Any, flags: int, identity: Any, client: Any) -> LocalBackend:
        self.clients.append(LocalBackend(ToyDriver(), client, identity, uri=target.uri))
        return self.clients[-1]


def test_a_driver_asks_another_as_the_daemon_itself() -> None:
    asked = Asked()
    peer = result_of(asked.peers.ask("toy"))
    assert result_of(peer.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "toyhost"
    (client,) = asked.clients
    assert (client.identity.uid, client.identity.pid, client.uri) == (os.geteuid(), os.getpid(), "toy:///system")
    peer.close()


def test_a_driver_that_this_daemon_does_not_know_cannot_be_asked() -> None:
    with pytest.raises(VirtError, match="no connection driver available for secret:///system"):
        result_of(Asked().peers.ask("secret"))


@pytest_twisted.ensureDeferred
async def test_a_driver_of_another_daemon_is_asked_over_its_socket(
    daemons: dict[str, ScriptedDaemon],
    loop: Any,
) -> None:
    daemon = daemons["network"]
    daemon.script.answers[remote.CONNECT_GET_HOSTNAME] = remote.ConnectGetHostnameRet(hostname="there")
    peers = Peers()
    peers.router = Router(loop, "system", {"network": daemon.path}, {}, opens_relayed=False)
    peer = await peers.ask("network")
    assert (await peer.call(remote.CONNECT_GET_HOSTNAME, None)).hostname == "there"
    opened = [args.name for procedure, args in daemon.script.only.calls if procedure is remote.CONNECT_OPEN]
    assert opened == ["network:///system"]
    peer.close()
