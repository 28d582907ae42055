# SPDX-License-Identifier: LGPL-2.1-or-later
"""The claims of a disk that another host serves: "nbd:host:10809/export", "rbd:pool/image".

The rules for disks and host devices use it, and names of backing stores are brought into the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtproxy.access.claims.element import Element
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.paths import lexical

_HOST = re.compile(r"[A-Za-z0-9_.:%\[\]-]+")
# libvirt's defaults where a document names no port.
PORTS = {
    "nbd": "10809", "http": "80", "https": "443", "ftp": "21", "ftps": "990", "tftp": "69", "iscsi": "3260",
    "gluster": "24007", "sheepdog": "7000", "ssh": "22", "vxhs": "9999", "nfs": "2049",
}  # fmt: skip


def network_disk(element: Element) -> Iterator[Claim]:
    """A disk that another host serves: one claim for each host that is named."""
    protocol = element.get("protocol")
    if not protocol:
        return
    name = element.get("name").lstrip("/") + (f"?{element.get('query')}" if element.get("query") else "")
    if ".." in re.split(r"[/?\\]", name):
        yield element.unknown("name")
    hosts = list(element.named("host"))
    if not hosts:
        yield element.claim("network_disk", f"{protocol}:{name}", attribute="protocol")
    for host in hosts:
        if host.get("socket"):
            yield host.claim("unix_socket", lexical(host.get("socket")), host.get("socket"), "socket")
            yield element.claim("network_disk", f"{protocol}:unix/{name}", attribute="protocol")
        if host.get("name") or not host.get("socket"):
            if not _HOST.fullmatch(host.get("name")) or not re.fullmatch(r"[0-9]*", host.get("port")):
                yield host.unknown("name")
            port = host.get("port") or PORTS.get(protocol, "")
            told = f"{protocol}:{host.get('name')}:{port}/{name}" if port else f"{protocol}:{host.get('name')}/{name}"
            yield element.claim("network_disk", told, attribute="protocol")
