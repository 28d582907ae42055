# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that are an iSCSI target, and volumes that are its units: iscsiadm logs in, the kernel shows the devices."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress

from virtproxy.documents.storage_pool import PoolDocument, parse_source
from virtproxy.documents.storage_volume import Image, VolumeDocument
from virtproxy.driver import ErrorCode, Finished, VirtError, run_program
from virtproxy.drivers.storage import local
from virtproxy.drivers.storage.backends.base import Backend
from virtproxy.drivers.storage.errors import failure, internal, invalid_argument
from virtproxy.drivers.storage.pool import Pool

PORT = 3260
SESSIONS = "/sys/class/iscsi_session"
# iscsiadm's status when there is no session.
_NO_SESSION = 21
_SESSION = re.compile(r"\S+: \[([0-9]+)\] \S+ (\S+)")
_TARGET = re.compile(r"\S+,\S+ (\S+)")
_UNIT = re.compile(r"[0-9]+:([0-9]+):([0-9]+):([0-9]+)")
# No word that could be taken for an option.
_WORD = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9.:\[\]_%-]*")


class Iscsi(Backend):
    """A target on another host. Volumes are made and deleted over there."""

    counts = False

    async def is_active(self, pool: Pool) -> bool:
        return await self._session(pool.document) is not None

    async def start(self, pool: Pool) -> None:
        document = pool.document
        if document.source.auth is not None:
            detail = "iscsiadm takes a password as an argument only, which every user of the host could read"
            raise failure(ErrorCode.CONFIG_UNSUPPORTED, detail)
        if await self._session(document) is not None:
            return
        targets = await self._discover(document.source.hosts[0], "nonpersistent")
        if _target(document) not in targets:
            raise internal(f"cannot find iSCSI target '{_target(document)}' at '{_portal(document.source.hosts[0])}'")
        name, port = document.source.hosts[0]
        document.source.hosts[0] = (name, port or PORT)
        await self._node(document, "--op", "new")
        await self._node(document, "--op", "update", "--name", "node.startup", "--value", "manual")
        await self._node(document, "--login")

    async def stop(self, pool: Pool) -> None:
        if await self._session(pool.document) is not None:
            await self._node(pool.document, "--logout")

    async def refresh(self, pool: Pool) -> list[VolumeDocument]:
        session = await self._session(pool.document)
        if session is None:
            raise internal("cannot find session")
        await self.run("iscsiadm", "--mode", "session", "-r", session, "-R")
        await self._settle()
        volumes = await self.place.blocking(lambda: list(units(session, pool.path)))
        total = sum(volume.capacity for volume in volumes)
        pool.document.capacity = pool.document.allocation = total
        pool.document.available = 0
        return volumes

    async def _settle(self) -> None:
        """Wait until udev, where there is one, has made the links of new devices; libvirt waits so too."""
        if shutil.which("udevadm") is not None:
            with suppress(VirtError):
                await self.run("udevadm", "settle", "--timeout=10")

    async def examine(self, pool: Pool, volume: VolumeDocument) -> None:
        await self.place.blocking(local.remeasure, volume)

    async def find_sources(self, spec: str | None) -> str:
        source = None if not spec else parse_source(spec, "iscsi")
        if source is None or len(source.hosts) != 1:
            raise invalid_argument("Expected exactly 1 host for the storage pool")
        host = source.hosts[0]
        targets = await self._discover(host, "nonpersistent")
        return "".join(f"{line}\n" for line in _sources(host, targets))

    async def _discover(self, host: tuple[str, int], operation: str) -> list[str]:
        argv = ("--mode", "discovery", "--type", "sendtargets", "--portal", _portal(host), "--op", operation)
        found = await self.run("iscsiadm", *argv)
        return [match[1] for line in found.text.splitlines() if (match := _TARGET.match(line))]

    async def _node(self, document: PoolDocument, *words: str) -> Finished:
        portal = _portal(document.source.hosts[0])
        return await self.run(
            "iscsiadm", "--mode", "node", "--portal", portal, "--targetname", _target(document), *words
        )

    async def _session(self, document: PoolDocument) -> str | None:
        """The number of the session with the target, if there is one."""
        argv = ("iscsiadm", "--mode", "session")
        shown = await run_program(self.place, argv, ok=(0, _NO_SESSION))
        for line in shown.text.splitlines():
            match = _SESSION.match(line)
            if match and match[2] == _target(document):
                return match[1]
        return None


def units(session: str, directory: str, sessions: str = SESSIONS) -> Iterator[VolumeDocument]:
    """The units of a session that are block devices. Blocks; VirtError and OSError."""
    by_device = _stable_names(directory)
    for folder, names, _ in os.walk(os.path.join(sessions, f"session{session}", "device")):
        address = _UNIT.fullmatch(os.path.basename(folder))
        if address is None or "block" not in names:
            continue
        for name in sorted(os.listdir(os.path.join(folder, "block"))):
            path = by_device.get(f"/dev/{name}", f"/dev/{name}")
            volume = VolumeDocument("unit:" + ":".join(address.groups()), "block", path)
            volume.target = Image(path)
            local.remeasure(volume)
            yield volume


def _stable_names(directory: str) -> dict[str, str]:
    """The links of a directory like /dev/disk/by-path, by the devices that they lead to."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return {}
    return {os.path.realpath(path): path for name in names if (path := os.path.join(directory, name))}


def _target(document: PoolDocument) -> str:
    return _checked(document.source.devices[0].path)


def _portal(host: tuple[str, int]) -> str:
    name = f"[{host[0]}]" if ":" in host[0] else host[0]
    return f"{_checked(name)}:{host[1] or PORT},1"


def _checked(word: str) -> str:
    if not _WORD.fullmatch(word):
        raise invalid_argument(f"'{word}' is neither an iSCSI target nor a host")
    return word


def _sources(host: tuple[str, int], targets: list[str]) -> Iterator[str]:
    port = host[1] or PORT
    yield "<sources>"
    for target in targets:
        yield "  <source>"
        yield f"    <host name='{host[0]}' port='{port}'/>"
        yield f"    <device path='{target}'/>"
        yield "  </source>"
    yield "</sources>"
