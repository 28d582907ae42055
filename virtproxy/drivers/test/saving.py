# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saving domains to image files and restoring them, managed saves and core dumps.

The images are kept in memory by their path: a pretended host must not give its clients the daemon's rights to write
files. They are gone with everything else when the last client leaves.
"""

from __future__ import annotations

import errno
import os

from virtproxy.documents.domain import DomainDocument
from virtproxy.driver import Call, ErrorCode, ErrorDomain, VirtError, implements, remote
from virtproxy.drivers.test.affect import check_flags_of
from virtproxy.drivers.test.guests import invalid
from virtproxy.drivers.test.runs import (
    RUNNING_RESTORED,
    SHUTOFF_CRASHED,
    SHUTOFF_SAVED,
    STARTED_RESTORED,
    STOPPED_CRASHED,
    STOPPED_SAVED,
    Runs,
)

SAVE_FLAGS, SAVE_RUNNING, SAVE_PAUSED = 0b111, 2, 4
SECURE = 1
DUMP_CRASH = 1
RAW = 0
# So that clients cannot fill the daemon's memory.
IMAGES_MAX = 10_000


class Saving(Runs):
    """A saved domain is its document."""

    def reset(self) -> None:
        super().reset()
        self.images: dict[str, str] = {}

    @implements(remote.DOMAIN_SAVE)
    async def save(self, call: Call, args: remote.DomainSaveArgs) -> None:
        self._save(call, args.dom, args.to)

    @implements(remote.DOMAIN_SAVE_FLAGS)
    async def save_flags(self, call: Call, args: remote.DomainSaveFlagsArgs) -> None:
        call.check_flags(args.flags)
        _refuse_changes(call, args.dxml)
        self._save(call, args.dom, args.to)

    @implements(remote.DOMAIN_RESTORE)
    async def restore(self, call: Call, args: remote.DomainRestoreArgs) -> None:
        self._restore(call, args.from_)

    @implements(remote.DOMAIN_RESTORE_FLAGS)
    async def restore_flags(self, call: Call, args: remote.DomainRestoreFlagsArgs) -> None:
        call.check_flags(args.flags)
        _refuse_changes(call, args.dxml)
        self._restore(call, args.from_)

    @implements(remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC)
    async def image_xml(
        self, call: Call, args: remote.DomainSaveImageGetXmlDescArgs
    ) -> remote.DomainSaveImageGetXmlDescRet:
        call.check_flags(args.flags, SECURE)
        document = self._image(args.file)
        call.authorize(document)
        return remote.DomainSaveImageGetXmlDescRet(xml=document.format(flags=args.flags))

    @implements(remote.DOMAIN_SAVE_IMAGE_DEFINE_XML)
    async def define_image(self, call: Call, args: remote.DomainSaveImageDefineXmlArgs) -> None:
        call.check_flags(args.flags, SAVE_RUNNING, SAVE_PAUSED)
        call.authorize(self._image(args.file))
        self.images[args.file] = DomainDocument(args.dxml).format()

    @implements(remote.DOMAIN_MANAGED_SAVE)
    async def managed_save(self, call: Call, args: remote.DomainManagedSaveArgs) -> None:
        call.check_flags(args.flags, SAVE_FLAGS)
        guest = self.subject(call, args.dom)
        guest.active_document()
        if not guest.persistent:
            raise invalid("cannot do managed save for transient domain")
        self.end(guest, SHUTOFF_SAVED, STOPPED_SAVED)
        guest.managed_save = True

    @implements(remote.DOMAIN_HAS_MANAGED_SAVE_IMAGE)
    async def has_managed_save(
        self, call: Call, args: remote.DomainHasManagedSaveImageArgs
    ) -> remote.DomainHasManagedSaveImageRet:
        call.check_flags(args.flags)
        return remote.DomainHasManagedSaveImageRet(result=int(self.subject(call, args.dom).managed_save))

    @implements(remote.DOMAIN_MANAGED_SAVE_REMOVE)
    async def managed_save_remove(self, call: Call, args: remote.DomainManagedSaveRemoveArgs) -> None:
        call.check_flags(args.flags)
        self.subject(call, args.dom).managed_save = False

    @implements(remote.DOMAIN_CORE_DUMP)
    async def core_dump(self, call: Call, args: remote.DomainCoreDumpArgs) -> None:
        self._dump(call, args.dom, RAW, args.flags)

    @implements(remote.DOMAIN_CORE_DUMP_WITH_FORMAT)
    async def core_dump_with_format(self, call: Call, args: remote.DomainCoreDumpWithFormatArgs) -> None:
        self._dump(call, args.dom, args.dumpformat, args.flags)

    def _save(self, call: Call, dom: remote.NonnullDomain, path: str) -> None:
        guest = self.subject(call, dom)
        document = guest.active_document()
        if path not in self.images and len(self.images) >= IMAGES_MAX:
            raise call.error(ErrorCode.OPERATION_FAILED, f"more than {IMAGES_MAX} saved domains")
        self.images[path] = document.format()
        self.end(guest, SHUTOFF_SAVED, STOPPED_SAVED)

    def _restore(self, call: Call, path: str) -> None:
        document = self._image(path)
        call.authorize(document)
        guest = self.guests.place(document, must_be_stopped=True)
        self.begin(guest, document, RUNNING_RESTORED, STARTED_RESTORED)

    def _image(self, path: str) -> DomainDocument:
        """What is saved at that path; VirtError SYSTEM_ERROR if nothing is."""
        if path not in self.images:
            message = f"cannot read domain image '{path}': {os.strerror(errno.ENOENT)}"
            raise VirtError(
                ErrorCode.SYSTEM_ERROR, message, domain=ErrorDomain.TEST, str1="%s", str2=message, int1=errno.ENOENT
            )
        return DomainDocument(self.images[path])

    def _dump(self, call: Call, dom: remote.NonnullDomain, dump_format: int, flags: int) -> None:
        check_flags_of("testDomainCoreDumpWithFormat", flags, DUMP_CRASH)
        guest = self.subject(call, dom)
        guest.active_document()
        if dump_format != RAW:
            detail = "kdump-compressed format is not supported here"
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)
        if flags & DUMP_CRASH:
            self.end(guest, SHUTOFF_CRASHED, STOPPED_CRASHED)


def _refuse_changes(call: Call, dxml: str | None) -> None:
    if dxml is not None:
        raise call.error(ErrorCode.ARGUMENT_UNSUPPORTED, "xml modification unsupported")
