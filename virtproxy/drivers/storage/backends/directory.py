# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that are a directory, and all that volumes in directories have in common: file systems use it too."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from virtproxy.documents.storage import Permissions
from virtproxy.documents.storage_volume import VolumeDocument
from virtproxy.driver import ErrorCode, VirtError, enums
from virtproxy.drivers.storage import local, raw
from virtproxy.drivers.storage.backends.base import Backend
from virtproxy.drivers.storage.errors import failed, failure, internal, invalid, invalid_argument, system
from virtproxy.drivers.storage.image import check
from virtproxy.drivers.storage.pool import Pool

P = ParamSpec("P")
T = TypeVar("T")
OVERWRITE = enums.StoragePoolBuildFlags.OVERWRITE
NO_OVERWRITE = enums.StoragePoolBuildFlags.NO_OVERWRITE
# What a pool's new directory gets, and what each one above it.
DIRECTORY_MODE, PARENT_MODE = 0o711, 0o755
# Errors about flags name the function that saw them: clients are shown libvirt's.
BUILD = "virStorageBackendFileSystemBuild"


class Directory(Backend):
    """A directory, with a volume a file."""

    async def is_active(self, pool: Pool) -> bool:
        return await self.place.blocking(os.path.isdir, pool.path)

    async def start(self, pool: Pool) -> None:
        await self.place.blocking(self.unfinished.clean, pool.path)

    async def build(self, pool: Pool, flags: int) -> None:
        refuse_flags(flags & ~int(OVERWRITE | NO_OVERWRITE), BUILD)
        check_exclusive(flags)
        await self._call(_make_directory, pool.path, pool.document.permissions)
        if flags & (OVERWRITE | NO_OVERWRITE):
            raise invalid(f"No source device specified when formatting pool '{pool.name}'")

    async def delete(self, pool: Pool, flags: int) -> None:
        refuse_flags(flags, "virStorageBackendDeleteLocal")
        try:
            await self.place.blocking(os.rmdir, pool.path)
        except OSError as error:
            raise system(error, f"failed to remove pool '{pool.path}'") from None

    async def refresh(self, pool: Pool) -> list[VolumeDocument]:
        return await self.place.blocking(local.scan, pool.document)

    # Volumes

    async def prepare(self, pool: Pool, volume: VolumeDocument) -> None:
        if volume.type not in ("file", "dir", "ploop") or volume.target.format == "dir":
            volume.type = "dir" if volume.target.format == "dir" else "file"
        if "/" in volume.name:
            raise invalid(f"volume name '{volume.name}' cannot contain '/'")
        if volume.name in (".", "..") or "\0" in volume.name or local.HIDDEN.fullmatch(volume.name):
            raise invalid_argument(f"no volume can be called '{volume.name}'")
        path = os.path.join(pool.path, volume.name)
        if await self.place.blocking(os.path.lexists, path):
            raise failed(f"volume target path '{path}' already exists")
        volume.key = volume.target.path = path

    async def create(self, pool: Pool, volume: VolumeDocument, *, preallocate: bool) -> None:
        kind = volume.target.format
        if kind == "dir":
            await self._call(_make_directory, volume.path, volume.target.permissions, 0o600)
            return
        if kind == "ploop":
            raise internal("unable to find ploop, please install ploop tools")
        if volume.allocation > volume.capacity and volume.backing is None:
            volume.capacity = volume.allocation
        check(volume, preallocate)
        if volume.backing is not None:
            await self._check_backing(pool, volume)
        async with self.unfinished.making(volume.path) as path:
            if kind == "raw" and volume.target.encryption is None:
                await self._call(raw.create, path, volume)
            else:
                await self.images.create(path, volume, preallocate=preallocate)
                await self._call(raw.own, path, volume.target.permissions)

    async def copy(
        self, pool: Pool, volume: VolumeDocument, source: VolumeDocument, *, preallocate: bool, reflink: bool
    ) -> None:
        check(volume, preallocate)
        plain = all(one.target.format == "raw" and one.target.encryption is None for one in (volume, source))
        same = source.type == "block" and volume.target.format == "raw"
        if volume.target.format == "dir" or source.type == "dir":
            raise unsupported_copy(source, volume)
        if volume.backing is not None:
            await self._check_backing(pool, volume)
        async with self.unfinished.making(volume.path) as path:
            if plain or (same and volume.target.encryption is None):
                await self._call(raw.copy, source.path, path, volume, reflink=reflink)
            else:
                await self.images.convert(source, path, volume, preallocate=preallocate)
                await self._call(raw.own, path, volume.target.permissions)

    async def examine(self, pool: Pool, volume: VolumeDocument) -> None:
        await self.place.blocking(local.remeasure, volume)

    async def remove(self, pool: Pool, volume: VolumeDocument, flags: int) -> None:
        refuse_flags(flags, "virStorageBackendVolDeleteLocal")
        try:
            await self.place.blocking(_unlink, volume)
        except FileNotFoundError:
            return
        except OSError as error:
            what = "directory" if volume.type == "dir" else "file"
            verb = "remove" if volume.type == "dir" else "unlink"
            raise system(error, f"cannot {verb} {what} '{volume.path}'") from None

    async def resize(self, pool: Pool, volume: VolumeDocument, size: int, *, allocate: bool, shrink: bool) -> None:
        if volume.target.format == "raw" and volume.target.encryption is None:
            await self._call(raw.resize, volume.path, size, allocate=volume.allocation if allocate else None)
            return
        if allocate:
            detail = "preallocate is only supported for raw type volume"
            raise failure(ErrorCode.OPERATION_UNSUPPORTED, detail)
        await self.images.resize(volume.path, volume, size, shrink=shrink and size < volume.capacity)

    async def _check_backing(self, pool: Pool, volume: VolumeDocument) -> None:
        backing = volume.backing
        if backing is None or not backing.path:
            return
        given = backing.path
        backing.path = given if given.startswith("/") else os.path.join(pool.path, given)
        try:
            await self.place.blocking(local.examine_backing, backing)
            if not volume.has_capacity:
                rested = await self.place.blocking(local.find, os.path.basename(backing.path), backing.path)
                volume.capacity = 0 if rested is None else rested.capacity
        except OSError as error:
            raise system(error, f"inaccessible backing store volume {given}") from None
        finally:
            backing.path = given

    async def _call(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Do blocking work; VirtError if the system refuses it."""
        try:
            return await self.place.blocking(work, *args, **named)
        except OSError as error:
            raise system(error, f"cannot create path '{args[0]}'") from None


def refuse_flags(flags: int, function: str) -> None:
    """VirtError INVALID_ARG if there are any."""
    if flags:
        detail = f"unsupported flags (0x{flags:x}) in function {function}"
        raise VirtError(ErrorCode.INVALID_ARG, detail, domain=18, str1=function, str2="flags", int1=0, int2=0)


def check_exclusive(flags: int) -> None:
    """VirtError INVALID_ARG if a client asks to overwrite and not to."""
    if flags & OVERWRITE and flags & NO_OVERWRITE:
        names = "'VIR_STORAGE_POOL_BUILD_OVERWRITE' and 'VIR_STORAGE_POOL_BUILD_NO_OVERWRITE'"
        detail = f"Flags {names} are mutually exclusive"
        raise VirtError(ErrorCode.INVALID_ARG, detail, domain=18, str1=BUILD, str2="ctl", int1=0, int2=0)


def unsupported_copy(source: VolumeDocument, volume: VolumeDocument) -> VirtError:
    """A directory is no image."""
    if source.type == "dir":
        return internal(f"unknown storage vol type {source.target.format}")
    return failure(ErrorCode.INVALID_ARG, "creating a directory volume from another volume is not supported")


def _make_directory(path: str, permissions: Permissions, mode: int = DIRECTORY_MODE) -> None:
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        os.makedirs(parent, mode=PARENT_MODE)
    wanted = permissions.mode
    if os.path.isdir(path):
        if wanted is not None:
            os.chmod(path, wanted)
    else:
        os.mkdir(path)
        os.chmod(path, mode if wanted is None else wanted)
    owner = -1 if permissions.owner is None else permissions.owner
    group = -1 if permissions.group is None else permissions.group
    if (owner, group) != (-1, -1):
        os.chown(path, owner, group)


def _unlink(volume: VolumeDocument) -> None:
    if volume.type == "dir" and not os.path.islink(volume.path):
        os.rmdir(volume.path)
    else:
        os.unlink(volume.path)
