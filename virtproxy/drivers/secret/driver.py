# SPDX-License-Identifier: LGPL-2.1-or-later
"""The procedures of secrets: defined, found, listed, read, valued, undefined.

A change is on disk before it is true in memory and told, and changes happen one after the other. No value gets into an
event, an error or a log.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock

from virtproxy.documents.secret import SecretDocument, parse_root, read
from virtproxy.documents.validate import validate
from virtproxy.driver import (
    Call,
    Driver,
    ErrorCode,
    ErrorDomain,
    EventClass,
    ListFlags,
    Place,
    VirtError,
    either,
    implements,
    remote,
    system_error,
)
from virtproxy.drivers.secret.keys import keyring
from virtproxy.drivers.secret.secret import Secret, Secrets
from virtproxy.drivers.secret.store import SecretStore

T = TypeVar("T")
VALIDATE = 1
DEFINED, UNDEFINED = 0, 1
LISTED: ListFlags[Secret] = ListFlags(
    either(1, 2, lambda secret: secret.document.ephemeral),
    either(4, 8, lambda secret: secret.document.private),
)


class SecretDriver(Driver):
    """All secrets of a host, or of a user."""

    name = "secret"
    error_domain = ErrorDomain.SECRET
    event_classes = frozenset({EventClass.SECRET})

    def __init__(self, place: Place | None = None) -> None:
        super().__init__(place)
        self.secrets = Secrets()
        self._store: SecretStore | None = None
        self._turn = DeferredLock()

    async def start(self) -> None:
        """Read the keys and every secret on disk; ValueError, for people, if a key cannot be used."""
        keys = keyring(self.place.settings)
        self._store = SecretStore(os.path.join(self.place.config, "secrets"), keys)
        for secret in await self.place.blocking(self._store.load):
            self.secrets.put(secret)

    def busy(self) -> int:
        """How many secrets would be lost if the daemon ended because it is idle: the ephemeral ones."""
        return super().busy() + sum(secret.document.ephemeral for secret in self.secrets)

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
        call.check_flags(args.flags, LISTED.bits)
        found = [secret.ref() for secret in LISTED.select(call.visible(self.secrets), args.flags)]
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
        if secret.document.private and not call.identity.is_daemon:
            raise call.error(ErrorCode.INVALID_SECRET, "secret is private")
        return remote.SecretGetValueRet(value=secret.known_value())

    # Changing

    @implements(remote.SECRET_DEFINE_XML)
    async def define(self, call: Call, args: remote.SecretDefineXmlArgs) -> remote.SecretDefineXmlRet:
        call.check_flags(args.flags, VALIDATE)
        document = await self._parsed(args.xml, args.flags)
        call.authorize(Secret(document))
        return remote.SecretDefineXmlRet(secret=(await self._whole(self._define(document))).ref())

    @implements(remote.SECRET_SET_VALUE)
    async def set_value(self, call: Call, args: remote.SecretSetValueArgs) -> None:
        if not args.value:
            # As the library says it, which sends the call all the same.
            text = "value in virSecretSetValue must not be NULL"
            code, domain, api = ErrorCode.INVALID_ARG, self.error_domain, "virSecretSetValue"
            raise VirtError(code, text, domain=domain, str1=api, str2="value", int1=0, int2=0)
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

    async def _parsed(self, text: str, flags: int) -> SecretDocument:
        """The document of a text, held against the schema if the flags ask for it. VirtError."""
        root = parse_root(text)
        if flags & VALIDATE:
            await self.place.blocking(validate, text, "secret")
        return read(root)

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

    def _whole(self, change: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Make a change when its turn comes, and to its end even if the caller leaves: disk and memory agree."""

        async def in_turn() -> T:
            async with self._turn:
                return await change

        return self.whole(in_turn())
