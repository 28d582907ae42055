# SPDX-License-Identifier: LGPL-2.1-or-later
"""One call as a driver's method sees it: who asks, over what, and whether they may.

The local backend makes a `Call` per request and asks it afterwards whether the method checked what the
procedure declares. Everything about the caller is in here; nothing is ambient.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

from virtproxy.access.decision import Access, EveryoneMay
from virtproxy.access.rules import Rule
from virtproxy.driver.checks import checks_of
from virtproxy.driver.stream import Stream
from virtproxy.errors import VirtError, access_denied, internal
from virtproxy.identity import Identity
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure

T = TypeVar("T")


class Call:
    """The circumstances of one call."""

    __slots__ = (
        "_authorized", "_filtered", "_stream", "access", "args", "cancelled", "driver", "error_domain", "fds",
        "identity", "procedure", "readonly", "uri",
    )  # fmt: skip

    def __init__(
        self,
        procedure: Procedure[Any, Any],
        args: Any,
        *,
        driver: str,
        error_domain: ErrorDomain,
        identity: Identity,
        readonly: bool,
        uri: str,
        access: Access,
        fds: tuple[int, ...] = (),
    ) -> None:
        self.procedure = procedure
        self.args = args
        self.driver = driver
        self.error_domain = error_domain
        self.identity = identity
        self.readonly = readonly
        self.uri = uri
        self.access = access
        self.fds = fds
        # The client left, or the daemon ends: for threads, which cannot be cancelled.
        self.cancelled = False
        self._stream: Stream | None = None
        self._authorized = False
        self._filtered = False

    @property
    def stream(self) -> Stream:
        """The stream that the call opens; RuntimeError for a procedure that is declared without one."""
        if self._stream is None:
            raise RuntimeError(f"{self.procedure.name} has no stream")
        return self._stream

    def open_stream(self, stream: Stream) -> None:
        """The local backend has a stream for this call."""
        self._stream = stream

    def authorize(self, subject: object) -> None:
        """Raise VirtError ACCESS_DENIED unless the caller has what the procedure's acl asks for on `subject`."""
        self._authorized = True
        for rule in checks_of(self.procedure).subject:
            if rule.applies(self.args) and not self._permits(rule, subject):
                raise self._denied()

    def authorize_connection(self) -> None:
        """The same for the rules about the connection itself; the local backend does it before the method."""
        for rule in checks_of(self.procedure).connection:
            if rule.applies(self.args) and not self._permits(rule, None):
                raise self._denied()

    def visible(self, subjects: Iterable[T]) -> list[T]:
        """Those of `subjects` that the caller may know of, by the procedure's aclfilter."""
        self._filtered = True
        rules = checks_of(self.procedure).sight
        if type(self.access) is EveryoneMay or not rules:
            return list(subjects)
        return [subject for subject in subjects if all(self._permits(rule, subject) for rule in rules)]

    def check_complete(self) -> None:
        """Raise VirtError if the method did not check what the procedure declares: its reply must not leave."""
        checks = checks_of(self.procedure)
        if checks.subject and not self._authorized:
            raise self._unchecked("authorize")
        if checks.filters and not self._filtered:
            raise self._unchecked("visible")
        if self._stream is not None and self._stream.work is None:
            raise self._unchecked("stream.serve")

    def check_flags(self, flags: int, *allowed: int) -> None:
        """Raise VirtError INVALID_ARG if `flags` has a bit that is in none of `allowed`."""
        unknown = flags
        for bits in allowed:
            unknown &= ~bits
        if unknown:
            # As libvirt calls its own functions: testDomainSave, but secretSetValue.
            function = self.driver + (self.procedure.api or "").removeprefix("vir").removeprefix(self.driver.title())
            raise VirtError(
                ErrorCode.INVALID_ARG, f"unsupported flags (0x{unknown:x}) in function {function}",
                domain=self.error_domain, str1=function, str2="flags", int1=0, int2=0,
            )  # fmt: skip

    def error(self, code: ErrorCode, detail: str | None = None) -> VirtError:
        """An error of this driver's own, with libvirt's text for `code`."""
        return VirtError.of(code, detail, domain=self.error_domain)

    def take_fds(self) -> tuple[int, ...]:
        """The descriptors that came with the call; from now on the caller of this closes them."""
        taken, self.fds = self.fds, ()
        return taken

    def close_fds(self) -> None:
        """Close the descriptors that nobody took."""
        for fd in self.take_fds():
            os.close(fd)

    def _permits(self, rule: Rule, subject: object) -> bool:
        return self.access.permits(self.identity, self.driver, rule.kind, rule.permission, subject)

    def _denied(self) -> VirtError:
        return access_denied(f"'{self.driver}' denied access", self.error_domain)

    def _unchecked(self, missing: str) -> VirtError:
        detail = f"driver '{self.driver}' served {self.procedure.name} without call.{missing}"
        return internal(detail, self.error_domain)


def _function(driver: str, api: str) -> str:
    """What libvirt calls a driver's part of a public function: testDomainSave, but storagePoolBuild."""
    rest = api.removeprefix("vir")
    return driver + (rest[len(driver) :] if rest.lower().startswith(driver) else rest)
