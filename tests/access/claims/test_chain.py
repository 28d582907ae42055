# SPDX-License-Identifier: LGPL-2.1-or-later
"""What follows from a document on the host: links, backing files, and what images name in their headers."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest

from virtproxy.access.claims.backing import backing_claims
from virtproxy.access.claims.chain import follow
from virtproxy.access.claims.headers import HeaderError, Held, parse_header, read_header
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.reader import read


def disk(path: object, kind: str = "qcow2") -> str:
    return f"<disk><driver name='qemu' type='{kind}'/><source file='{path}'/></disk>"


def follows(xml: str) -> list[str]:
    """Everything that a device lays claim to, and what follows from it."""
    document = read(xml, "guest-device")
    found = [*document.claims, *follow(document.claims, document.images)]
    return [f"{claim.kind} {claim.value}" for claim in found]


def qemu_img(*arguments: object) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, timeout=20)


def qcow2(backing: bytes = b"", extensions: bytes = b"", version: int = 3) -> bytes:
    """A header as the qcow2 specification describes it."""
    first = 104 if version == 3 else 72
    offset = first + len(extensions) + 8 if backing else 0
    head = b"QFI\xfb" + struct.pack(">IQI", version, offset, len(backing)) + bytes(first - 20)
    if version == 3:
        head = head[:100] + struct.pack(">I", 104)
    return head + extensions + bytes(8) + backing


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">II", kind, len(data)) + data.ljust((len(data) + 7) // 8 * 8, b"\0")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/base.img", ["file /base.img"]),
        ("base.img", ["file /images/base.img"]),
        ("../etc/shadow", ["file /etc/shadow"]),
        ("file:/base", ["file /base"]),
        ("file:base", ["file /images/base"]),
        ("file:///base", ["file /base"]),
        ("nbd:host:10809", ["network_disk nbd:host:10809/"]),
        ("nbd:host:1:exportname=x", ["network_disk nbd:host:1/x"]),
        ("nbd:unix:/run/n:exportname=x", ["unix_socket /run/n", "network_disk nbd:unix/x"]),
        ("nbd://host/x", ["network_disk nbd:host:10809/x"]),
        ("https://h/i.iso?a=b", ["network_disk https:h:443/i.iso?a=b"]),
        ("rbd:pool/image", ["network_disk rbd:pool/image"]),
        ("rbd:pool/image:conf=/etc/x", ["unknown backing store rbd:pool/image:conf=/etc/x"]),
        ("nbd+unix:///x?socket=/run/n", ["unknown backing store nbd+unix:///x?socket=/run/n"]),
        ("https://[::/", ["unknown backing store https://[::/"]),
        ("fat:rw:/etc", ["unknown backing store fat:rw:/etc"]),
        ("host_device:/dev/sda", ["unknown backing store host_device:/dev/sda"]),
        ("blkdebug:/a:/b", ["unknown backing store blkdebug:/a:/b"]),
        ('json:{"driver":"file","filename":"/etc/shadow"}', ["file /etc/shadow"]),
        ('json:{"driver":"raw","file":{"driver":"host_device","filename":"/dev/sda"}}', ["file /dev/sda"]),
        ('json:{"file.driver":"file","file.filename":"/x"}', ["file /x"]),
        ('json:{"driver":"raw","file.filename":"nbd:h:1"}', ["network_disk nbd:h:1/"]),
        ('json:{"driver":"nbd","host":"h","port":"1","export":"x"}', ["network_disk nbd:h:1/x"]),
        (
            'json:{"driver":"nbd","server":{"type":"unix","path":"/run/n"},"export":"x"}',
            ["network_disk nbd::10809/x", "unix_socket /run/n"],
        ),
        ('json:{"driver":"rbd","pool":"p","image":"i","conf":"/c"}', ["network_disk rbd:p/i", "host_file /c"]),
        ('json:{"driver":"https","url":"https://h/i"}', ["network_disk https:h:443/i"]),
        (
            'json:{"driver":"vvfat","dir":"/etc"}',
            ["network_disk vvfat::/", "host_file /etc"],
        ),
        ('json:{"driver":"raw"}', ['unknown backing store json:{"driver":"raw"}']),
        ("json:[", ["unknown backing store json:["]),
        ("json:" + "[" * 50_000, ["unknown backing store json:" + "[" * 281]),
        ('json:{"a":1,"a":2}', ['unknown backing store json:{"a":1,"a":2}']),
    ],
)
def test_names_of_backing_stores(name: str, expected: list[str]) -> None:
    found = list(backing_claims(name, "/images", "here"))
    assert [f"{claim.kind} {claim.value}" for claim in found] == expected


def test_an_address_that_can_be_put_together_in_two_ways_is_unknown() -> None:
    name = 'json:{"file":{"driver":"nbd","host":"good"},"backing":{"driver":"nbd","host":"evil"}}'
    assert next(backing_claims(name, "", "here")).kind == "unknown"


@pytest.mark.programs("qemu-img")
@pytest.mark.parametrize(
    ("kind", "options"),
    [("qcow2", "compat=1.1"), ("qcow2", "compat=0.10"), ("qcow", ""), ("qed", "")],
)
def test_backing_files_as_qemu_img_writes_them(tmp_path: Path, kind: str, options: str) -> None:
    base, image = tmp_path / "base", tmp_path / "image"
    qemu_img("create", "-f", "raw", base, "1M")
    more = ["-o", options] if options else []
    qemu_img("create", "-f", kind, *more, "-b", base, "-F", "raw", image)
    assert follows(disk(image, kind)) == [f"file {image}", f"readonly_file {base}"]
    assert follows(disk(image, "raw")) == [f"file {image}"]


@pytest.mark.programs("qemu-img")
def test_data_files_extents_and_parents(tmp_path: Path) -> None:
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data", tmp_path / "q", "1M")
    assert follows(disk(tmp_path / "q")) == [f"file {tmp_path}/q", f"file {tmp_path}/data"]
    qemu_img("create", "-f", "vmdk", "-o", "subformat=monolithicFlat", tmp_path / "v", "1M")
    assert follows(disk(tmp_path / "v", "vmdk")) == [f"file {tmp_path}/v", f"file {tmp_path}/v-flat"]
    qemu_img("create", "-f", "vmdk", tmp_path / "p", "1M")
    qemu_img("create", "-f", "vmdk", "-b", tmp_path / "p", "-F", "vmdk", tmp_path / "c")
    assert follows(disk(tmp_path / "c", "vmdk")) == [f"file {tmp_path}/c", f"readonly_file {tmp_path}/p"]


@pytest.mark.programs("qemu-img")
def test_a_chain_is_followed_to_its_end(tmp_path: Path) -> None:
    qemu_img("create", "-f", "qcow2", tmp_path / "0", "1M")
    for number in range(1, 5):
        qemu_img("create", "-f", "qcow2", "-b", str(number - 1), "-F", "qcow2", tmp_path / str(number))
    below = [f"readonly_file {tmp_path}/{number}" for number in (3, 2, 1, 0)]
    assert follows(disk(tmp_path / "4")) == [f"file {tmp_path}/4", *below]


def test_a_chain_without_an_end_ends(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(qcow2(b"b"))
    (tmp_path / "b").write_bytes(qcow2(b"a"))
    assert len(follows(disk(tmp_path / "a"))) == 4
    for number in range(300):
        (tmp_path / str(number)).write_bytes(qcow2(str(number + 1).encode()))
    assert follows(disk(tmp_path / "0"))[-1] == "unknown more than 200 backing stores"


def test_links(tmp_path: Path) -> None:
    images, secret = tmp_path / "images", tmp_path / "secret"
    images.mkdir()
    secret.mkdir()
    (secret / "shadow").write_text("x")
    (images / "link").symlink_to(secret / "shadow")
    (images / "relative").symlink_to("../secret/shadow")
    (images / "directory").symlink_to(secret)
    (images / "loop").symlink_to("loop")
    shadow = f"file {secret}/shadow"
    assert follows(disk(images / "link", "raw")) == [f"file {images}/link", shadow]
    assert follows(disk(images / "relative", "raw")) == [f"file {images}/relative", shadow]
    assert follows(disk(images / "directory/shadow", "raw")) == [f"file {images}/directory/shadow", shadow]
    # As text it stays in the directory of images; for the kernel ".." is that of where the link leads.
    assert follows(disk(f"{images}/directory/../secret/shadow", "raw")) == [f"file {images}/secret/shadow", shadow]
    assert follows(disk(images / "directory/new", "raw"))[1] == f"file {secret}/new"
    assert follows(disk(images / "nowhere/new", "raw")) == [f"file {images}/nowhere/new"]
    assert follows(disk(images / "loop", "raw"))[1].startswith("unknown path")
    assert follows(disk(f"/proc/self/root{secret}/shadow", "raw"))[1] == shadow


def test_links_of_devices_and_directories(tmp_path: Path) -> None:
    (tmp_path / "tty").symlink_to("/dev/null")
    (tmp_path / "share").symlink_to("/etc")
    assert follows(f"<serial type='dev'><source path='{tmp_path}/tty'/></serial>")[1] == "host_device char:/dev/null"
    assert follows(f"<filesystem><source dir='{tmp_path}/share'/></filesystem>")[1] == "shared_directory /etc"


def test_an_image_reached_over_a_link_names_files_beside_both(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "image").write_bytes(qcow2(b"base"))
    (here / "image").symlink_to(there / "image")
    found = follows(disk(here / "image"))
    assert f"readonly_file {here}/base" in found
    assert f"readonly_file {there}/base" in found


def test_what_a_disk_says_of_its_format(tmp_path: Path) -> None:
    image = tmp_path / "i"
    image.write_bytes(qcow2(b"/etc/shadow"))
    source = f"<source file='{image}'/>"
    assert len(follows(f"<disk>{source}</disk>")) == 2
    assert len(follows(f"<disk><driver type='raw'/>{source}</disk>")) == 1
    assert len(follows(f"<disk><driver type='raw'/><driver type='qcow2'/>{source}</disk>")) == 2
    assert len(follows(f"<disk><driver name='qemu'/>{source}</disk>")) == 2


def test_pipes_devices_and_directories_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_header(str(tmp_path / "pipe")) is None
    assert read_header("/dev/zero") is None
    assert read_header(str(tmp_path)) is None
    assert read_header(str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (qcow2(b"x" * 5000), "too long"),
        (qcow2(b"/etc/shadow")[:-3], "cut off"),
        (b"QFI\xfb\0\0\0\3", "cut off"),
        (qcow2(extensions=extension(0x12345678, b"") * 70), "too many extensions"),
        (qcow2(extensions=struct.pack(">II", 1, 0xFFFFFFFF)), "too long"),
        (qcow2()[:100] + b"\0\0\0\1" + bytes(8), "no sensible length"),
        (b"QED\0" + bytes(8), "cut off"),
        (b"KDMV" + bytes(24) + struct.pack("<QQ", 1, 1 << 40), "too long"),
        (b"# Disk DescriptorFile\n" + b'RW 1 FLAT "a" 0\n' * 100, "too many files"),
    ],
)
def test_headers_that_cannot_be_trusted(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(HeaderError, match=problem):
        parse_header(Held(data))
    (tmp_path / "i").write_bytes(data)
    assert follows(disk(tmp_path / "i"))[1].startswith(f"unknown image {tmp_path}/i: ")


def test_headers_that_name_nothing() -> None:
    assert parse_header(Held(b"")).names == ()
    assert parse_header(Held(b"plain")).kind == "raw"
    assert parse_header(Held(qcow2())).names == ()
    assert parse_header(Held(qcow2(b"x", extension(0xE2792ACA, b"raw")))).names == (("x", "raw"),)
    assert parse_header(Held(qcow2(extensions=extension(0x44415441, b"/d")))).parts == ("/d",)
    assert parse_header(Held(qcow2(b"x", version=2))).names == (("x", ""),)
    assert parse_header(Held(b"OOOM\0\0\0\2" + b"/b".ljust(1024, b"\0"))).names == (("/b", ""),)


def test_a_json_backing_store_in_a_header(tmp_path: Path) -> None:
    name = "json:" + json.dumps({"driver": "nbd", "host": "evil", "port": "1"})
    (tmp_path / "i").write_bytes(qcow2(name.encode()))
    assert follows(disk(tmp_path / "i"))[1:] == ["network_disk nbd:evil:1/"]


def test_a_volumes_image_waits_for_its_path() -> None:
    document = read("<disk type='volume'><source pool='p' volume='v'/></disk>", "guest-device")
    assert [image.volume for image in document.images] == ["p/v"]
    assert follow([Claim("volume", "p/v", "p/v", "")], document.images) == []
