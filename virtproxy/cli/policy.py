# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy policy`: check a policy, ask it who may do what and why, see the ready-made roles, write a first one.

cli/main.py makes it a subcommand. It changes nothing but the file that `init` writes, and asks no daemon.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from virtproxy.access.policy.load import PolicyError, load_policy
from virtproxy.access.policy.permissions import PERMISSIONS, expand
from virtproxy.access.policy.policy import Policy
from virtproxy.access.policy.roles import BUILT_IN, Role
from virtproxy.access.policy.rules import Deny, Documents, Grant, QuotaRule, Rule
from virtproxy.access.policy.things import Things
from virtproxy.cli import policy_explain
from virtproxy.cli.output import BOLD, RED, YELLOW, CommandError, Narrator, paint
from virtproxy.cli.policy_file import DEFAULT, policy_path
from virtproxy.cli.policy_template import TEMPLATE
from virtproxy.toml.source import Problem

_EPILOG = """\
examples:
  virtproxy policy init                                  a first policy in /etc/libvirt, commented
  virtproxy policy check                                 what is wrong with it, and who has what
  virtproxy policy explain --as unix:alice start web1    may alice start web1, and why (not)?
  virtproxy policy explain --as sasl:bob --owner self virDomainUndefine domain:test
  virtproxy policy explain --as x509:'O=Example,CN=ci' --address 10.1.2.3 domain:read_secure db1
  virtproxy policy roles                                 the ready-made roles

Without --file it is the file that policy_file of virtproxyd.conf names, or /etc/libvirt/virtproxy-policy.toml.
Exit status: 0 good or granted, 1 wrong or refused.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="policy_command", required=True, metavar="WHAT")
    check = _command(commands, "check", "say what is wrong with a policy, and who has what")
    check.add_argument("file", nargs="?", metavar="FILE", help="the policy")
    explain = _command(commands, "explain", "say whether somebody may do something, and why")
    explain.add_argument("--file", metavar="FILE", help="the policy")
    policy_explain.add_arguments(explain)
    _command(commands, "roles", "print the ready-made roles and their permissions")
    init = commands.add_parser("init", help="write a first policy", description="Write a first policy, commented.")
    init.add_argument("file", nargs="?", default=DEFAULT, metavar="FILE", help="where (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Do what the options say; returns the exit status. CommandError says why it could not."""
    actions = {"check": _check, "explain": policy_explain.run, "roles": _roles, "init": _init}
    return actions[options.policy_command](options)


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    return parser


def _check(options: argparse.Namespace) -> int:
    path = policy_path(options.file)
    policy: Policy | None = None
    errors: tuple[Problem, ...] = ()
    try:
        policy = load_policy(path)
    except PolicyError as error:
        errors = error.problems
    warnings = policy.warnings if policy is not None else ()
    if options.json:
        found = {"file": path, "errors": _as_json(errors), "warnings": _as_json(warnings)}
        print(json.dumps(found | ({} if policy is None else _summary(policy)), indent=2))
        return 1 if errors else 0
    for kind, colour, problems in (("error", RED, errors), ("warning", YELLOW, warnings)):
        for problem in problems:
            print(problem.at(path).replace(": ", f": {paint(kind, colour, sys.stdout)}: ", 1))
    if policy is not None:
        _tell(policy)
    return 1 if errors else 0


def _as_json(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    return [{"line": problem.line, "text": problem.text} for problem in problems]


def _summary(policy: Policy) -> dict[str, Any]:
    return {
        "mode": "report" if policy.report else "enforce",
        "rules": [
            {"line": rule.line, "kind": type(rule).__name__.lower(), "to": rule.names, "what": _what(rule)}
            for rule in policy.rules
        ],
    }


def _tell(policy: Policy) -> None:
    mode = "is in report mode: it refuses nothing" if policy.report else "is in force as it stands"
    print(f"{policy.path}: no errors; it {mode}.")
    by_name: dict[str, list[Rule]] = {}
    for rule in policy.rules:
        by_name.setdefault(rule.names, []).append(rule)
    for names, rules in by_name.items():
        print(f"\n{paint(names, BOLD, sys.stdout)}")
        for rule in rules:
            print(f"  {rule.line:>4}  {_what(rule)}")


def _what(rule: Rule) -> str:
    """What a rule says, in a line."""
    if isinstance(rule, Grant):
        parts = [role.name for role in rule.roles] + ([_permissions(rule.permissions)] if rule.permissions else [])
        return f"has {', '.join(parts)}{_on(rule.on)}"
    if isinstance(rule, Deny):
        return f"never has {_permissions(rule.permissions)}{_on(rule.on)}"
    if isinstance(rule, Documents):
        keys = [key if globs is None else f"{key} {', '.join(glob.written for glob in globs)}"
                for key, globs in rule.allowed.items()]  # fmt: skip
        return "documents may name " + ("anything" if rule.all else "; ".join(keys))
    assert isinstance(rule, QuotaRule)
    return "may own " + ", ".join(f"{most} {measure}" for measure, most in rule.limits.items())


def _on(on: tuple[Things, ...]) -> str:
    return f" on {'; '.join(map(str, on))}" if on else ""


def _permissions(found: frozenset[tuple[str, str]]) -> str:
    """The permissions as patterns, whole kinds in one."""
    told = []
    for kind, names in PERMISSIONS.items():
        have = [name for name in names if (kind, name) in found]
        told += [f"{kind}:*"] if len(have) == len(names) else [f"{kind}:{name}" for name in have]
    whole = len(told) == len(PERMISSIONS) and all(text.endswith(":*") for text in told)
    return "*:*" if whole else " ".join(told)


def _roles(options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({name: _role_as_json(role) for name, role in BUILT_IN.items()}, indent=2))
        return 0
    tell = Narrator()
    for name, role in BUILT_IN.items():
        tell.line(f"{paint(name, BOLD, sys.stdout)}: {role.summary}")
        for kind in PERMISSIONS:
            have = role_line(role, kind)
            if have:
                tell.line(f"  {kind:<17} {have}")
        tell.line()
    return 0


def role_line(role: Role, kind: str) -> str:
    """The permissions of a role on one kind, "all" for every one."""
    have = [name for name in PERMISSIONS[kind] if (kind, name) in role.permissions]
    if len(have) == len(PERMISSIONS[kind]):
        return "all"
    if kind == "connect":
        searches = expand("connect:search_*")
        if searches <= role.permissions:
            have = [*(name for name in have if (kind, name) not in searches), "search_*"]
    return " ".join(have)


def _role_as_json(role: Role) -> dict[str, Any]:
    permissions = sorted(f"{kind}:{name}" for kind, name in role.permissions)
    return {"summary": role.summary, "owned": role.owned, "documents": role.documents, "permissions": permissions}


def _init(options: argparse.Namespace) -> int:
    path = Path(options.file)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(f"{path} is there already; it is left as it is") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(TEMPLATE)
    tell = Narrator()
    tell.done(f"wrote {path}")
    tell.note(f'change it, try it with "virtproxy policy check {path}", and name it in virtproxyd.conf:')
    tell.line(f'      policy_file = "{path.absolute()}"')
    return 0
