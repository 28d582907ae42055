# SPDX-License-Identifier: LGPL-2.1-or-later
"""One volume of a pretended pool: a document, and the place that it would have. Pools keep theirs by name."""

from __future__ import annotations

from virtproxy.documents.storage_volume import VolumeDocument
from virtproxy.driver import remote


class VolumeThing:
    """One volume; `pool` and `directory` are its pool's name and place."""

    def __init__(self, document: VolumeDocument, pool: str, directory: str) -> None:
        self.document = document
        self.pool = pool
        self.name = document.name
        document.key = document.target.path = f"{directory}/{document.name}"

    @property
    def key(self) -> str:
        """What it is found by on the whole host: its path."""
        return self.document.path

    def ref(self) -> remote.NonnullStorageVol:
        """How the protocol names it."""
        return remote.NonnullStorageVol(pool=self.pool, name=self.name, key=self.key)
