# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images are told by their heads, and no head, however made up, is believed more than it is worth."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.documents.storage_pool import Device
from virtproxy.driver import VirtError
from virtproxy.drivers.storage.backends.disk import partition_path, read_table
from virtproxy.drivers.storage.local import HIDDEN
from virtproxy.drivers.storage.probe import probe, resolve

PARTED = """BYT;
/dev/sda:67108864B:loopback:512:512:gpt:Loopback device:;
1:17408B:17407B:0B:free;
1:17408B:10503167B:10485760B::primary:;
1:10503168B:67091967B:56588800B:free;
"""


def qcow2(backing: bytes = b"", at: int = 512, size: int | None = None, version: int = 3) -> bytes:
    """The head of an image."""
    head = struct.pack(
        ">4sIQIIQI", b"QFI\xfb", version, at if backing else 0, len(backing) if size is None else size, 16, 4096, 0
    )
    return head.ljust(100, b"\0") + struct.pack(">I", 104) + bytes(at - 104) + backing


def test_an_image_says_what_it_is() -> None:
    found = probe(qcow2(b"base"))
    assert (found.format, found.capacity, found.backing, found.compat) == ("qcow2", 4096, "base", "1.1")
    assert (found.cluster_size, found.features) == (65536, frozenset())


@pytest.mark.parametrize(("at", "size"), [(512, 2**32 - 1), (512, 5), (2**20, 4)])
def test_a_backing_file_out_of_reach_is_none(at: int, size: int) -> None:
    head = bytearray(qcow2(b"base"))
    struct.pack_into(">QI", head, 8, at, size)
    assert probe(bytes(head)).backing is None


@given(st.binary(max_size=600), st.sampled_from([b"QFI\xfb", b"QED\0", b"LUKS\xba\xbe", b"KDMV", b"conectix", b""]))
def test_no_head_breaks_it(rest: bytes, magic: bytes) -> None:
    found = probe(magic + rest)
    assert found.capacity is None or 0 <= found.capacity < 2**73
    assert found.cluster_size <= 1 << 21


@pytest.mark.parametrize(
    ("backing", "path"), [("/a", "/a"), ("b", "/p/b"), ("../b", "/p/../b"), ("nbd://h/x", "nbd://h/x")]
)
def test_where_a_backing_file_is(backing: str, path: str) -> None:
    assert resolve("/p/image", backing) == path


def test_partitions_are_read() -> None:
    table = read_table(PARTED)
    assert (table.size, table.label) == (67108864, "gpt")
    assert [(part.number, part.start, part.end) for part in table.parts] == [
        (0, 17408, 17408), (1, 17408, 10503168), (0, 10503168, 67091968),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "BYT;\n", "BYT;\n/dev/sda:x;\n", "BYT;\n/dev/a:1B:l:512:512:gpt:m:;\n1:x:2B:1B:free;"]
)
def test_what_parted_never_says_is_an_error(text: str) -> None:
    with pytest.raises(VirtError, match="cannot parse the output of parted"):
        read_table(text)


def test_partitions_are_called_as_the_kernel_does() -> None:
    assert partition_path(Device("/dev/sda"), 1) == "/dev/sda1"
    assert partition_path(Device("/dev/loop0"), 1) == "/dev/loop0p1"
    assert partition_path(Device("/dev/loop0", "no"), 1) == "/dev/loop01"
    assert not HIDDEN.fullmatch("v")
