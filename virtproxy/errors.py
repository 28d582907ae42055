# SPDX-License-Identifier: LGPL-2.1-or-later
"""The error that travels to a client: what a driver raises and what every refusal becomes.

Drivers, the gate, the router and the rpc layer raise or make VirtError; the rpc layer writes it on
the wire. The texts come from the error declarations, filled in as libvirt does it.
"""

from __future__ import annotations

from virtproxy.protocol.errors import TEMPLATES, ErrorCode, ErrorDomain, ErrorLevel
from virtproxy.protocol.net import NetError

# A text may hold what a client sent, and must fit into a reply with more around it. In characters.
TEXT_MAX = 65536


def _fitting(text: str | None) -> str | None:
    return text if text is None or len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}..."


class VirtError(Exception):
    """A libvirt error: code, domain, finished message and the optional rest."""

    def __init__(
        self,
        code: int,
        message: str | None,
        *,
        domain: int = ErrorDomain.NONE,
        level: int = ErrorLevel.ERROR,
        str1: str | None = None,
        str2: str | None = None,
        str3: str | None = None,
        int1: int = -1,
        int2: int = -1,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.domain = domain
        self.level = level
        self.str1, self.str2, self.str3 = str1, str2, str3
        self.int1, self.int2 = int1, int2

    @classmethod
    def of(
        cls,
        code: ErrorCode,
        detail: str | None = None,
        *,
        domain: int = ErrorDomain.NONE,
        int1: int = -1,
        int2: int = -1,
    ) -> VirtError:
        """An error with libvirt's own text for `code`, completed with `detail`.

        The template travels as str1 and the detail as str2, as clients of 11.3 see it.
        """
        plain, template = TEMPLATES[code]
        if detail is None or template is None:
            return cls(code, plain, domain=domain, str1=plain, int1=int1, int2=int2)
        text = template.replace("%s", detail)
        # A text that is nothing but the detail is no translated one, so libvirt leaves it as it is.
        marked = template if template == "%s" else template.replace("%s", "%1$s")
        return cls(code, text, domain=domain, str1=marked, str2=detail, int1=int1, int2=int2)

    def to_net(self) -> NetError:
        """The payload of an error reply."""
        return NetError(
            code=self.code,
            domain=self.domain,
            message=_fitting(self.message),
            level=self.level,
            dom=None,
            str1=_fitting(self.str1),
            str2=_fitting(self.str2),
            str3=_fitting(self.str3),
            int1=self.int1,
            int2=self.int2,
            net=None,
        )

    @classmethod
    def from_net(cls, net: NetError) -> VirtError:
        """The error that a peer sent."""
        return cls(
            net.code,
            net.message,
            domain=net.domain,
            level=net.level,
            str1=net.str1,
            str2=net.str2,
            str3=net.str3,
            int1=net.int1,
            int2=net.int2,
        )


def rpc(detail: str) -> VirtError:
    """A fault of the conversation itself (unknown procedure, broken arguments)."""
    return VirtError.of(ErrorCode.RPC, detail, domain=ErrorDomain.RPC)


def internal(detail: str, domain: int = ErrorDomain.RPC) -> VirtError:
    """Something that should not have happened, or has no better code."""
    return VirtError.of(ErrorCode.INTERNAL_ERROR, detail, domain=domain)


def no_support(api: str, domain: int = ErrorDomain.NONE) -> VirtError:
    """The driver does not have `api` (a public function's name)."""
    return VirtError.of(ErrorCode.NO_SUPPORT, api, domain=domain)


def no_connect(uri: str) -> VirtError:
    """No driver serves `uri`."""
    return VirtError.of(ErrorCode.NO_CONNECT, uri)


def invalid_arg(detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    """An argument that cannot be."""
    return VirtError.of(ErrorCode.INVALID_ARG, detail, domain=domain)


def operation_denied(detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    """A write over a read-only connection."""
    return VirtError.of(ErrorCode.OPERATION_DENIED, detail, domain=domain)


def access_denied(detail: str, domain: int = ErrorDomain.NONE) -> VirtError:
    """The caller lacks a permission."""
    return VirtError.of(ErrorCode.ACCESS_DENIED, detail, domain=domain)


def auth_failed(detail: str) -> VirtError:
    """The caller could not prove who it is."""
    return VirtError.of(ErrorCode.AUTH_FAILED, detail, domain=ErrorDomain.RPC)
