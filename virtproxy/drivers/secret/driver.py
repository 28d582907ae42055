# SPDX-License-Identifier: LGPL-2.1-or-later
"""The procedures of secrets: defined, found, listed, read, valued, undefined.

A change is on disk before it is true in memory and told, and changes happen one after the other. No value gets into an
event, an error or a log.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.python.failure import Failure

from virtproxy.documents.secret import SecretDocument, parse
from virtproxy.documents.validate import validate
from virtproxy.driver import (
    Call,
    Driver,
    ErrorCode,
    ErrorDomain,
    EventClass,
    Place,
    VirtError,
    implements,
    remote,
    system_error,
)
from virtproxy.drivers.secret.keys import keyring
from virtproxy.drivers.secret.secret import Secret, Secrets
from virtproxy.drivers.secret.store import SecretStore

VALIDATE = 1
EPHEMERAL, NO_EPHEMERAL, PRIVATE, NO_PRIVATE = 1, 2, 4, 8
DEFINED, UNDEFINED = 0, 1


class SecretDriver(Driver):
    """All secrets of a host, or of a user."""

    name = "secret"
    error_domain = ErrorDomain.SECRET
    event_classes = frozenset({EventClass.SECRET})

    def __init__(self, place: Place | None = None) -> None:
        super().__init__(place)
        self.secrets = Secrets()
        self._store: SecretStore | None = None
        self._changes = DeferredLock()

    async def start(self) -> None:
        """Read the keys and every secret on disk; ValueError, for people, if a key cannot be used."""
        keys = keyring(self.place.settings)
        self._store = SecretStore(os.path.join(self.place.config, "secrets"), keys)
        for secret in await self.place.blocking(self._store.load):
            self.secrets.put(secret)

    async def stop(self) -> None:
        """Let the change under way reach the disk."""
        async with self._changes:
            pass

    def check_uri(self, uri: str) -> None:
        """Take secret:///system or secret:///session, whichever this daemon is; VirtError for anything else."""
        super().check_uri(uri)
        path, own = urlsplit(uri).path, f"/{self.place.mode}"
        if path != own:
            detail = f"unexpected secret URI path '{path}', try secret://{own}"
            raise VirtError.of(ErrorCode.INTERNAL_ERROR, detail)

    # Finding

    @implements(remote.CONNECT_NUM_OF_SECRETS)
    async def num_of_secrets(self, call: Call, args: None) -> remote.ConnectNumOfSecretsRet:
        return remote.ConnectNumOfSecretsRet(num=len(call.visible(self.secrets)))

    @implements(remote.CONNECT_LIST_SECRETS)
    async def list_secrets(self, call: Call, args: remote.ConnectListSecretsArgs) -> remote.ConnectListSecretsRet:
        uuids = [secret.document.uuid_text for secret in call.visible(self.secrets)]
        return remote.ConnectListSecretsRet(uuids=uuids)

    @implements(remote.CONNECT_LIST_ALL_SECRETS)
    async def list_all_secrets(
        self, call: Call, args: remote.ConnectListAllSecretsArgs
    ) -> remote.ConnectListAllSecretsRet:
        call.check_flags(args.flags, EPHEMERAL | NO_EPHEMERAL | PRIVATE | NO_PRIVATE)
        found = [secret.ref() for secret in call.visible(self.secrets) if _passes(args.flags, secret.document)]
        return remote.ConnectListAllSecretsRet(secrets=found, ret=len(found))

    @implements(remote.SECRET_LOOKUP_BY_UUID)
    async def by_uuid(self, call: Call, args: remote.SecretLookupByUuidArgs) -> remote.SecretLookupByUuidRet:
        return remote.SecretLookupByUuidRet(secret=self._known(call, args.uuid).ref())

    @implements(remote.SECRET_LOOKUP_BY_USAGE)
    async def by_usage(self, call: Call, args: remote.SecretLookupByUsageArgs) -> remote.SecretLookupByUsageRet:
        secret = self.secrets.by_usage(args.usage_type, args.usage_id)
        call.authorize(secret)
        return remote.SecretLookupByUsageRet(secret=secret.ref())

    # Reading

    @implements(remote.SECRET_GET_XML_DESC)
    async def xml(self, call: Call, args: remote.SecretGetXmlDescArgs) -> remote.SecretGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.SecretGetXmlDescRet(xml=self._known(call, args.secret.uuid).document.format())

    @implements(remote.SECRET_GET_VALUE)
    async def value(self, call: Call, args: remote.SecretGetValueArgs) -> remote.SecretGetValueRet:
        call.check_flags(args.flags)
        secret = self._known(call, args.secret.uuid)
        if secret.document.private:
            raise call.error(ErrorCode.INVALID_SECRET, "secret is private")
        return remote.SecretGetValueRet(value=secret.known_value())

    # Changing

    @implements(remote.SECRET_DEFINE_XML)
    async def define(self, call: Call, args: remote.SecretDefineXmlArgs) -> remote.SecretDefineXmlRet:
        call.check_flags(args.flags, VALIDATE)
        if args.flags & VALIDATE:
            validate(args.xml, "secret")
        document = parse(args.xml)
        call.authorize(Secret(document))
        return remote.SecretDefineXmlRet(secret=(await self._whole(self._define(document))).ref())

    @implements(remote.SECRET_SET_VALUE)
    async def set_value(self, call: Call, args: remote.SecretSetValueArgs) -> None:
        call.check_flags(args.flags)
        self._known(call, args.secret.uuid)
        await self._whole(self._set_value(args.secret.uuid, args.value))

    @implements(remote.SECRET_UNDEFINE)
    async def undefine(self, call: Call, args: remote.SecretUndefineArgs) -> None:
        self._known(call, args.secret.uuid)
        await self._whole(self._undefine(args.secret.uuid))

    async def _define(self, document: SecretDocument) -> Secret:
        former = self.secrets.claim(document)
        value = None if former is None else former.value
        kept = former is not None and not former.document.ephemeral
        if former is not None and document.ephemeral:
            if former.unreadable:
                former.known_value()
            if kept:
                await self._on_disk("remove", self.store.remove, document.uuid)
        elif not document.ephemeral:
            fresh = not kept
            await self._on_disk("write", self.store.write, document, value if fresh else None, fresh=fresh)
        secret = Secret(document, value)
        secret.unreadable = "" if former is None else former.unreadable
        self.secrets.put(secret)
        self.emit(remote.SECRET_EVENT_LIFECYCLE, secret, DEFINED, 0)
        return secret

    async def _set_value(self, uuid: bytes, value: bytes) -> None:
        secret = self.secrets.by_uuid(uuid)
        if not secret.document.ephemeral:
            await self._on_disk("write", self.store.write_value, secret.document, value)
        secret.value, secret.unreadable = value, ""
        self.emit(remote.SECRET_EVENT_VALUE_CHANGED, secret)

    async def _undefine(self, uuid: bytes) -> None:
        secret = self.secrets.by_uuid(uuid)
        if not secret.document.ephemeral:
            await self._on_disk("remove", self.store.remove, uuid)
        self.secrets.drop(uuid)
        self.emit(remote.SECRET_EVENT_LIFECYCLE, secret, UNDEFINED, 0)

    # Around them

    @property
    def store(self) -> SecretStore:
        """The files; RuntimeError before `start`."""
        if self._store is None:
            raise RuntimeError("the secret driver has not been started")
        return self._store

    def _known(self, call: Call, uuid: bytes) -> Secret:
        """The secret with that UUID, if the caller may do with it what they ask for. VirtError."""
        secret = self.secrets.by_uuid(uuid)
        call.authorize(secret)
        return secret

    async def _on_disk(self, verb: str, work: Any, *args: Any, **named: Any) -> None:
        try:
            await self.place.blocking(work, *args, **named)
        except OSError as error:
            where = error.filename or self.store.directory
            failure = system_error(error, f"cannot {verb} '{where}'")
            failure.domain = self.error_domain
            raise failure from None

    def _whole(self, change: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Make a change when its turn comes, and to its end even if the caller leaves: disk and memory agree."""
        answer: Deferred[Any] = Deferred(lambda _: None)

        async def in_turn() -> Any:
            async with self._changes:
                return await change

        def ended(result: Any) -> None:
            if not answer.called:
                answer.callback(result)
            elif isinstance(result, Failure) and not result.check(VirtError, CancelledError):
                result.raiseException()

        Deferred.fromCoroutine(in_turn()).addBoth(ended)
        return answer


def _passes(flags: int, document: SecretDocument) -> bool:
    """Whether a list's flags let a secret pass: one of each pair that has any."""
    pairs = ((EPHEMERAL, NO_EPHEMERAL, document.ephemeral), (PRIVATE, NO_PRIVATE, document.private))
    return all(not flags & (yes | no) or flags & (yes if truth else no) for yes, no, truth in pairs)
