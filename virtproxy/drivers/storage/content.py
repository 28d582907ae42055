# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls about the bytes of a volume: uploaded, downloaded, wiped."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, Stream, enums, implements, remote, run_program
from virtproxy.drivers.storage import local, raw
from virtproxy.drivers.storage.backends.directory import refuse_flags
from virtproxy.drivers.storage.errors import failure, invalid_argument, system
from virtproxy.drivers.storage.pool import Volume
from virtproxy.drivers.storage.state import PoolState

Algorithm = enums.StorageVolWipeAlgorithm
SPARSE = 1


class Content(PoolState):
    """Bytes in, out, and away."""

    @implements(remote.STORAGE_VOL_UPLOAD)
    async def volume_upload(self, call: Call, args: remote.StorageVolUploadArgs) -> None:
        self.check_flags(call, args.flags, SPARSE)
        volume = self.volume_of(args.vol)
        call.authorize(volume)
        volume.check_idle()
        await self._check_stream(volume)

        async def receive(stream: Stream) -> None:
            try:
                with volume.used(), volume.pool.busy():
                    path = volume.pool.backend.content(volume)
                    await stream.receive_into(path, offset=args.offset, length=args.length or None)
            finally:
                await self.whole(self._changed(volume))

        call.stream.serve(receive)

    @implements(remote.STORAGE_VOL_DOWNLOAD)
    async def volume_download(self, call: Call, args: remote.StorageVolDownloadArgs) -> None:
        self.check_flags(call, args.flags, SPARSE)
        volume = self.volume_of(args.vol)
        call.authorize(volume)
        volume.check_built()

        async def send(stream: Stream) -> None:
            with volume.used():
                path = volume.pool.backend.content(volume)
                if volume.document.type == "dir":
                    raise failure(ErrorCode.SYSTEM_ERROR, f"Unable to read {path}: Is a directory", 21)
                await stream.send_from(path, offset=args.offset, length=args.length or None)

        call.stream.serve(send)

    async def _check_stream(self, volume: Volume) -> None:
        """VirtError if there is nothing to read or write at the volume's path."""
        path = volume.pool.backend.content(volume)
        try:
            status = await self.place.blocking(local.kind_of, path)
        except OSError as error:
            raise system(error, f"Unable to access '{path}'") from None
        if status == "dir":
            raise failure(ErrorCode.SYSTEM_ERROR, f"Unable to open stream for '{path}': Is a directory", 21)

    async def _changed(self, volume: Volume) -> None:
        """What a volume is may be another thing after an upload: look, and tell."""
        pool = volume.pool
        async with pool.lock:
            if pool.active and not pool.jobs:
                await self.look_again(pool)

    @implements(remote.STORAGE_VOL_WIPE)
    async def volume_wipe(self, call: Call, args: remote.StorageVolWipeArgs) -> None:
        await self._wipe(call, args.vol, Algorithm.ZERO, args.flags)

    @implements(remote.STORAGE_VOL_WIPE_PATTERN)
    async def volume_wipe_pattern(self, call: Call, args: remote.StorageVolWipePatternArgs) -> None:
        await self._wipe(call, args.vol, args.algorithm, args.flags)

    async def _wipe(self, call: Call, ref: remote.NonnullStorageVol, algorithm: int, flags: int) -> None:
        refuse_flags(flags, "storageVolWipePattern")
        if algorithm > Algorithm.TRIM:
            raise invalid_argument(f"wiping algorithm {algorithm} not supported")
        volume = self.volume_of(ref)
        call.authorize(volume)
        volume.check_idle()
        await self.whole(self._wiped(volume, Algorithm(algorithm)))

    async def _wiped(self, volume: Volume, algorithm: Algorithm) -> None:
        path = volume.pool.backend.content(volume)
        with volume.used(), volume.pool.busy():
            if algorithm is Algorithm.TRIM:
                raise failure(ErrorCode.ARGUMENT_UNSUPPORTED, "'trim' algorithm not supported")
            if algorithm is Algorithm.ZERO:
                size = volume.document.allocation
                await self.place.blocking(raw.zero, path, size, lambda: False)
            else:
                await run_program(self.place, ["scrub", "-f", "-p", algorithm.name.lower(), path])
            if volume.document.type == "file":
                await self._reexamine(volume)

    async def _reexamine(self, volume: Volume) -> None:
        try:
            await self.place.blocking(local.examine, volume.document)
        except OSError as error:
            raise system(error, f"cannot open volume '{volume.document.path}'") from None
