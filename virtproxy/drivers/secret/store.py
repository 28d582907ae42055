# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of secrets, as libvirt keeps them: UUID.xml, and UUID.base64 or UUID.aes256cbc with the value; mode 0600.

Every method blocks, so callers run it in a thread. The order of writes leaves, wherever they are cut off, a secret as
it was before or as it is after. What cannot be read is logged and left alone.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from uuid import UUID

from twisted.logger import Logger

from virtproxy.documents.secret import SecretDocument, parse
from virtproxy.driver import VirtError
from virtproxy.driver.files import make_directory, remove_file, write_file
from virtproxy.drivers.secret.keys import Keyring, WrongKeyError
from virtproxy.drivers.secret.secret import Secret

PLAIN = ".base64"
ENCRYPTED = ".aes256cbc"
DIRECTORY_MODE = 0o700
# A document is small; a value has at most 65,536 bytes before it is encoded.
SIZE_MAX = 256 * 1024
_log = Logger()


class SecretStore:
    """The directory of one daemon's secrets."""

    def __init__(self, directory: str, keys: Keyring) -> None:
        self.directory = directory
        self._keys = keys

    def load(self) -> list[Secret]:
        """Every secret there, in the order of UUIDs. Values of a former key are written anew with the current one."""
        found = list(self._read_all())
        stale = [secret for secret in found if secret.former_key and secret.value is not None]
        for secret in stale:
            if self._keys.current is not None:
                self.write_value(secret.document, secret.value or b"")
        if stale and self._keys.current is not None:
            _log.info("{count} values are encrypted with the new key now", count=len(stale))
        return found

    def write(self, document: SecretDocument, value: bytes | None, *, fresh: bool) -> None:
        """Keep a document; `value` goes before it, so that no secret is there without its value. OSError.

        `fresh`: nothing of that UUID was on disk, as far as the daemon knows; a value that was left over goes.
        """
        make_directory(self.directory, DIRECTORY_MODE)
        if fresh:
            self._remove_values(document.uuid)
        if value is not None:
            self.write_value(document, value)
        write_file(self._path(document.uuid, ".xml"), document.format().encode())

    def write_value(self, document: SecretDocument, value: bytes) -> None:
        """Keep a value, in the one form that the keys ask for. OSError."""
        make_directory(self.directory, DIRECTORY_MODE)
        current = self._keys.current
        if current is None:
            written, other, data = PLAIN, ENCRYPTED, base64.b64encode(value)
        else:
            written, other, data = ENCRYPTED, PLAIN, current.encrypt(document.uuid, value)
        write_file(self._path(document.uuid, written), data)
        remove_file(self._path(document.uuid, other))

    def remove(self, uuid: bytes) -> None:
        """Forget a secret: the document first, without which a value means nothing. OSError."""
        remove_file(self._path(uuid, ".xml"))
        self._remove_values(uuid)

    def _remove_values(self, uuid: bytes) -> None:
        for suffix in (PLAIN, ENCRYPTED):
            remove_file(self._path(uuid, suffix))

    def _path(self, uuid: bytes, suffix: str) -> str:
        return os.path.join(self.directory, f"{UUID(bytes=uuid)}{suffix}")

    # Reading

    def _read_all(self) -> Iterator[Secret]:
        try:
            names = sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return
        except OSError as error:
            _log.error("{path} cannot be read: {error}", path=self.directory, error=error.strerror)
            return
        usages: dict[tuple[int, str], str] = {}
        for name in names:
            if name.endswith(".xml"):
                secret = self._read(name, usages)
                if secret is not None:
                    yield secret
            elif name.endswith((PLAIN, ENCRYPTED)) and f"{os.path.splitext(name)[0]}.xml" not in names:
                _log.warn("{path} is a value without a secret", path=os.path.join(self.directory, name))

    def _read(self, name: str, usages: dict[tuple[int, str], str]) -> Secret | None:
        path = os.path.join(self.directory, name)
        try:
            document = parse(_content(path).decode())
            if name != f"{document.uuid_text}.xml":
                raise ValueError(f"<uuid> does not match secret file name '{name}'")
            if document.usage_id:
                other = usages.setdefault((document.usage, document.usage_id), document.uuid_text)
                if other != document.uuid_text:
                    raise ValueError(f"the secret {other} is for {document.usage_id} already")
            secret = Secret(document)
            self._read_value(secret)
        except OSError as error:
            _log.error("{path} is not used: {error}", path=error.filename or path, error=error.strerror)
        except (VirtError, ValueError) as error:
            _log.error("{path} is not used: {error}", path=path, error=error)
        else:
            return secret
        return None

    def _read_value(self, secret: Secret) -> None:
        """Read what is there; of two forms, which a crash can leave, the younger is the value."""
        candidates = [self._path(secret.uuid, suffix) for suffix in (PLAIN, ENCRYPTED)]
        there = sorted((os.stat(path).st_mtime_ns, path) for path in candidates if os.path.lexists(path))
        if not there:
            return
        path = there[-1][1]
        data = _content(path)
        try:
            if path.endswith(PLAIN):
                secret.value = base64.b64decode(b"".join(data.split()), validate=True)
            else:
                secret.value, current = self._keys.decrypt(secret.uuid, data)
                secret.former_key = not current
        except (WrongKeyError, binascii.Error) as error:
            secret.unreadable = str(error) if isinstance(error, WrongKeyError) else "it is not base64"
            _log.error("the value in {path} cannot be used: {error}", path=path, error=secret.unreadable)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read(SIZE_MAX + 1)
    if len(data) > SIZE_MAX:
        raise ValueError(f"it is larger than {SIZE_MAX} bytes")
    return data
