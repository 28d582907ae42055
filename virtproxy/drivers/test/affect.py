# SPDX-License-Identifier: LGPL-2.1-or-later
"""What flags say: which of a guest's documents a call is about, and whether a new one is checked by its schema."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import parse
from virtproxy.documents.validate import validate
from virtproxy.driver import ErrorCode, ErrorDomain, VirtError
from virtproxy.drivers.test.guests import Guest

LIVE, CONFIG = 1, 2
# VIR_TYPED_PARAM_STRING_OKAY, which newer clients add to what they ask.
STRINGS = 4


def refused(code: ErrorCode, detail: str) -> VirtError:
    """An error of the domain's own checks, which all hypervisor drivers share."""
    return VirtError.of(code, detail, domain=ErrorDomain.DOMAIN)


def chosen(guest: Guest, flags: int) -> list[DomainDocument]:
    """The documents that LIVE and CONFIG mean; neither means the current one. VirtError if one is not there."""
    if not flags & (LIVE | CONFIG):
        return [guest.document]
    live = [guest.active_document()] if flags & LIVE else []
    return live + ([guest.config_document()] if flags & CONFIG else [])


def one_chosen(guest: Guest, flags: int) -> DomainDocument:
    """The only document that is meant; VirtError if both LIVE and CONFIG are given."""
    if flags & LIVE and flags & CONFIG:
        raise VirtError(
            ErrorCode.INVALID_ARG,
            "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive",
            domain=ErrorDomain.DOMAIN, str1="virDomainObjGetOneDefState", str2="flags", int1=0, int2=0,
        )  # fmt: skip
    return chosen(guest, flags)[0]


def check_flags_of(function: str, flags: int, allowed: int) -> None:
    """As `Call.check_flags`, where the function that libvirt names is not the call's own."""
    unknown = flags & ~allowed
    if unknown:
        raise VirtError(
            ErrorCode.INVALID_ARG, f"unsupported flags (0x{unknown:x}) in function {function}",
            domain=ErrorDomain.TEST, str1=function, str2="flags", int1=0, int2=0,
        )  # fmt: skip


def check_schema(text: str, root_name: str) -> None:
    """Check a document by the schema of its kind; VirtError.

    What is no such document at all is told of when it is read.
    """
    try:
        root = parse(text)
    except VirtError:
        return
    if root.name == root_name:
        validate(text, root_name)
