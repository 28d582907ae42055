# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that qemu-img makes, converts and resizes, encrypted ones included.

It is run with a document's values as arguments, never through a shell; passphrases reach it through a pipe of their
own, and are in no argument, file or log.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from virtproxy.documents.storage_volume import Encryption, VolumeDocument
from virtproxy.driver import ErrorCode, Place, VirtError, remote, run_program
from virtproxy.drivers.storage.errors import failure, internal, invalid_argument, unsupported

VOLUME_SECRET = 1
_SECRET_FD = 9
HIDDEN_PART = re.compile(r"\.virtproxy-[0-9a-f]{8}/")
_COMPAT_DEFAULT = "1.1"


class Images:
    """qemu-img on this host."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def create(self, path: str, volume: VolumeDocument, *, preallocate: bool) -> None:
        """Make the image at `path` that the document describes. VirtError, with what qemu-img complains of."""
        check(volume, preallocate)
        async with self._secret(volume.target.encryption, creating=True) as secret:
            argv = ["qemu-img", "create", "-f", _format(volume)]
            backing = volume.backing
            if backing is not None and backing.path:
                argv += ["-b", backing.path, "-F", backing.format or "raw"]
                if not backing.path.startswith("/"):
                    argv.append("-u")
            argv += secret.objects
            options = _options(volume, preallocate, secret.id)
            if options:
                argv += ["-o", options]
            argv.append(path)
            if volume.has_capacity or backing is None:
                argv.append(f"{_kibibytes(volume.capacity)}K")
            await self._run(argv, secret)

    async def convert(self, source: VolumeDocument, path: str, volume: VolumeDocument, *, preallocate: bool) -> None:
        """Make the image at `path` with what is in `source`, whichever formats the two have. VirtError."""
        check(volume, preallocate)
        async with self._secret(volume.target.encryption, creating=True) as secret:
            argv = ["qemu-img", "convert", "-f", source.target.format, "-O", _format(volume), *secret.objects]
            options = _options(volume, preallocate, secret.id)
            backing = volume.backing
            if backing is not None and backing.path:
                options = ",".join(
                    [f"backing_file={_escaped(backing.path)}", f"backing_fmt={backing.format or 'raw'}", options]
                ).rstrip(",")
            if options:
                argv += ["-o", options]
            await self._run([*argv, source.path, path], secret)
        if volume.capacity > source.capacity:
            await self.resize(path, volume, volume.capacity)

    async def resize(self, path: str, volume: VolumeDocument, size: int, *, shrink: bool = False) -> None:
        """Let an image have that many bytes. VirtError."""
        smaller = ["--shrink"] if shrink else []
        if volume.target.encryption is None:
            argv = ["qemu-img", "resize", *smaller, "-f", volume.target.format, path, str(size)]
            await self._run(argv, _Secret())
            return
        async with self._secret(volume.target.encryption, creating=False) as secret:
            option = "key-secret" if volume.target.format == "raw" else "encrypt.key-secret"
            driver = "luks" if volume.target.format == "raw" else volume.target.format
            options = f"driver={driver},{option}={secret.id},file.filename={_escaped(path)}"
            argv = ["qemu-img", "resize", *smaller, *secret.objects, "--image-opts", options, str(size)]
            await self._run(argv, secret)

    async def _run(self, argv: list[str], secret: _Secret) -> None:
        with secret.pipe() as fds:
            try:
                await run_program(self._place, argv, fds=fds)
            except VirtError as error:
                if error.code == ErrorCode.SYSTEM_ERROR:
                    raise internal("unable to find qemu-img") from None
                # What a client is told names the volume, not where it is made.
                raise VirtError.of(ErrorCode(error.code), HIDDEN_PART.sub("", error.str2 or "")) from None

    @asynccontextmanager
    async def _secret(self, encryption: Encryption | None, *, creating: bool) -> AsyncIterator[_Secret]:
        if encryption is None:
            yield _Secret()
            return
        if not encryption.secret_type:
            what = "A single <secret type='passphrase'...> element is expected in encryption description"
            raise invalid_argument(what) if creating else invalid_argument("missing secret for volume resize")
        yield _Secret(await self._passphrase(encryption))

    async def _passphrase(self, encryption: Encryption) -> bytes:
        """Ask the secret driver for it. VirtError."""
        peer = await self._place.ask("secret")
        try:
            secret = await _find(peer, encryption)
            value = await peer.call(remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(secret=secret, flags=0))
        finally:
            peer.close()
        return bytes(value.value)


async def _find(peer: Any, encryption: Encryption) -> remote.NonnullSecret:
    found: remote.NonnullSecret
    if encryption.secret_uuid is not None:
        args = remote.SecretLookupByUuidArgs(uuid=encryption.secret_uuid)
        found = (await peer.call(remote.SECRET_LOOKUP_BY_UUID, args)).secret
    else:
        usage = remote.SecretLookupByUsageArgs(usage_type=VOLUME_SECRET, usage_id=encryption.secret_usage or "")
        found = (await peer.call(remote.SECRET_LOOKUP_BY_USAGE, usage)).secret
    return found


class _Secret:
    """A passphrase on its way to qemu-img; without one, nothing."""

    def __init__(self, value: bytes | None = None) -> None:
        self._value = value
        self.id = "" if value is None else "volume"
        self.objects = [] if value is None else ["--object", f"secret,id=volume,file=/dev/fd/{_SECRET_FD}"]

    @contextmanager
    def pipe(self) -> Iterator[dict[int, int]]:
        """The descriptor that the program reads it from."""
        if self._value is None:
            yield {}
            return
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(reading, True)
            # A passphrase is far smaller than what a pipe holds.
            if os.write(writing, self._value) != len(self._value):
                raise internal("the passphrase is too long")
            os.close(writing)
            writing = -1
            yield {_SECRET_FD: reading}
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)


def check(volume: VolumeDocument, preallocate: bool = False) -> None:
    """Refuse, as libvirt does, what no such image can be. VirtError."""
    target = volume.target
    if preallocate and target.format != "qcow2":
        plain = target.format == "raw" and target.encryption is None
        why = "is not supported for raw volumes" if plain else "only available with qcow2"
        raise failure(ErrorCode.CONFIG_UNSUPPORTED, f"metadata preallocation {why}")
    for feature in sorted(target.features or ()):
        if (target.compat or _COMPAT_DEFAULT) == "0.10":
            raise failure(ErrorCode.CONFIG_UNSUPPORTED, f"{feature} not supported with compat level {target.compat}")
    if volume.backing is not None and target.format == "raw":
        raise unsupported("backing storage not supported for raw volumes")
    if target.encryption is not None:
        _check_encryption(volume, target.encryption)


def _check_encryption(volume: VolumeDocument, encryption: Encryption) -> None:
    if volume.target.format not in ("raw", "qcow", "qcow2"):
        detail = f"qcow volume encryption unsupported with volume format {volume.target.format}"
        raise failure(ErrorCode.CONFIG_UNSUPPORTED, detail)
    if not encryption.secret_type:
        detail = "A single <secret type='passphrase'...> element is expected in encryption description"
        raise invalid_argument(detail)
    if encryption.format not in ("luks",):
        raise failure(ErrorCode.CONFIG_UNSUPPORTED, f"unsupported volume encryption format {encryption.format}")


def _format(volume: VolumeDocument) -> str:
    """What qemu-img calls the format: an ISO image is a raw file, an encrypted raw one LUKS."""
    if volume.target.format == "raw" and volume.target.encryption is not None:
        return "luks"
    return "raw" if volume.target.format == "iso" else volume.target.format


def _options(volume: VolumeDocument, preallocate: bool, secret: str) -> str:
    target = volume.target
    options = ["preallocation=metadata"] if preallocate else []
    if secret:
        options += _encrypting(volume, secret)
    if target.format == "qcow2":
        if target.compat is not None:
            options.append(f"compat={target.compat}")
        if target.cluster_size:
            options.append(f"cluster_size={target.cluster_size}")
        options += [f"{feature}=on" for feature in sorted(target.features or (), reverse=True)]
    if volume.nocow:
        options.append("nocow=on")
    return ",".join(options)


def _encrypting(volume: VolumeDocument, secret: str) -> Iterator[str]:
    encryption = volume.target.encryption
    assert encryption is not None
    prefix = "" if volume.target.format == "raw" else "encrypt."
    if prefix:
        yield "encrypt.format=luks"
    yield f"{prefix}key-secret={secret}"
    if encryption.cipher is not None:
        name, bits, mode, digest = encryption.cipher
        yield f"{prefix}cipher-alg={_escaped(name)}-{bits}"
        if mode is not None:
            yield f"{prefix}cipher-mode={_escaped(mode)}"
        if digest is not None:
            yield f"{prefix}hash-alg={_escaped(digest)}"
    if encryption.ivgen is not None:
        yield f"{prefix}ivgen-alg={_escaped(encryption.ivgen[0])}"
        if encryption.ivgen[1] is not None:
            yield f"{prefix}ivgen-hash-alg={_escaped(encryption.ivgen[1])}"


def _escaped(value: str) -> str:
    """A value among options that commas separate."""
    return value.replace(",", ",,")


def _kibibytes(size: int) -> int:
    return -(-size // 1024)
