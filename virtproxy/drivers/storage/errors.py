# SPDX-License-Identifier: LGPL-2.1-or-later
"""The storage driver's errors, with its domain on them."""

from __future__ import annotations

from virtproxy.driver import ErrorCode, ErrorDomain, VirtError


def failure(code: ErrorCode, detail: str | None = None, number: int = -1) -> VirtError:
    """An error of storage; `number` is the system's errno."""
    return VirtError.of(code, detail, domain=ErrorDomain.STORAGE, int1=number)


def invalid(detail: str) -> VirtError:
    """Not now: the object is in another state."""
    return failure(ErrorCode.OPERATION_INVALID, detail)


def invalid_argument(detail: str) -> VirtError:
    """An argument that cannot be."""
    return failure(ErrorCode.INVALID_ARG, detail)


def internal(detail: str) -> VirtError:
    """What has no better code."""
    return failure(ErrorCode.INTERNAL_ERROR, detail)


def failed(detail: str) -> VirtError:
    """It did not work."""
    return failure(ErrorCode.OPERATION_FAILED, detail)


def unsupported(detail: str) -> VirtError:
    """This kind of pool or volume cannot do that."""
    return failure(ErrorCode.NO_SUPPORT, detail)


def system(error: OSError, what: str) -> VirtError:
    """A failed system call: what was to be done, and the system's reason."""
    return failure(ErrorCode.SYSTEM_ERROR, f"{what}: {error.strerror or error}", error.errno or 0)
