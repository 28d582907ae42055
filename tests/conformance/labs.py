# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the conformance tests share: a lab with its files in place, direct or proxied."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.guest import write_disk
from tests.support.lab import BACKEND_SOCKETS, Lab

TESTS = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
Command = tuple[tuple[str, ...], dict[str, str]]
HOST_UUID = '"11111111-2222-4333-8444-5555555555aa"'


def furnish(lab: Lab) -> None:
    """Puts the files that scripts use into the lab's directory."""
    for file in (TESTS / "data" / "conformance").iterdir():
        shutil.copy(file, lab.directory)
    shutil.copy(TESTS / "support" / "dhcp_client.py", lab.directory)
    write_disk(lab.directory / "guest.img")


def script(name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Command:
    """How a script over libvirt-python runs in a lab: the command line and the environment."""
    argv = ("/usr/bin/python3", "-m", f"tests.conformance.scripts.{name}", *arguments)
    return argv, {"PYTHONPATH": str(TESTS.parent), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}


@contextlib.contextmanager
def furnished(tree: Path | None = None, name: str = "lab") -> Iterator[Lab]:
    """A lab with files and no daemon yet."""
    with Lab(tree, name) as lab:
        furnish(lab)
        yield lab


@contextlib.contextmanager
def running(proxied: bool, tree: Path | None = None) -> Iterator[Lab]:
    """A lab whose standard sockets belong to libvirtd, or to virtproxyd in front of it."""
    with furnished(tree) as lab:
        if proxied:
            lab.proxied(host_uuid=HOST_UUID)
        else:
            lab.libvirtd(host_uuid=HOST_UUID)
        yield lab


def backend_uri(scheme: str = "qemu") -> str:
    """The URI that passes by the proxy in a proxied lab."""
    return f"{scheme}:///system?socket={BACKEND_SOCKETS}/libvirt-sock"
