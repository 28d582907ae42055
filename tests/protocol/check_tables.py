# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare every declaration of the protocol room with tables of the interface, where they are at hand.

A developer's script: ``python tests/protocol/check_tables.py TABLES_DIR`` prints what was compared and every
difference, and exits with 1 if there is one. The tables are JSON files (remote.json, qemu.json, lxc.json,
admin.json, keepalive.json, net.json, errors.json, features.json, enums.json, acl.json) as the names used below show;
nothing of the project reads them otherwise.
"""

from __future__ import annotations

import importlib
import json
import keyword
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from pathlib import Path
from types import ModuleType
from typing import Any

from virtproxy.access import acl, details
from virtproxy.protocol import admin, common, enums, errors, features, keepalive, lxc, net, qemu, remote
from virtproxy.protocol.schema import NOT_APPLICABLE, Procedure, ReadonlyRule
from virtproxy.wire import limits
from virtproxy.wire.plan import Array, Choice, Member, Node, Opaque, Optional, Record, Text, plan_of
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Chars, Length, Max, Number

Table = dict[str, Any]

# Procedures that carry a stream although their row says none: real daemons exchange the packets.
UNSAID_STREAMS = {"DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS": "write"}


def every_struct(base: type[Struct] = Struct) -> Iterator[type[Struct]]:
    """Every class derived from Struct that has been imported."""
    for cls in base.__subclasses__():
        yield cls
        yield from every_struct(cls)


NUMBERS = {
    "int": Number("i", 4),
    "uint": Number("I", 4),
    "hyper": Number("q", 8),
    "uhyper": Number("Q", 8),
    "double": Number("d", 8),
    "char": Number("i", 4, -128, 127),
    "uchar": Number("I", 4, 0, 255),
    "ushort": Number("I", 4, 0, 65535),
}
# Types of the header file that are named differently here, where "Net" alone says whose they are.
NET_NAMES = {"NonnullDomain": "NetDomain", "NonnullNetwork": "NetNetwork", "Error": "NetError"}
LIBRARY_LIMITS = {
    "VIR_NET_MESSAGE_MAX": limits.MESSAGE_MAX,
    "VIR_NET_MESSAGE_HEADER_MAX": limits.HEADER_SIZE,
    "VIR_NET_MESSAGE_LEN_MAX": limits.LENGTH_SIZE,
    "VIR_NET_MESSAGE_STRING_MAX": limits.STRING_MAX,
    "VIR_NET_MESSAGE_NUM_FDS_MAX": limits.FDS_MAX,
    "VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX": limits.STREAM_PAYLOAD_MAX,
}

# Every struct and union of the room; what no table has is left at the end.
declared = {cls for cls in every_struct() if cls.__module__.startswith("virtproxy.protocol.")}
counts: Counter[str] = Counter()
differences: list[str] = []


def same(what: str, ours: object, theirs: object) -> None:
    """Count a comparison and note it if it fails."""
    if ours != theirs:
        differences.append(f"{what}: declared {ours!r}, table has {theirs!r}")


def snake(name: str) -> str:
    """The name of a field here: words apart, lower case, no Python keyword."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return name + "_" if keyword.iskeyword(name) else name


