# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules for where data lies: sources of disks, what is behind them, file systems, backups and snapshots.

Every attribute that could name a source is a claim, whatever the disk's type says: versions of libvirt differ in what
they ignore.
"""

from __future__ import annotations

from collections.abc import Iterator

from virtproxy.access.claims.backing import backing_claims
from virtproxy.access.claims.devices import address
from virtproxy.access.claims.element import Element, Rule, if_equal, path_at, path_in_text, word_at
from virtproxy.access.claims.model import Claim, as_read
from virtproxy.access.claims.network_disks import network_disk
from virtproxy.access.claims.paths import lexical

# Parents whose `source` is the source of a disk.
HOLDERS = ("disk", "mirror", "backingStore", "dataStore", "nvram")


def remote_header(element: Element) -> Iterator[Claim]:
    """An image on another host whose header nobody here reads before QEMU does."""
    holder = element.parent
    if holder is None or not element.get("protocol"):
        return
    formats = [each.get("type") for each in holder.named("driver", "format")]
    formats += [each.get("type") for each in element.named("format")]
    for kind in sorted({kind for kind in formats if kind and kind != "raw"}):
        yield element.claim("isolation", f"remote-header:{kind}", attribute="protocol")


def volume(element: Element) -> Iterator[Claim]:
    """A volume of a pool."""
    pool, name = element.get("pool"), element.get("volume")
    if pool or name:
        yield element.claim("volume", f"{pool}/{name}", attribute="volume")


def source_file(element: Element) -> Iterator[Claim]:
    """The file of a disk."""
    yield from _as_used(element, path_at("file", "file")(element))


def _as_used(element: Element, claims: Iterator[Claim]) -> Iterator[Claim]:
    """What is behind a disk is read, as is a disk of a guest that is read-only."""
    above = element.parent
    while above is not None and above.name not in ("backingStore", "mirror"):
        if above.name == "disk" and above.above == "devices":
            only_read = above.get("device") == "cdrom" or any(True for _ in above.named("readonly"))
            yield from map(as_read, claims) if only_read else claims
            return
        above = above.parent
    behind = above is not None and above.name == "backingStore"
    yield from map(as_read, claims) if behind else claims


def device_node(element: Element) -> Iterator[Claim]:
    """A block device, or the vDPA device of a disk."""
    written = element.get("dev")
    if written and element.parent is not None and element.parent.get("type") == "vhostvdpa":
        yield element.claim("host_device", f"char:{lexical(written)}", f"char:{written}", "dev")
    elif written:
        yield from _as_used(element, iter([element.claim("block", lexical(written), written, "dev")]))


def nvme(element: Element) -> Iterator[Claim]:
    """The PCI device of an NVMe disk."""
    for child in element.named("address"):
        yield from address(child)


def disk_target(element: Element) -> Iterator[Claim]:
    """The guest's name of a disk; in a backup it is where the backup goes."""
    written = element.get("dev")
    if written and (written.startswith("/") or element.place.startswith("domainbackup")):
        yield element.claim("block", lexical(written), written, "dev")


def encryption_secret(element: Element) -> Iterator[Claim]:
    """A secret that is used."""
    if element.get("uuid"):
        yield element.claim("secret", element.get("uuid").strip().lower(), element.get("uuid"), "uuid")
    if element.get("usage"):
        yield element.claim("secret", f"usage:{element.get('type')}:{element.get('usage')}", attribute="usage")


def rules() -> Iterator[tuple[str, str, tuple[Rule, ...]]]:
    """Yield (parent, element, rules); "*" is any parent."""
    source = (
        source_file, device_node, path_at("dir", "directory"), path_at("path", "unix_socket"),
        volume, network_disk, remote_header, nvme,
    )  # fmt: skip
    for holder in HOLDERS:
        yield holder, "source", source
    isolation = (
        if_equal("rawio", ("yes",), "isolation", "rawio:"),
        if_equal("sgio", ("unfiltered",), "isolation", "sgio:"),
        if_equal("device", ("lun",), "isolation", "disk:"),
    )
    yield "*", "disk", isolation
    yield "disk", "mirror", (path_at("file", "file"),)
    yield "disk", "target", (path_at("file", "file"), disk_target)
    yield "disk", "scratch", (path_at("file", "file"), path_at("dev", "block"))
    yield "domainbackup", "server", (path_at("socket", "unix_socket"), backup_server)
    yield "domainsnapshot", "memory", (path_at("file", "save_file"),)
    yield "reservations", "source", (path_at("path", "unix_socket"),)
    yield "source", "config", (path_at("file", "host_file"),)
    yield "source", "knownHosts", (path_at("path", "host_file"),)
    yield "source", "identity", (path_at("keyfile", "host_file"), path_at("agentsock", "unix_socket"))
    yield "*", "secret", (encryption_secret,)
    yield "backend", "encryption", (word_at("secret", "secret"),)
    yield from _filesystems()
    yield "volume", "target", (_volume_path,)
    yield "backingStore", "path", (_backing_path,)
    yield "lease", "target", (path_at("path", "host_file"),)
    yield "blkiotune", "device", (_throttled,)
    yield "*", "backenddomain", (word_at("name", "isolation", "backenddomain:"),)


def _filesystems() -> Iterator[tuple[str, str, tuple[Rule, ...]]]:
    yield "filesystem", "source", (
        path_at("dir", "shared_directory"), path_at("file", "file"), path_at("dev", "block"),
        word_at("name", "template", "template:"), path_at("socket", "unix_socket"), volume,
    )  # fmt: skip
    yield "filesystem", "binary", (path_at("path", "emulator"),)
    yield "binary", "sandbox", (word_at("mode", "isolation", "virtiofs-sandbox:"),)
    yield "*", "idmap", (_idmap,)


def _idmap(element: Element) -> Iterator[Claim]:
    for each in element.children:
        told = ",".join(f"{key}={each.get(key)}" for key in ("start", "target", "count"))
        yield each.claim("isolation", f"idmap:{each.name}:{told}")


def backup_server(element: Element) -> Iterator[Claim]:
    """Where the server of a pull backup listens."""
    if element.get("name") or element.get("port") or not element.get("socket"):
        yield element.claim("listen", f"{element.get('name') or '*'}:{element.get('port') or '10809'}")


def _volume_path(element: Element) -> Iterator[Claim]:
    for path in element.named("path"):
        yield from path_in_text("file")(path)


def _backing_path(element: Element) -> Iterator[Claim]:
    # Only a volume's backing store is a text, and the same text stands in an image's header afterwards.
    written = element.text
    if written:
        yield from map(as_read, backing_claims(written, "", element.where()))


def _throttled(element: Element) -> Iterator[Claim]:
    for path in element.named("path"):
        yield from path_in_text("block")(path)
