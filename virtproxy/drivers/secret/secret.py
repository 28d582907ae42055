# SPDX-License-Identifier: LGPL-2.1-or-later
"""One secret as the driver holds it, and the table of all: by UUID and by usage, each of them unique."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from virtproxy.documents.secret import SecretDocument, Usage
from virtproxy.driver import ErrorCode, ErrorDomain, VirtError, remote


class Secret:
    """A definition and, in memory, its value (None while none was set). Its text form never has the value."""

    __slots__ = ("document", "former_key", "unreadable", "value")

    def __init__(self, document: SecretDocument, value: bytes | None = None) -> None:
        self.document = document
        self.value = value
        # The value on disk is encrypted with a key that is not the current one.
        self.former_key = False
        # Why the value that there is on disk cannot be used; empty if it can, or there is none.
        self.unreadable = ""

    def __repr__(self) -> str:
        return f"<Secret {self.document.uuid_text}>"

    @property
    def uuid(self) -> bytes:
        """What identifies it, 16 bytes."""
        return self.document.uuid

    def ref(self) -> remote.NonnullSecret:
        """How the protocol names it."""
        return reference(self.document)

    def known_value(self) -> bytes:
        """The value; VirtError if there is none, or none that can be read."""
        if self.unreadable:
            detail = f"the value of secret '{self.document.uuid_text}' cannot be used: {self.unreadable}"
            raise _error(ErrorCode.OPERATION_FAILED, detail)
        if self.value is None:
            raise _error(ErrorCode.NO_SECRET, f"secret '{self.document.uuid_text}' does not have a value")
        return self.value


class Secrets:
    """All secrets of a daemon."""

    def __init__(self) -> None:
        self._by_uuid: dict[bytes, Secret] = {}
        self._by_usage: dict[tuple[int, str], Secret] = {}

    def __iter__(self) -> Iterator[Secret]:
        return iter([self._by_uuid[uuid] for uuid in sorted(self._by_uuid)])

    def by_uuid(self, uuid: bytes) -> Secret:
        """The secret with that UUID; VirtError if there is none."""
        found = self._by_uuid.get(uuid)
        if found is None:
            raise _error(ErrorCode.NO_SECRET, f"no secret with matching uuid '{UUID(bytes=uuid)}'")
        return found

    def by_usage(self, usage: int, usage_id: str) -> Secret:
        """The secret for that; VirtError if there is none."""
        found = self._by_usage.get((usage, usage_id))
        if found is None:
            raise _error(ErrorCode.NO_SECRET, f"no secret with matching usage '{usage_id}'")
        return found

    def claim(self, document: SecretDocument) -> Secret | None:
        """The secret that `document` would define anew, or None if it is a new one; VirtError if it cannot be."""
        former = self._by_uuid.get(document.uuid)
        if former is not None:
            _check_change(former.document, document)
        other = self._by_usage.get((document.usage, document.usage_id))
        if other is not None and other is not former:
            detail = f"a secret with UUID {other.document.uuid_text} already defined for use with {document.usage_id}"
            raise _error(ErrorCode.INTERNAL_ERROR, detail)
        return former

    def put(self, secret: Secret) -> None:
        """Take a secret in, in the place of the one with its UUID."""
        self.drop(secret.uuid)
        self._by_uuid[secret.uuid] = secret
        if secret.document.usage is not Usage.NONE:
            self._by_usage[(secret.document.usage, secret.document.usage_id)] = secret

    def drop(self, uuid: bytes) -> None:
        """Forget the secret with that UUID, if there is one."""
        former = self._by_uuid.pop(uuid, None)
        if former is not None and former.document.usage is not Usage.NONE:
            del self._by_usage[(former.document.usage, former.document.usage_id)]


def reference(document: SecretDocument) -> remote.NonnullSecret:
    """How the protocol names the secret of a document."""
    return remote.NonnullSecret(uuid=document.uuid, usage_type=document.usage, usage_id=document.usage_id)


def _check_change(former: SecretDocument, document: SecretDocument) -> None:
    """What a new definition of the same secret may not change. libvirt compares the usage's name only; so do we."""
    if former.usage_id != document.usage_id:
        used = former.usage_id or "(null)"
        detail = f"a secret with UUID {former.uuid_text} is already defined for use with {used}"
        raise _error(ErrorCode.INTERNAL_ERROR, detail)
    if former.private and not document.private:
        raise _error(ErrorCode.INTERNAL_ERROR, "cannot change private flag on existing secret")


def _error(code: ErrorCode, detail: str) -> VirtError:
    return VirtError.of(code, detail, domain=ErrorDomain.SECRET)