class File:
    """One table with types: it finds the plan of a type and what the table says of it."""

    def __init__(self, table: Table, prefix: str, module: ModuleType, base: File | None = None) -> None:
        self.table, self.prefix, self.module, self.base = table, prefix, module, base

    def owner(self, name: str) -> File:
        """The file that declares the type: this one, or the one it imports."""
        if name in self.table["types"] or self.base is None:
            return self
        return self.base

    def python_name(self, name: str) -> str:
        """The name of a type here: words joined with capitals, without the program."""
        if self.module is net:
            short = name.removeprefix("virNetMessage").removeprefix("virNet") if "StreamHole" in name else name[13:]
            return NET_NAMES.get(short, "Message" + short if short in ("Type", "Status", "Header") else short)
        return "".join(word[:1].upper() + word[1:] for word in name.removeprefix(self.prefix).split("_"))

    def expected(self, kind: Any) -> Node:
        """What the plan of a type must be, from the table alone (classes apart)."""
        if isinstance(kind, str):
            return NUMBERS[kind] if kind in NUMBERS else self.owner(kind).named(kind)
        for key, limit in (("string", None), ("opaque_var", Max), ("opaque", Length)):
            if key in kind:
                return Text(kind[key]) if limit is None else Opaque(limit(kind[key]))
        if "optional" in kind:
            return Optional(self.expected(kind["optional"]))
        bound = Max(kind["max"]) if "array_var" in kind else Length(kind["len"])
        item = kind.get("array_var", kind.get("array"))
        return Chars(bound) if item == "char" else Array(self.expected(item), bound)

    def named(self, name: str) -> Node:
        """What the plan of a named type must be."""
        entry = self.table["types"][name]
        cls = getattr(self.module, self.python_name(name), getattr(common, self.python_name(name), None))
        if entry["kind"] == "typedef":
            return self.expected(entry["type"])
        if cls is None:
            raise LookupError(f"{name}: there is no {self.python_name(name)} in {self.module.__name__}")
        if entry["kind"] == "enum":
            return Member(cls)
        if entry["kind"] == "union":
            return Choice(cls, tuple((tag, arm, self.expected(kind)) for tag, _, arm, kind in entry["cases"]))
        return Record(cls, tuple((snake(field), self.expected(kind)) for field, kind in entry["fields"]))


def check_types(file: File) -> None:
    """Compare every type of a file, recursively and with limits."""
    for name, entry in file.table["types"].items():
        counts["types"] += 1
        try:
            node = file.named(name)
        except LookupError as error:
            differences.append(str(error))
            continue
        if isinstance(node, Record | Choice):
            same(name, plan_of(node.cls), node)
            declared.discard(node.cls)
        if entry["kind"] == "struct":
            counts["fields"] += len(entry["fields"])
    for name, members in file.table["enums"].items():
        cls = getattr(file.module, file.python_name(name))
        prefix = {"remote_": "REMOTE_AUTH_", "": "VIR_NET_"}[file.prefix]
        same(name, {prefix + key: int(value) for key, value in cls.__members__.items()}, members)


def readonly_of(rule: ReadonlyRule) -> object:
    """A rule in the table's words, with numbers in place of names."""
    if rule == NOT_APPLICABLE:
        return None
    if rule.kind == "flags":
        return ("flags", rule.mask)
    if rule.kind == "field":
        return ("field", rule.field, rule.value)
    return rule.kind


def expected_readonly(rule: Any, values: dict[str, int]) -> object:
    """The table's rule with numbers in place of names."""
    if rule is None or isinstance(rule, str):
        return rule
    if "denied_with_flags" in rule:
        return ("flags", sum(values[name] for name in rule["denied_with_flags"]))
    ((field, name),) = rule["denied_when"].items()
    return ("field", snake(field), values[name])


def check_procedures(file: File, values: dict[str, int]) -> None:
    """Compare a program and every procedure and event of it, each attribute."""
    program = file.module.PROGRAM
    same(f"{program.name} number", program.number, file.table["program"])
    same(f"{program.name} version", program.version, file.table["version"])
    numbers = {row["number"] for row in file.table["procedures"]}
    same(f"{program.name} procedures", set(program.procedures), numbers)
    for row in file.table["procedures"]:
        counts["events" if row["event"] else f"{program.name} procedures"] += 1
        if row["readonly"] not in (None, "allowed"):
            how = "denied" if row["readonly"] == "denied" else "conditionally denied"
            counts[f"{program.name} procedures {how} to a read-only client"] += 1
        procedure = getattr(file.module, row["name"], None)
        same(f"{row['name']} by number", program.procedures.get(row["number"]), procedure)
        if procedure is not None:
            check_procedure(file, procedure, row, values)


