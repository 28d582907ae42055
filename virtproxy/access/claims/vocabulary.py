# SPDX-License-Identifier: LGPL-2.1-or-later
"""The elements and attributes that are known, by the parent that they stand below.

The reader asks it about each of them: what is not known here may name something of the host that no rule is made for.
The words are in vocabulary.txt, which is read once, when the first document comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

ROOT = "/"


@cache
def vocabulary() -> Mapping[tuple[str, str], frozenset[str]]:
    """Return the attributes of each known (parent, element); the parent of a document's root is ROOT."""
    text = files(__package__).joinpath("vocabulary.txt").read_text(encoding="ascii")
    words: dict[tuple[str, str], frozenset[str]] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        attributes, _, parents = rest.partition("<")
        for parent in parents.split():
            words[parent, name] = frozenset(attributes.split())
    return words


# libvirt's own namespaces: what an element of theirs lays claim to, by namespace and name.
_DOMAIN = "http://libvirt.org/schemas/domain/"
NATIVE: Mapping[str, tuple[str, frozenset[str]]] = {
    f"{_DOMAIN}qemu/1.0": ("qemu", frozenset({"commandline", "override", "capabilities", "deprecation"})),
    f"{_DOMAIN}lxc/1.0": ("lxc", frozenset({"namespace"})),
    f"{_DOMAIN}xen/1.0": ("xen", frozenset({"commandline"})),
    f"{_DOMAIN}bhyve/1.0": ("bhyve", frozenset({"commandline"})),
    f"{_DOMAIN}vmware/1.0": ("vmware", frozenset({"datacenterpath"})),
    "http://libvirt.org/schemas/network/dnsmasq/1.0": ("dnsmasq", frozenset({"options"})),
    "http://libvirt.org/schemas/storagepool/fs/1.0": ("fs", frozenset({"mount_opts"})),
    "http://libvirt.org/schemas/storagepool/rbd/1.0": ("rbd", frozenset({"config_opts"})),
}
# Below these they are read; elsewhere they are as unknown as anybody's.
NATIVE_PARENTS = frozenset({"domain", "network", "pool"})
