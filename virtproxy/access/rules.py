# SPDX-License-Identifier: LGPL-2.1-or-later
"""The access rules that a procedure declares, taken apart.

A rule is written `kind:permission[:flags[:argument:value]]`: flags are names joined by `|`, all of which
must be set in the call's flags (none of them, after a leading `!`); the argument must equal the value
(differ from it, after a leading `!` on the value). `Call` reads these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# The public constants that rules name; each stands for a bit of `flags`, or for the value of an argument.
_CONSTANTS = {
    "VIR_DOMAIN_AFFECT_CONFIG": 2,
    "VIR_DOMAIN_AFFECT_LIVE": 1,
    "VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE": 2,
    "VIR_DOMAIN_CHECKPOINT_XML_SECURE": 1,
    "VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT": 1,
    "VIR_DOMAIN_REBOOT_GUEST_AGENT": 2,
    "VIR_DOMAIN_SAVE_IMAGE_XML_SECURE": 1,
    "VIR_DOMAIN_SHUTDOWN_GUEST_AGENT": 2,
    "VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE": 64,
    "VIR_DOMAIN_SNAPSHOT_XML_SECURE": 1,
    "VIR_DOMAIN_VCPU_GUEST": 8,
    "VIR_DOMAIN_XML_MIGRATABLE": 8,
    "VIR_DOMAIN_XML_SECURE": 1,
    "VIR_NETWORK_UPDATE_AFFECT_CONFIG": 2,
    "VIR_NETWORK_UPDATE_AFFECT_LIVE": 1,
    "VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG": 2,
    "VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE": 1,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission, and when it is needed."""

    kind: str
    permission: str
    flags: int = 0
    unset: bool = False
    argument: str = ""
    value: int = 0
    differs: bool = False

    def applies(self, args: Any) -> bool:
        """Whether a call with `args` needs the permission."""
        if self.flags:
            given = args.flags & self.flags
            if given if self.unset else given != self.flags:
                return False
        return not self.argument or (getattr(args, self.argument) == self.value) is not self.differs


@lru_cache(maxsize=1024)
def rules_of(declared: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules of an `acl` or `aclfilter`; a declaration of "none" has none."""
    return tuple(_rule(text) for text in declared if text != "none")


def _rule(text: str) -> Rule:
    kind, permission, *rest = text.split(":")
    flags = rest[0] if rest else ""
    argument, value = (rest[1], rest[2]) if len(rest) > 2 else ("", "")
    bits = 0
    for name in flags.lstrip("!").split("|") if flags else ():
        bits |= _CONSTANTS[name]
    expected = _CONSTANTS[value.lstrip("!")] if argument else 0
    return Rule(kind, permission, bits, flags.startswith("!"), argument, expected, value.startswith("!"))