def check_procedure(file: File, procedure: Procedure[Any, Any], row: Table, values: dict[str, int]) -> None:
    """Compare one procedure with its row."""

    def cls(name: str | None) -> object:
        return name and getattr(file.module, file.owner(name).python_name(name), None)

    flag = row["sparse_flag"]
    expected = {
        "number": row["number"],
        "name": row["name"],
        "event": row["event"],
        "args": cls(row["msg"] if row["event"] else row["args"]),
        "ret": cls(row["ret"]),
        "stream": row["stream"] or UNSAID_STREAMS.get(row["name"]),
        "sparse_flag": values[flag] if flag else 0,
        "fds": row["fds"],
        "high_priority": row["priority"] == "high",
        "needs_auth": True if row["event"] else row["needs_auth"],
        "family": row["driver"],
        "edge": row["intercept"],
        "api": row["api"],
        "readonly": expected_readonly(row["readonly"], values),
        "acl": tuple(row["acl"]) or (("none",) if row["event"] else ()),
        "aclfilter": tuple(row["aclfilter"]),
        "since": "9.0" if row["since_9_0"] else "11.3",
    }
    for attribute, value in expected.items():
        ours = getattr(procedure, attribute)
        if attribute == "readonly":
            ours = readonly_of(ours)
        if attribute == "family":
            ours = ours.value
        same(f"{procedure!r} {attribute}", ours, value)


def check_constants(file: File, prefix: str) -> None:
    """Compare the limits of a file by name."""
    for name, value in file.table["constants"].items():
        short = name.removeprefix(prefix)
        if short.endswith(("PROGRAM", "PROTOCOL_VERSION", "STRING_MAX")):
            continue
        counts["limits"] += 1
        same(name, getattr(file.module, short, None), value)


def check_events(table: Table) -> None:
    """Compare the map of events."""
    ours = {key: (row.modern.name, row.legacy.name if row.legacy else None) for key, row in remote.EVENTS.items()}
    same("events", ours, {(row["class"], row["id"]): (row["proc"], row["legacy_proc"]) for row in table["events"]})


def check_errors(table: Table) -> None:
    """Compare error levels, domains, codes and texts."""
    for name, cls, prefix in (("levels", errors.ErrorLevel, "VIR_ERR_"), ("domains", errors.ErrorDomain, "VIR_FROM_")):
        theirs = {key: row if isinstance(row, int) else row["value"] for key, row in table[name].items()}
        same(name, {prefix + key: int(member) for key, member in cls.__members__.items()}, theirs)
    codes = {
        ("VIR_" if key.startswith("WAR_") else "VIR_ERR_") + key: code
        for key, code in errors.ErrorCode.__members__.items()
    }
    counts["error codes"] += len(codes)
    theirs = {key: row["value"] for key, row in table["codes"].items()}
    same("codes", {key: int(code) for key, code in codes.items()}, theirs)
    for key, row in table["codes"].items():
        same(key, errors.TEMPLATES.get(codes[key]), (row["message"], row["message_info"]))
    for key, row in table["domains"].items():
        same(key, errors.DOMAIN_LABELS.get(errors.ErrorDomain[key.removeprefix("VIR_FROM_")]), row["label"])
    places = {**errors.API_DOMAINS, **errors.DAEMON_DOMAINS}
    theirs = {Path(key).stem: row for key, row in table["domain_of_source"].items()}
    same("domains of sources", {key: "VIR_FROM_" + domain.name for key, domain in places.items()}, theirs)


def check_features(table: Table) -> None:
    """Compare feature numbers and who answers them."""
    prefix = "VIR_DRV_FEATURE_"

    def names(chosen: Any) -> set[str]:
        return {prefix + feature.name for feature in chosen}

    same("features", {prefix + key: int(m) for key, m in features.Feature.__members__.items()}, table["features"])
    daemon = table["answered_by_daemon"]
    same("answered by the daemon", names(features.ANSWERED_BY_DAEMON), set(daemon))
    early = {key for key, row in daemon.items() if row["before_open"]}
    same("answered before open", names(features.ANSWERED_BEFORE_OPEN), early)
    common = {prefix + feature.name: answer for feature, answer in features.COMMON_TO_DRIVERS.items()}
    same("common to drivers", common, table["common_to_drivers"])
    ours = {key: None if row is None else names(row) for key, row in features.SUPPORTED_BY_DRIVER.items()}
    theirs = {key: None if row is None else set(row) for key, row in table["supported_by_driver"].items()}
    same("supported by driver", ours, theirs)


