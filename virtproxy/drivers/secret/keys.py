# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keys that values are encrypted with on disk, and what they make of a value.

The format is that of libvirt since 12.1: AES-256-CBC (PKCS 7), the initialization vector before the ciphertext, all in
base64. libvirt takes a random vector, which leaves a changed file or a wrong key unnoticed now and then. Ours is a MAC
of the secret's UUID and the value, and the file ends with a newline, which libvirt ignores: a file that does is checked
against its MAC. Nothing here logs, and no error tells a value or a key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

KEY_SIZE = 32
CREDENTIAL = "secrets-encryption-key"
_BLOCK = 16


class WrongKeyError(ValueError):
    """A value cannot be decrypted with the keys at hand."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of 32 bytes."""

    secret: bytes = field(repr=False)

    def encrypt(self, uuid: bytes, value: bytes) -> bytes:
        """The content of the file with `value`."""
        padder = PKCS7(_BLOCK * 8).padder()
        vector = self._vector(uuid, value)
        encryptor = Cipher(algorithms.AES(self.secret), modes.CBC(vector)).encryptor()
        padded = padder.update(value) + padder.finalize()
        return base64.b64encode(vector + encryptor.update(padded) + encryptor.finalize()) + b"\n"

    def decrypt(self, uuid: bytes, data: bytes) -> bytes:
        """The value in a file's content; WrongKeyError if it is of another key, or not what was written."""
        try:
            raw = base64.b64decode(data, validate=False)
        except binascii.Error:
            raise WrongKeyError("it is not base64") from None
        if len(raw) < 2 * _BLOCK or len(raw) % _BLOCK:
            raise WrongKeyError("it is cut short")
        vector = raw[:_BLOCK]
        decryptor = Cipher(algorithms.AES(self.secret), modes.CBC(vector)).decryptor()
        unpadder = PKCS7(_BLOCK * 8).unpadder()
        try:
            value: bytes = unpadder.update(decryptor.update(raw[_BLOCK:]) + decryptor.finalize()) + unpadder.finalize()
        except ValueError:
            raise WrongKeyError("the key is another one, or the file was changed") from None
        if data.endswith(b"\n") and not hmac.compare_digest(vector, self._vector(uuid, value)):
            raise WrongKeyError("the key is another one, or the file was changed")
        return value

    def _vector(self, uuid: bytes, value: bytes) -> bytes:
        # A key of its own for the MAC, so that the two uses of the secret cannot meet.
        key = hmac.digest(self.secret, b"virtproxy secret value", hashlib.sha256)
        return hmac.digest(key, uuid + value, hashlib.sha256)[:_BLOCK]


@dataclass(frozen=True, slots=True)
class Keyring:
    """What a daemon encrypts with (`current`, None if values stay plain) and what it can still decrypt (`former`)."""

    current: Key | None = None
    former: tuple[Key, ...] = ()

    def decrypt(self, uuid: bytes, data: bytes) -> tuple[bytes, bool]:
        """The value, and whether the current key opened it; WrongKeyError if none does."""
        keys = (*(() if self.current is None else (self.current,)), *self.former)
        if not keys:
            raise WrongKeyError("no secrets_encryption_key is set")
        for key in keys:
            try:
                return key.decrypt(uuid, data), key is self.current
            except WrongKeyError as error:
                reason = error
        raise reason


def read_key(path: str) -> Key:
    """The key in a file of exactly 32 bytes that only its owner may read; ValueError, for people, if it is none."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            secret = file.read(KEY_SIZE + 1)
    except OSError as error:
        raise ValueError(f"the key {path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"the key {path} is not a regular file")
    if status.st_mode & 0o077:
        raise ValueError(f"others can read the key {path}: chmod 600 {path}")
    if len(secret) != KEY_SIZE:
        raise ValueError(
            f"the key {path} must have {KEY_SIZE} bytes: make one with "
            f"'(umask 077; dd if=/dev/random of={path} bs={KEY_SIZE} count=1)'"
        )
    return Key(secret)


def keyring(settings: Mapping[str, Any]) -> Keyring:
    """The keys that a daemon's settings name; ValueError, for people, if one cannot be used.

    `secrets_encryption_key` is the current key's file; without it the credential "secrets-encryption-key" below
    `credentials_directory` is, if systemd passed one. `encrypt_data` = 0 writes plain values all the same (and still
    reads encrypted ones). `secrets_former_keys` are files of keys that values may still be encrypted with.
    """
    path: str | None = settings.get("secrets_encryption_key") or _credential(settings.get("credentials_directory"))
    paths: Sequence[str] = settings.get("secrets_former_keys") or ()
    former = tuple(read_key(name) for name in paths)
    wanted = settings.get("encrypt_data")
    if path is None:
        if wanted:
            raise ValueError("encrypt_data = 1 needs secrets_encryption_key, or the credential " + CREDENTIAL)
        return Keyring(None, former)
    key = read_key(path)
    return Keyring(None, (key, *former)) if wanted == 0 else Keyring(key, former)


def _credential(directory: str | None) -> str | None:
    if not directory:
        return None
    path = os.path.join(directory, CREDENTIAL)
    return path if os.path.exists(path) else None
