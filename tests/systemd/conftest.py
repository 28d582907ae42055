# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our Debian packages, built once for all tests, and the hosts that they are installed on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nspawn import Container, booted

BUILD = Path(__file__).parents[2] / "scripts" / "build-deb"


@pytest.fixture(scope="session")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages' files, by the packages' names."""
    directory = tmp_path_factory.mktemp("debs")
    directory.chmod(0o755)
    done = subprocess.run([BUILD, directory], stdout=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0
    return {Path(line).name.split("_")[0]: Path(line) for line in done.stdout.splitlines()}


@pytest.fixture
def bare(debs: dict[str, Path]) -> Iterator[Container]:
    """A bare Debian that can read our packages."""
    with booted(debs["virtproxyd"].parent) as container:
        yield container


@pytest.fixture(scope="module")
def beside(debs: dict[str, Path]) -> Iterator[Container]:
    """A host with Debian's libvirtd, and all of ours that can be installed beside it."""
    with booted(debs["virtproxyd"].parent) as container:
        container.install("libvirt-daemon-system", "libvirt-clients")
        container.install(
            *(debs[name] for name in ("python3-virtproxy", "virtproxyd", "virtproxy-tools", "virtproxy-drivers"))
        )
        yield container