def check_acl(table: Table, usage_types: dict[str, int]) -> None:
    """Compare kinds, permissions, actions and details of access rules."""
    same("kinds of access rules", set(acl.KINDS), set(table["objects"]))
    for name, row in table["objects"].items():
        kind = acl.KINDS[name]
        counts["permissions"] += len(row["permissions"])
        same(f"polkit type of {name}", kind.polkit_type, row["polkit_type"])
        same(f"attributes of {name}", ["connect_driver", *kind.attributes], row["attributes"])
        ours = {key: {"action": kind.action(key), "anonymous": free} for key, free in kind.permissions.items()}
        same(f"permissions of {name}", ours, row["permissions"])
    usage = {usage_types[key]: attribute for key, attribute in table["secret_usage_attribute"].items()}
    same("attributes of secrets", details.SECRET_USAGE_ATTRIBUTE, usage)
    same("login actions", acl.LOGIN_ACTIONS, {key: row["allow_any"] for key, row in table["login_actions"].items()})


def enum_modules() -> Iterator[ModuleType]:
    """Every module of the enums package."""
    for info in pkgutil.iter_modules(enums.__path__):
        yield importlib.import_module(f"{enums.__name__}.{info.name}")


def check_enums(table: Table) -> None:
    """Compare public enums (by the C names in their docstrings), constants and string macros."""
    ours: dict[str, dict[str, int]] = {}
    plain: dict[str, object] = {}
    for module in enum_modules():
        for name, value in vars(module).items():
            is_enum = isinstance(value, type) and issubclass(value, IntEnum | IntFlag)
            if is_enum and (found := re.match(r"(vir\w+): (VIR_\w*?_)\*", value.__doc__ or "")):
                ours[found[1]] = {found[2] + key: int(member) for key, member in value.__members__.items()}
                same(f"class of {found[1]}", name, found[1].removeprefix("vir"))
            elif name.isupper():
                plain[name] = value
    parameter_type = importlib.import_module("virtproxy.protocol.enums.typed_param").TypedParameterType
    ours["virTypedParameterType"] = {"VIR_TYPED_PARAM_" + k: int(m) for k, m in parameter_type.__members__.items()}
    for name in ours.keys() | table["enums"].keys():
        counts["enums"] += 1
        same(name, ours.get(name), table["enums"].get(name))
    strings = {**table["constants"], **table["defines"]}
    counts["constants and strings"] += len(strings)
    extra = {"DOMAIN_MEMORY_STAT_NR": table["last"]["virDomainMemoryStatTags"]}
    same("constants and strings", plain, {key.removeprefix("VIR_"): value for key, value in strings.items()} | extra)
    for name, last in table["last"].items():
        if name != "virDomainMemoryStatTags":
            same(f"last of {name}", max(ours[name].values()) + 1, last)


def main(directory: Path) -> int:
    """Run every comparison; return the exit status."""
    tables = {path.stem: json.loads(path.read_text()) for path in directory.glob("*.json")}
    values = {key: number for members in tables["enums"]["enums"].values() for key, number in members.items()}
    base = File(tables["remote"], "remote_", remote)
    files = [base, File(tables["net"], "", net), File(tables["admin"], "admin_", admin)]
    files += [File(tables[module.PROGRAM.name], f"{module.PROGRAM.name}_", module, base) for module in (qemu, lxc)]
    files += [File(tables["keepalive"], "keepalive_", keepalive)]
    for file in files:
        check_types(file)
        if file.module is not net:
            check_procedures(file, values)
            check_constants(file, file.prefix.upper())
    for name, value in LIBRARY_LIMITS.items():
        same(name, value, tables["net"]["constants"][name])
    check_events(tables["remote"])
    check_errors(tables["errors"])
    check_features(tables["features"])
    check_acl(tables["acl"], tables["enums"]["enums"]["virSecretUsageType"])
    check_enums(tables["enums"])
    same("types that no table has", declared, set())
    print(", ".join(f"{number} {what}" for what, number in counts.items()))
    print("\n".join(differences) or "no difference")
    return 1 if differences else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} TABLES_DIR")
    sys.exit(main(Path(sys.argv[1])))
