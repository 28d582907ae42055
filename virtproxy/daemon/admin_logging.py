# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvirt says of log filters and outputs that cannot be, for administrators who set them.

``admin_calls`` asks before ``log`` gets the text, which has sentences of its own for a configuration file. It must
refuse nothing that ``log`` takes.
"""

from __future__ import annotations

from virtproxy import errors
from virtproxy.daemon.log_settings import KINDS, WITH_TARGET

_LEVELS = {"1", "2", "3", "4"}


def check_filters(text: str) -> None:
    """Raise VirtError for the first filter of ``text`` that is none."""
    for word in text.split():
        level, colon, match = word.partition(":")
        if not colon:
            raise errors.invalid_arg(f"Malformed format for filter '{word}'")
        if level not in _LEVELS:
            raise errors.invalid_arg(f"Invalid priority '{level}' for filter '{word}'")
        if not match.removeprefix("+"):
            raise errors.invalid_arg(f"Invalid match string '{match}'")


def check_outputs(text: str) -> None:
    """Raise VirtError for the first output of ``text`` that is none."""
    for word in text.split():
        level, colon, rest = word.partition(":")
        kind, _, target = rest.partition(":")
        if not colon:
            raise errors.invalid_arg(f"Malformed format for log output '{word}'")
        if level not in _LEVELS:
            raise errors.invalid_arg(f"Invalid log priority '{level}' for log output '{word}'")
        if kind not in KINDS:
            raise errors.invalid_arg(f"Invalid log destination '{kind}' for log output '{word}'")
        if (kind in WITH_TARGET) != bool(target) or (rest != kind and not target):
            raise errors.invalid_arg(
                f"Log output '{word}' does not meet the format requirements for destination type '{kind}'"
            )
