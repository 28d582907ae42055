# SPDX-License-Identifier: LGPL-2.1-or-later
"""The error for a thing that is not there, and for one that the caller may not know of: the same one.

The access stage answers both with it, in libvirt's words. It must look at nothing but what the client itself said.
"""

from __future__ import annotations

from collections.abc import Mapping

from virtproxy.access.objects import Ref
from virtproxy.access.things import Place, uuid_text
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorDomain
from virtproxy.routing.questions import ABSENT

_DOMAINS: Mapping[str, ErrorDomain] = {
    "network": ErrorDomain.NETWORK,
    "network_port": ErrorDomain.NETWORK,
    "storage_pool": ErrorDomain.STORAGE,
    "storage_vol": ErrorDomain.STORAGE,
    "secret": ErrorDomain.SECRET,
    "nwfilter": ErrorDomain.NWFILTER,
    "nwfilter_binding": ErrorDomain.NWFILTER,
    "interface": ErrorDomain.INTERFACE,
    "node_device": ErrorDomain.NODEDEV,
}
_WORDS: Mapping[str, str] = {
    "domain": "domain",
    "network": "network",
    "storage_pool": "storage pool",
    "storage_vol": "storage vol",
    "secret": "secret",
    "nwfilter": "nwfilter",
    "node_device": "node device",
}
# Texts that are not "no KIND with matching BY 'VALUE'".
_TEXTS: Mapping[tuple[str, str], str] = {
    ("domain", "id"): "no domain with matching id {value}",
    ("storage_pool", "path"): "no storage pool with matching target path '{value}'",
    ("storage_vol", "key"): "no storage vol with matching key {value}",
    ("network_port", "uuid"): "Network port with UUID {value} does not exist",
    ("nwfilter_binding", "name"): "no nwfilter binding for port dev '{value}'",
    ("interface", "name"): "couldn't find interface named '{value}'",
    ("interface", "mac"): "couldn't find interface with MAC address '{value}'",
}


def absent(ref: Ref, place: Place) -> VirtError:
    """What a client gets that asks for `ref` where there is no such thing, or none that it may see."""
    value = uuid_text(ref.value) if ref.by == "uuid" else ref.value
    text = _TEXTS.get((ref.kind, ref.by), f"no {_WORDS.get(ref.kind, ref.kind)} with matching {ref.by} '{{value}}'")
    detail = text.replace("{value}", str(value))
    if ref.called is not None:
        detail += f" ({ref.called})"
    domain = place.domain_errors if ref.kind == "domain" else _DOMAINS[ref.kind]
    return VirtError.of(ABSENT[ref.kind], detail, domain=domain)
