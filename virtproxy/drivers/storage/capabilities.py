# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document that says which types of pools this host has, and which formats their sources and volumes can have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from virtproxy.documents.storage import POOL_TYPES, PoolType, indented
from virtproxy.drivers.storage.backends import BACKENDS


def capabilities() -> str:
    """The document as libvirt writes it."""
    pools = (line for kind in POOL_TYPES.values() for line in _pool(kind))
    lines = ("<storagepoolCapabilities>", *indented(pools), "</storagepoolCapabilities>")
    return "".join(f"{line}\n" for line in lines)


def _pool(kind: PoolType) -> Iterator[str]:
    supported = "yes" if kind.name in BACKENDS else "no"
    yield f"<pool type='{kind.name}' supported='{supported}'>"
    if kind.formats:
        yield from indented(_options("poolOptions", kind.default_format, "sourceFormatType", kind.formats))
    if kind.images is not None:
        yield from indented(_options("volOptions", kind.default_image, "targetFormatType", kind.images))
    yield "</pool>"


def _options(element: str, default: str, name: str, values: Sequence[str]) -> Iterator[str]:
    yield f"<{element}>"
    yield f"  <defaultFormat type='{default}'/>"
    yield f"  <enum name='{name}'>"
    yield from (f"    <value>{value}</value>" for value in values)
    yield "  </enum>"
    yield f"</{element}>"
