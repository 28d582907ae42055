# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people and programs note on a domain: title, description, and elements of their own namespaces."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element, format_verbatim, parse
from virtproxy.driver import Call, ErrorCode, ErrorDomain, VirtError, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, chosen, one_chosen, refused
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import ensure, put

DESCRIPTION, TITLE, ELEMENT = range(3)
_TEXTS = {DESCRIPTION: "description", TITLE: "title"}
TYPES = ("poweroff", "reboot", "crash")
ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")
_ONLY_AFTER_A_CRASH = ACTIONS[4:]


class Metadata(TestHost):
    """Notes, and what is to happen when the domain stops."""

    @implements(remote.DOMAIN_GET_METADATA)
    async def metadata(self, call: Call, args: remote.DomainGetMetadataArgs) -> remote.DomainGetMetadataRet:
        call.check_flags(args.flags, LIVE, CONFIG)
        document = one_chosen(self.subject(call, args.dom), args.flags)
        _check_type(args.type)
        if args.type in _TEXTS:
            found = document.root.value(_TEXTS[args.type])
        else:
            note = _note(document, args.uri or "")
            found = None if note is None else format_verbatim(_bare(note))
        if not found:
            raise refused(ErrorCode.NO_DOMAIN_METADATA, "Requested metadata element is not present")
        return remote.DomainGetMetadataRet(metadata=found)

    @implements(remote.DOMAIN_SET_METADATA)
    async def set_metadata(self, call: Call, args: remote.DomainSetMetadataArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        guest = self.subject(call, args.dom)
        documents = chosen(guest, args.flags)
        _check_type(args.type)
        if args.type in _TEXTS:
            for document in documents:
                put(document.root, _TEXTS[args.type], args.metadata or None)
        else:
            note = None if args.metadata is None else _named(args.metadata, args.key or "", args.uri or "")
            for document in documents:
                _set_note(document, args.uri or "", note)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_METADATA_CHANGE, guest, args.type, args.uri)

    @implements(remote.DOMAIN_SET_LIFECYCLE_ACTION)
    async def set_lifecycle_action(self, call: Call, args: remote.DomainSetLifecycleActionArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        guest = self.subject(call, args.dom)
        if args.type >= len(TYPES):
            raise refused(ErrorCode.INVALID_ARG, f"invalid lifecycle type '{args.type}'")
        if args.action >= len(ACTIONS):
            raise refused(ErrorCode.INVALID_ARG, f"invalid lifecycle action '{args.action}'")
        event, action = TYPES[args.type], ACTIONS[args.action]
        if action in _ONLY_AFTER_A_CRASH and event != "crash":
            detail = f"Lifecycle event '{event}' doesn't support '{action}' action"
            raise refused(ErrorCode.CONFIG_UNSUPPORTED, detail)
        for document in chosen(guest, args.flags):
            put(document.root, f"on_{event}", action)


def _check_type(type: int) -> None:
    if type not in (DESCRIPTION, TITLE, ELEMENT):
        raise refused(ErrorCode.INVALID_ARG, f"unknown metadata type '{type}'")


def _space(element: Element) -> str:
    """The namespace that an element declares for its own name."""
    prefix, colon, _ = element.name.rpartition(":")
    return element.attributes.get(f"xmlns:{prefix}" if colon else "xmlns", "")


def _note(document: DomainDocument, uri: str) -> Element | None:
    notes = document.root.find("metadata")
    found = [] if notes is None else [note for note in notes.elements if _space(note) == uri]
    return found[0] if found else None


def _set_note(document: DomainDocument, uri: str, note: Element | None) -> None:
    notes = ensure(document.root, "metadata")
    notes.children = [child for child in notes.elements if _space(child) != uri]
    if note is not None:
        notes.children.append(note.copy())
    if not notes.children:
        document.root.remove("metadata")


def _named(text: str, key: str, uri: str) -> Element:
    """The element as it is written down: its own names in the namespace `uri`, whose prefix is `key`."""
    try:
        note = parse(text)
    except VirtError as error:
        raise VirtError.of(ErrorCode.XML_DETAIL, error.message, domain=ErrorDomain.DOMAIN) from None
    if f"xmlns:{key}" in note.attributes:
        detail = "failed to create a new XML namespace"
        raise VirtError.of(ErrorCode.INTERNAL_ERROR, detail, domain=ErrorDomain.XML)
    if "xmlns" not in note.attributes:
        _rename(note, "", key)
    note.attributes = {f"xmlns:{key}": uri, **note.attributes}
    return note


def _bare(note: Element) -> Element:
    """The element without the prefix and the namespace of its own."""
    bare = note.copy()
    prefix, _, _ = bare.name.rpartition(":")
    bare.attributes.pop(f"xmlns:{prefix}" if prefix else "xmlns", None)
    if prefix:
        _rename(bare, prefix, "")
    return bare


def _rename(element: Element, old: str, new: str) -> None:
    """Put the elements of one prefix under another."""
    prefix, _, name = element.name.rpartition(":")
    if prefix == old:
        element.name = f"{new}:{name}" if new else name
    for child in element.elements:
        _rename(child, old, new)
