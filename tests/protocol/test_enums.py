# SPDX-License-Identifier: LGPL-2.1-or-later
"""Enums, constants, errors and features agree with the constants of libvirt-python, and with themselves."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from enum import IntEnum, IntFlag

import pytest

from virtproxy.protocol import enums, errors, features
from virtproxy.protocol.enums.domain import ConnectListAllDomainsFlags
from virtproxy.protocol.enums.typed_param import TypedParameterType

DUMP = """
import json, libvirt, libvirt_qemu
names = {**vars(libvirt_qemu), **vars(libvirt)}
print(json.dumps({k: v for k, v in names.items() if k.startswith("VIR_") and isinstance(v, (int, str))}))
"""


def declared_enums() -> Iterator[tuple[str, dict[str, int]]]:
    """Every enum by its C name, members by theirs."""
    for info in pkgutil.iter_modules(enums.__path__):
        for thing in vars(importlib.import_module(f"{enums.__name__}.{info.name}")).values():
            if isinstance(thing, type) and issubclass(thing, IntEnum | IntFlag):
                found = re.match(r"(vir\w+): (VIR_\w*?_)\*", thing.__doc__ or "")
                if found:
                    yield found[1], {found[2] + name: int(member) for name, member in thing.__members__.items()}


def declared_constants() -> dict[str, object]:
    """Every other constant by its C name."""
    names = [f"{enums.__name__}.{info.name}" for info in pkgutil.iter_modules(enums.__path__)]
    modules = [importlib.import_module(name) for name in names]
    return {f"VIR_{name}": value for module in modules for name, value in vars(module).items() if name.isupper()}


@pytest.mark.conformance
def test_they_are_those_of_libvirt_python() -> None:
    done = subprocess.run(["/usr/bin/python3", "-c", DUMP], check=True, capture_output=True, text=True)
    theirs = json.loads(done.stdout)
    ours: dict[str, object] = {name: value for _, members in declared_enums() for name, value in members.items()}
    ours |= declared_constants()
    for name, code in errors.ErrorCode.__members__.items():
        ours[f"VIR_{name}" if name.startswith("WAR_") else f"VIR_ERR_{name}"] = int(code)
    ours |= {f"VIR_ERR_{name}": int(level) for name, level in errors.ErrorLevel.__members__.items()}
    ours |= {f"VIR_FROM_{name}": int(domain) for name, domain in errors.ErrorDomain.__members__.items()}
    ours |= {f"VIR_TYPED_PARAM_{name}": int(kind) for name, kind in TypedParameterType.__members__.items()}
    common = ours.keys() & theirs.keys()
    assert len(common) > 1150
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}
    # What only they have is a count of members.
    assert not [name for name in theirs.keys() - ours.keys() if not name.endswith("_LAST")]


def test_flags_combine() -> None:
    flags = ConnectListAllDomainsFlags.ACTIVE | ConnectListAllDomainsFlags.PERSISTENT
    assert flags == 5
    assert ConnectListAllDomainsFlags.ACTIVE in flags


def test_every_code_has_texts() -> None:
    assert errors.TEMPLATES.keys() == set(errors.ErrorCode)
    assert errors.TEMPLATES[errors.ErrorCode.NO_DOMAIN] == ("Domain not found", "Domain not found: %s")
    details = [detail for _, detail in errors.TEMPLATES.values() if detail is not None]
    assert all(detail.count("%s") == 1 for detail in details)
    assert errors.DOMAIN_LABELS.keys() == set(errors.ErrorDomain)


def test_the_daemon_answers_some_features_itself() -> None:
    assert features.ANSWERED_BEFORE_OPEN < features.ANSWERED_BY_DAEMON
    assert features.Feature.PROGRAM_KEEPALIVE in features.ANSWERED_BEFORE_OPEN
    assert features.SUPPORTED_BY_DRIVER["secret"] is None
