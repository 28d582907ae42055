# SPDX-License-Identifier: LGPL-2.1-or-later
"""A package with drivers, installed in a directory of its own as pip does it: for ``sys.path`` or PYTHONPATH."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# A driver that says what is done with it, and does what the files beside its module's want.
SPEAKING = """
from pathlib import Path

from virtproxy.driver import Driver, ErrorCode, VirtError, implements, remote

WISHES = Path(__file__).parent


def said(what):
    with open(WISHES / "said", "a") as file:
        file.write(what + "\\n")


class FakeDriver(Driver):
    name = "fake"

    async def start(self):
        said(f"start {self.place.mode} {self.place.config} {self.place.state}")
        if (WISHES / "refuses").exists():
            raise VirtError.of(ErrorCode.INTERNAL_ERROR, "the disk is full")
        if (WISHES / "breaks").exists():
            raise KeyError("oops")

    async def stop(self):
        said("stop")

    async def reload(self):
        said("reload")

    def busy(self):
        return int((WISHES / "busy").exists())

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call, args):
        return remote.ConnectGetHostnameRet(hostname="a fake")
"""


def bring(site: Path, drivers: Mapping[str, str], text: str = SPEAKING, name: str = "fake-driver") -> Path:
    """Install a package with the module ``fake_driver`` and these entry points below ``site``, and return that."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{scheme} = {origin}\n" for scheme, origin in drivers.items())
    (info / "entry_points.txt").write_text(f"[virtproxy.drivers]\n{lines}")
    (site / "fake_driver.py").write_text(text)
    return site
