# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a type of pool can do: the seam between the driver's calls and directories, file systems, disks and LVM.

The driver checks states and permissions before it asks; a backend changes the host and the pool's documents, and knows
nothing of clients. What a backend does not override, its type cannot do: the answers are libvirt's.
"""

from __future__ import annotations

from typing import ClassVar

from virtproxy.documents.storage_volume import VolumeDocument
from virtproxy.driver import Finished, Place, VirtError, run_program
from virtproxy.drivers.storage.errors import unsupported
from virtproxy.drivers.storage.image import Images
from virtproxy.drivers.storage.pool import Pool, Volume
from virtproxy.drivers.storage.unfinished import Unfinished


class Backend:
    """One type of pool on this host. `counts`: what its volumes take is added up; else a refresh measures it."""

    counts: ClassVar[bool] = True

    def __init__(self, place: Place) -> None:
        self.place = place
        self.images = Images(place)
        self.unfinished = Unfinished(place)

    # The pool

    async def is_active(self, pool: Pool) -> bool:
        """Whether a pool that was active still is, after the daemon was started anew."""
        return False

    async def attach(self, pool: Pool) -> None:
        """Go on with a pool that is active: remove what a daemon that ended in the middle left."""
        await self.place.blocking(self.unfinished.clean, pool.path)

    async def start(self, pool: Pool) -> None:
        """Make the storage reachable (mount it, log in)."""

    async def stop(self, pool: Pool) -> None:
        """Undo `start`."""

    async def build(self, pool: Pool, flags: int) -> None:
        """Make the storage itself (a file system, a partition table)."""
        raise unsupported("pool does not support pool creation")

    async def delete(self, pool: Pool, flags: int) -> None:
        """Undo `build`."""
        raise unsupported("pool does not support pool deletion")

    async def refresh(self, pool: Pool) -> list[VolumeDocument]:
        """Every volume there is; the pool's sizes go into its document."""
        raise NotImplementedError

    async def find_sources(self, spec: str | None) -> str:
        """The document of what pools there could be."""
        raise NotImplementedError

    # Its volumes

    async def prepare(self, pool: Pool, volume: VolumeDocument) -> None:
        """Say where a new volume will be, and check its document."""
        raise unsupported("storage pool does not support volume creation")

    async def create(self, pool: Pool, volume: VolumeDocument, *, preallocate: bool) -> None:
        """Make the content of a volume that was prepared."""
        raise unsupported("storage pool does not support volume creation")

    async def copy(
        self, pool: Pool, volume: VolumeDocument, source: VolumeDocument, *, preallocate: bool, reflink: bool
    ) -> None:
        """The same, from another volume's content."""
        raise unsupported("storage pool does not support volume creation from an existing volume")

    async def discard(self, pool: Pool, volume: VolumeDocument) -> None:
        """Forget a volume whose making failed."""

    async def examine(self, pool: Pool, volume: VolumeDocument) -> None:
        """Write what is now true of a volume into its document."""

    async def remove(self, pool: Pool, volume: VolumeDocument, flags: int) -> None:
        """Delete a volume."""
        raise unsupported("storage pool does not support vol deletion")

    async def resize(self, pool: Pool, volume: VolumeDocument, size: int, *, allocate: bool, shrink: bool) -> None:
        """Let a volume have that many bytes."""
        raise unsupported("storage pool does not support changing of volume capacity")

    def content(self, volume: Volume) -> str:
        """The path of the file or device with the volume's bytes."""
        return volume.document.path

    async def run(self, *argv: str) -> Finished:
        """Run a program of the host; VirtError if it fails."""
        return await run_program(self.place, argv)


def not_found(error: VirtError) -> bool:
    """Whether a program was not there to be run."""
    return error.int1 == 2
