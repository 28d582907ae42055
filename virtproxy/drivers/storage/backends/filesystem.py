# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that are a file system which is mounted while they run: of a device (fs) or of another host (netfs).

Mounts are made with what keeps a file system from being more than storage: no devices, no set-user-ID, no programs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from virtproxy.documents.markup import escape
from virtproxy.documents.storage_pool import PoolDocument, parse_source
from virtproxy.driver import ErrorCode, VirtError, run_program
from virtproxy.drivers.storage.backends.directory import (
    BUILD,
    NO_OVERWRITE,
    OVERWRITE,
    Directory,
    check_exclusive,
    refuse_flags,
)
from virtproxy.drivers.storage.backends.signature import check_empty
from virtproxy.drivers.storage.errors import failed, failure, invalid_argument
from virtproxy.drivers.storage.pool import Pool

MOUNTS = "/proc/self/mountinfo"
# What libvirt leaves out of what a host exports.
_SAFE = ("nodev", "nosuid", "noexec")


class FileSystem(Directory):
    """A file system on a device of this host."""

    async def is_active(self, pool: Pool) -> bool:
        return await self.place.blocking(_is_mounted, pool.document)

    async def start(self, pool: Pool) -> None:
        if not await self.place.blocking(_is_mounted, pool.document):
            try:
                await self.run("mount", *_options(pool.document), "--", _source(pool.document), pool.path)
            except VirtError as error:
                raise _refused(error) from None
        await super().start(pool)

    async def stop(self, pool: Pool) -> None:
        if await self.place.blocking(_is_mounted, pool.document):
            await self.run("umount", "--", pool.path)

    async def build(self, pool: Pool, flags: int) -> None:
        refuse_flags(flags & ~int(OVERWRITE | NO_OVERWRITE), BUILD)
        check_exclusive(flags)
        await super().build(pool, 0)
        if not flags & (OVERWRITE | NO_OVERWRITE):
            return
        document = pool.document
        if document.type == "netfs":
            raise failure(ErrorCode.OPERATION_INVALID, f"No source device specified when formatting pool '{pool.name}'")
        device = document.source.devices[0].path
        if not await self.place.blocking(os.path.exists, device):
            raise failure(
                ErrorCode.OPERATION_INVALID, f"Source device does not exist when formatting pool '{pool.name}'"
            )
        if flags & NO_OVERWRITE:
            await check_empty(self.place, device, document.source.format)
        await self._make(device, document.source.format)

    async def _make(self, device: str, format: str) -> None:  # noqa: A002
        forced = {"xfs": ("-f",), "ext2": ("-F",), "ext3": ("-F",), "ext4": ("-F",)}.get(format, ())
        await self.run("mkfs", "-t", format, *forced, device)


class Network(FileSystem):
    """A file system of another host."""

    async def find_sources(self, spec: str | None) -> str:
        """The directories that a host exports by NFS."""
        source = None if not spec else parse_source(spec, "netfs")
        if source is None or not source.hosts:
            raise invalid_argument("hostname must be specified for netfs sources")
        host = source.hosts[0][0]
        if host.startswith("-"):
            raise invalid_argument(f"no host is called '{host}'")
        try:
            shown = await run_program(self.place, ["showmount", "--no-headers", "--exports", host])
        except VirtError as error:
            raise failed(f"no storage pools were found on host '{host}'") from error
        paths = [line.split()[0] for line in shown.text.splitlines() if line.strip()]
        if not paths:
            raise failed(f"no storage pools were found on host '{host}'")
        return "".join(f"{line}\n" for line in _exports(host, paths))


def _exports(host: str, paths: list[str]) -> Iterator[str]:
    yield "<sources>"
    for path in paths:
        yield "  <source>"
        yield f"    <host name='{escape(host)}'/>"
        yield f"    <dir path='{escape(path)}'/>"
        yield "    <format type='nfs'/>"
        yield "  </source>"
    yield "</sources>"


def _source(document: PoolDocument) -> str:
    """What is mounted, as it stands in the list of mounts."""
    source = document.source
    if document.type == "fs":
        return source.devices[0].path
    host = source.hosts[0][0]
    host = f"[{host}]" if ":" in host else host
    return f"//{host}{source.dir}" if source.format == "cifs" else f"{host}:{source.dir}"


def _options(document: PoolDocument) -> Iterator[str]:
    """The options of mount, in libvirt's order."""
    source = document.source
    options = [*_SAFE, *document.mount_options]
    if source.format == "cifs":
        options.append("guest")
    if source.format == "glusterfs":
        options.append("direct-io-mode=1")
    if source.protocol is not None:
        options.append(f"nfsvers={source.protocol}")
    yield from ("-o", ",".join(options))
    if source.format == "auto":
        if document.type == "fs":
            yield from ("-t", "auto")
    else:
        yield from ("-t", source.format)


def _refused(error: VirtError) -> VirtError:
    """A failed mount without the separator that libvirt does not write."""
    message = (error.str2 or error.message or "").replace(" -- ", " ")
    return VirtError.of(ErrorCode.INTERNAL_ERROR, message)


def _is_mounted(document: PoolDocument) -> bool:
    """Whether the pool's source is mounted at its target, whatever way its device is called."""
    target, source = os.path.realpath(document.target or ""), _source(document)
    for where, what in _mounts():
        if where != target:
            continue
        if what == source or (document.type == "netfs" and what.rstrip("/") == source.rstrip("/")):
            return True
        if document.type == "fs" and os.path.realpath(what) == os.path.realpath(source):
            return True
    return False


def _mounts() -> Iterator[tuple[str, str]]:
    """Where something is mounted, and what, in this process's view."""
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            yield _unescaped(before.split()[4]), _unescaped(after.split()[1])


def _unescaped(word: str) -> str:
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, sign)
    return word
