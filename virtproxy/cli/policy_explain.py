# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy policy explain`: whether a caller may call a procedure, which rule says so, and why the others do not.

`cli/policy.py` makes it a subcommand of `policy`. It decides nothing itself: the policy is asked as the daemon asks it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from virtproxy.access.claims.kinds import KEYS, KINDS
from virtproxy.access.claims.model import Claim
from virtproxy.access.decision import Decision, Thing
from virtproxy.access.policy.explain import Explanation, explain
from virtproxy.access.policy.policy import Policy
from virtproxy.access.rules import Rule, rules_of
from virtproxy.access.stricter import STRICTER
from virtproxy.cli import policy_subject
from virtproxy.cli.output import GREEN, RED, YELLOW, CommandError, paint
from virtproxy.cli.policy_file import load
from virtproxy.cli.virsh_commands import COMMANDS
from virtproxy.protocol import programs
from virtproxy.protocol.schema import Procedure
from virtproxy.toml.source import hint

_AnyProcedure = Procedure[Any, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """A permission that a call takes, and when: "" is always."""

    kind: str
    permission: str
    when: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    kinds = ", ".join(policy_subject.KINDS_OF_SUBJECTS)
    parser.add_argument("--as", dest="subjects", action="append", required=True, metavar="SUBJECT",
                        help=f"who calls: KIND:VALUE with one of {kinds}; may be given more than once")  # fmt: skip
    parser.add_argument(
        "--transport", choices=("unix", "tcp", "tls"), help="over what (default: what SUBJECT suggests)"
    )
    parser.add_argument("--address", metavar="ADDRESS", help="from where, over tcp and tls")
    parser.add_argument("--mechanism", help="the SASL mechanism that proved a sasl: subject, such as GSSAPI")
    parser.add_argument("--readonly", action="store_const", const=True, help="came by the read-only socket")
    parser.add_argument("--uri", default="qemu:///system", help="the URI that was opened (default: %(default)s)")
    parser.add_argument("--uuid", help="the object's UUID")
    parser.add_argument("--owner", metavar="OWNER", help='whose the object is: "self", or a key such as unix:alice')
    parser.add_argument("procedure", metavar="PROCEDURE",
                        help="a function (virDomainCreate), a procedure (DOMAIN_CREATE), a command of virsh (start)"
                        ", a permission (domain:start), or a claim of a document (disks:/srv/a.img)")  # fmt: skip
    parser.add_argument("object", nargs="?", metavar="OBJECT", help="a name, or KIND:NAME; a volume's is POOL/VOLUME")


def run(options: argparse.Namespace) -> int:
    """Explain; returns 0 if the call is granted, 1 if it is refused. CommandError if it cannot be told."""
    who = policy_subject.caller(
        options.subjects,
        transport=options.transport,
        address=options.address,
        sasl_mechanism=options.mechanism,
        readonly_socket=options.readonly,
    )
    policy = load(options.file)
    policy.groups_of = who.groups_of
    key, _, value = options.procedure.partition(":")
    if key in KEYS:
        return _explain_claim(options, policy, who, key, value)
    needs = _needs(options.procedure)
    asked = [(need, explain(policy, who.identity, (need.kind, need.permission), _thing(options, who, need)))
             for need in needs]  # fmt: skip
    granted = all(_may(told) for need, told in asked if not need.when)
    if options.json:
        print(json.dumps(_as_json(asked, granted, policy), indent=2))
    else:
        _tell(asked, granted, policy)
    return 0 if granted else 1


def _explain_claim(
    options: argparse.Namespace, policy: Policy, who: policy_subject.Caller, key: str, value: str
) -> int:
    """Whether a document of the caller may name a thing of the host."""
    kinds = [kind for kind in KINDS.values() if kind.key == key]
    kind = next((kind for kind in kinds if kind.path == value.startswith("/")), kinds[0])
    decision = policy.profile_of(who.identity).judge([Claim(kind.name, value, value, "")])
    granted = decision.granted and not decision.pretended
    if options.json:
        told = {"granted": granted, "rule": decision.rule, "missing": decision.missing}
        print(json.dumps(told | {"mode": "report" if policy.report else "enforce"}, indent=2))
    else:
        word = paint("granted", GREEN, sys.stdout) if granted else paint("refused", RED, sys.stdout)
        print(f"{key} {value}: {word}{_by(decision)}")
    return 0 if granted else 1


def _thing(options: argparse.Namespace, who: policy_subject.Caller, need: Need) -> Thing:
    kind, name = None, options.object
    if name is not None:
        kind, name = policy_subject.kind_and_name(name)
    owner = policy_subject.owner_of(who.identity, options.owner)
    meant = kind is None or kind == need.kind
    return policy_subject.thing(need.kind, name if meant else None, options.uri, options.uuid, owner)


def _needs(name: str) -> list[Need]:
    """Every permission that the named call takes. CommandError if nobody knows it."""
    kind, colon, permission = name.partition(":")
    if colon:
        known = {(rule.kind, rule.permission) for procedure in _procedures() for rule in _all_rules(procedure)}
        if (kind, permission) not in known:
            raise CommandError(f'there is no permission "{name}"{hint(name, [":".join(pair) for pair in known])}')
        return [Need(kind, permission)]
    found = _found(name)
    needs = dict.fromkeys(need for procedure in found for need in _needs_of(procedure))
    if not needs:
        raise CommandError(f"{name} takes no permission: everybody who is connected may call it")
    return list(needs)


def _found(name: str) -> list[_AnyProcedure]:
    functions = COMMANDS.get(name, (name,))
    plain = name.upper().replace("-", "_").removeprefix("REMOTE_PROC_")
    found = [p for function in functions for p in _procedures() if p.api == function or p.name == plain]
    if not found:
        known = [*COMMANDS, *(text for p in _procedures() for text in (p.name, p.api) if text is not None)]
        raise CommandError(f'there is no procedure, function or command "{name}"{hint(name, known)}')
    return found[:1] if name in COMMANDS else found


def _procedures() -> Iterator[_AnyProcedure]:
    for program in programs.BY_NUMBER.values():
        yield from (procedure for procedure in program.procedures.values() if not procedure.event)


def _all_rules(procedure: _AnyProcedure) -> tuple[Rule, ...]:
    return rules_of(procedure.acl) + rules_of(procedure.aclfilter)


def _needs_of(procedure: _AnyProcedure) -> Iterator[Need]:
    """First that one may know of the thing at all: without it, it is as if there were none."""
    declared = [(text, rule) for text in procedure.acl if text != "none" for rule in rules_of((text,))]
    for kind in dict.fromkeys(rule.kind for _, rule in declared if rule.kind != "connect"):
        yield Need(kind, "getattr")
    for text, rule in declared:
        yield Need(rule.kind, rule.permission, _when(text))
    for rule in STRICTER.get(procedure, ()):
        yield Need(rule.kind, rule.permission)
    for rule in rules_of(procedure.aclfilter):
        yield Need(rule.kind, rule.permission, "to be in the answer")


def _when(text: str) -> str:
    """The condition of a declared rule, in words."""
    flags, *argument = [*text.split(":")[2:], ""]
    if argument and argument[0]:
        return f"if {argument[0]} is {argument[1]}"
    if flags.startswith("!"):
        return f"without {' and '.join(flags[1:].split('|'))}"
    return f"with {' and '.join(flags.split('|'))}" if flags else ""


def _tell(asked: list[tuple[Need, Explanation]], granted: bool, policy: Policy) -> None:
    out = sys.stdout
    others = dict.fromkeys(reason for _, told in asked for reason in told.reasons if not reason.caller)
    for need, told in asked:
        word, colour = ("granted", GREEN) if _may(told) else ("refused", YELLOW if need.when else RED)
        when = f" ({need.when})" if need.when else ""
        print(f"{told.permission}{when}: {paint(word, colour, out)}{_by(told.decision)}")
        for reason in told.reasons:
            if reason.caller:
                print(f"    {'*' if reason.applies else '-'} {reason.rule}: {reason.why}")
    if others:
        print("not for this caller:")
    for reason in others:
        print(f"    - {reason.rule}: {reason.why}")
    if policy.report:
        print(f"{policy.path} is in report mode: what is refused here is only logged")
    if granted:
        print(paint("The call is granted.", GREEN, out))
    else:
        missing = [told.decision.missing for need, told in asked if not _may(told) and not need.when]
        print(paint(f"The call is refused; it lacks {', '.join(missing)}.", RED, out))


def _by(decision: Decision) -> str:
    if not decision.rule:
        return " to an admin of everything"
    return f": {decision.rule}" if decision.rule.startswith("no ") else f" by {decision.rule}"


def _may(told: Explanation) -> bool:
    """Whether the rules grant it, in whichever mode they are."""
    return told.decision.granted and not told.decision.pretended


def _as_json(asked: list[tuple[Need, Explanation]], granted: bool, policy: Policy) -> dict[str, Any]:
    return {
        "granted": granted,
        "mode": "report" if policy.report else "enforce",
        "permissions": [
            {
                "permission": told.permission,
                "when": need.when,
                "granted": _may(told),
                "rule": told.decision.rule,
                "missing": told.decision.missing,
                "rules": [{"rule": r.rule, "applies": r.applies, "why": r.why} for r in told.reasons],
            }
            for need, told in asked
        ],
    }
