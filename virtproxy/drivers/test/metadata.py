# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people and programs note on a domain: title, description, and elements of their own namespaces."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, chosen, one_chosen, refused
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import put

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
        found = document.root.value(_TEXTS[args.type]) if args.type in _TEXTS else document.metadata(args.uri or "")
        if not found:
            raise refused(ErrorCode.NO_DOMAIN_METADATA, "Requested metadata element is not present")
        return remote.DomainGetMetadataRet(metadata=found)

    @implements(remote.DOMAIN_SET_METADATA)
    async def set_metadata(self, call: Call, args: remote.DomainSetMetadataArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        guest = self.subject(call, args.dom)
        _check_type(args.type)
        for document in chosen(guest, args.flags):
            if args.type in _TEXTS:
                put(document, _TEXTS[args.type], args.metadata or None)
            else:
                document.set_metadata(args.uri or "", args.key or "", args.metadata)
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
            put(document, f"on_{event}", action)


def _check_type(type: int) -> None:
    if type not in (DESCRIPTION, TITLE, ELEMENT):
        raise refused(ErrorCode.INVALID_ARG, f"unknown metadata type '{type}'")
