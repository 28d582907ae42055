# SPDX-License-Identifier: LGPL-2.1-or-later
"""What networks tell of guests: leases by hardware addresses and host names, documents by numbers of connections.

Under a policy, and where there are guests that the caller must not see, the access stage leaves out what is not of
those that it may.
"""

from __future__ import annotations

import re

from virtproxy.access.naming import NamingError, hardware_addresses
from virtproxy.access.things import described
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.routing.directory import Directory
from virtproxy.routing.rules.judge import Judge
from virtproxy.routing.rules.lookups import decoded
from virtproxy.routing.stages import Request
from virtproxy.wire.frame import OK, Frame

_INACTIVE = 2
_CONNECTIONS = re.compile(r" connections='\d+'")


async def judge_leases(judge: Judge, request: Request, counts: bool, frame: Frame) -> Frame:
    """The leases of those guests that the caller may see."""
    if frame.status != OK:
        return frame
    seen, hidden = await _guests(judge)
    if not hidden and not counts:
        return frame
    answer = decoded(request, frame)
    known = await _addresses(judge, seen) if hidden and answer.leases else set()
    kept = [lease for lease in answer.leases if not hidden or (lease.mac is not None and lease.mac.lower() in known)]
    shown = [] if counts else kept
    return request.procedure.reply_frame(frame.serial, remote.NetworkGetDhcpLeasesRet(leases=shown, ret=len(kept)))


async def judge_network(judge: Judge, request: Request, frame: Frame) -> Frame:
    """A network's document; without the number of guests on it for who does not see them all."""
    if frame.status != OK or not (await _guests(judge))[1]:
        return frame
    document = _CONNECTIONS.sub("", decoded(request, frame).xml)
    return request.procedure.reply_frame(frame.serial, remote.NetworkGetXmlDescRet(xml=document))


async def _guests(judge: Judge) -> tuple[list[remote.NonnullDomain], bool]:
    """The guests that the caller sees, and whether there are others."""
    directory = judge.directory("domain")
    listed = await directory.ask(remote.CONNECT_LIST_ALL_DOMAINS, remote.ConnectListAllDomainsArgs(1, 0))
    things = [described(directory.place, reference) for reference in listed.domains]
    seen = await judge.visible(("getattr",), [thing for thing in things if thing is not None])
    shown = [reference for reference, visible in zip(listed.domains, seen, strict=True) if visible]
    return shown, len(shown) < len(listed.domains)


async def _addresses(judge: Judge, guests: list[remote.NonnullDomain]) -> set[str]:
    """The hardware addresses of guests."""
    directory = judge.directory("domain")
    found: set[str] = set()
    for reference in guests:
        found |= await _addresses_of(directory, reference)
    return found


async def _addresses_of(directory: Directory, reference: remote.NonnullDomain) -> set[str]:
    found: set[str] = set()
    for flags in (0, _INACTIVE):
        try:
            answer = await directory.ask(remote.DOMAIN_GET_XML_DESC, remote.DomainGetXmlDescArgs(reference, flags))
            found |= hardware_addresses(answer.xml)
        except (VirtError, NamingError):
            continue
    return found
