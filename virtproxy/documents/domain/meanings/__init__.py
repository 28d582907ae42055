# SPDX-License-Identifier: LGPL-2.1-or-later
"""What elements mean beyond their tables, one module a family of devices, by the names that the tables give."""

from __future__ import annotations

from virtproxy.documents.domain.meanings import characters, desktop, machine, network, others, processors, storage
from virtproxy.documents.domain.shape import Hook

HOOKS: dict[str, Hook] = {
    **machine.MEANINGS,
    **processors.MEANINGS,
    **storage.MEANINGS,
    **network.MEANINGS,
    **characters.MEANINGS,
    **desktop.MEANINGS,
    **others.MEANINGS,
}
