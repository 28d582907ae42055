# SPDX-License-Identifier: LGPL-2.1-or-later
"""The CPU models that libvirt knows, by architecture, from the list that the distribution's libvirt installs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from virtproxy.documents.markup import parse
from virtproxy.driver import Call, ErrorCode, ErrorDomain, VirtError, implements, remote
from virtproxy.drivers.test.host import TestHost

INDEX = Path("/usr/share/libvirt/cpu_map/index.xml")
# Where the list has an architecture's models; those with "" have models of the host's only, and none in a list.
LISTED = {
    "i686": "x86", "x86_64": "x86", "ppc64": "ppc64", "ppc64le": "ppc64", "armv6l": "", "armv7l": "", "armv7b": "",
    "aarch64": "", "s390": "", "s390x": "", "riscv64": "",
}  # fmt: skip
WITHOUT_MODELS = frozenset({
    "alpha", "cris", "ia64", "lm32", "m68k", "microblaze", "microblazeel", "mips", "mipsel", "mips64", "mips64el",
    "parisc", "parisc64", "ppc", "ppcle", "ppcemb", "riscv32", "sh4", "sh4eb", "sparc", "sparc64",
    "unicore32", "xtensa", "xtensaeb",
})  # fmt: skip
_NO_MODELS = ("vendors", "features")


class CpuModels(TestHost):
    """Names of models."""

    @implements(remote.CONNECT_GET_CPU_MODEL_NAMES)
    async def cpu_models(
        self, call: Call, args: remote.ConnectGetCpuModelNamesArgs
    ) -> remote.ConnectGetCpuModelNamesRet:
        call.check_flags(args.flags)
        if args.arch in WITHOUT_MODELS:
            detail = f"'{args.arch}' architecture is not supported by CPU driver"
            raise VirtError.of(ErrorCode.NO_SUPPORT, detail, domain=ErrorDomain.CPU)
        if args.arch not in LISTED:
            raise call.error(ErrorCode.INVALID_ARG, f"cannot find architecture {args.arch}")
        models = list(await self.place.blocking(models_of, LISTED[args.arch]))
        return remote.ConnectGetCpuModelNamesRet(models=models, ret=len(models))


@cache
def models_of(family: str) -> tuple[str, ...]:
    """The models of a family in the list's order. It reads a file; VirtError SYSTEM_ERROR if that is not there.

    Each model has a file of its own, named after the family and the model.
    """
    if not family:
        return ()
    try:
        root = parse(INDEX.read_text(encoding="utf-8"))
    except OSError as error:
        detail = f"cannot read {INDEX}, which Debian's libvirt0 has: {error.strerror}"
        raise VirtError.of(ErrorCode.SYSTEM_ERROR, detail, domain=ErrorDomain.CPU) from None
    files = (
        each.attributes.get("filename", "").removeprefix(f"{family}_").removesuffix(".xml")
        for arch in root.elements
        if arch.attributes.get("name") == family
        for each in arch.elements
    )
    return tuple(name for name in files if name and name not in _NO_MODELS)
