# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where files are, for root and for everybody else."""

from __future__ import annotations

import pytest

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.paths import places

PROXY = ROWS["virtproxyd"]


def test_root_has_the_systems_places() -> None:
    where = places({"XDG_RUNTIME_DIR": "/run/user/0", "XDG_CONFIG_HOME": "/elsewhere", "HOME": "/root"}, 0)
    assert where.is_system
    assert where.config_file(PROXY) == "/etc/libvirt/virtproxyd.conf"
    assert where.pid_file(PROXY) == "/run/virtproxyd.pid"
    assert where.run_dir == "/run/libvirt"
    assert where.backend_sockets()["qemu"] == "/run/libvirt/virtqemud-sock"
    assert where.backend_sockets()["nwfilter"] == "/run/libvirt/virtnwfilterd-sock"


@pytest.mark.parametrize(
    ("environ", "config", "run"),
    [
        ({}, "/home/joe/.config/libvirt", "/home/joe/.cache/libvirt"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/home/joe/.config/libvirt", "/run/user/7/libvirt"),
        ({"XDG_CACHE_HOME": "/c"}, "/home/joe/.config/libvirt", "/c/libvirt"),
        ({"XDG_CONFIG_HOME": "/x"}, "/x/libvirt", "/home/joe/.cache/libvirt"),
        ({"XDG_RUNTIME_DIR": "run", "XDG_CONFIG_HOME": ""}, "/home/joe/.config/libvirt", "/home/joe/.cache/libvirt"),
    ],
)
def test_a_users_places(environ: dict[str, str], config: str, run: str) -> None:
    where = places({"HOME": "/home/joe"} | environ, 1000)
    assert not where.is_system
    assert where.config_file(PROXY) == f"{config}/virtproxyd.conf"
    assert where.pid_file(PROXY) == f"{run}/virtproxyd.pid"
    assert where.backend_sockets()["storage"] == f"{run}/virtstoraged-sock"
