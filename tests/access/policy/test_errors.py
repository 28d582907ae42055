# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that can be wrong with a policy: on which line, and in which words."""

from __future__ import annotations

import textwrap

import pytest

from tests.access.policy.examples import PATH
from virtproxy.access.policy.document import compile_policy
from virtproxy.access.policy.source import PolicyError

GRANT = '[[grant]]\nto = "everyone"\n'

# The text, and what is said of it: the line and a part of the sentence.
BROKEN: dict[str, tuple[str, int, str]] = {
    "no TOML": ("[[grant]]\nto = everyone\n", 2, "is not TOML: Invalid value"),
    "cut short": ('[[grant]]\nto = ["everyone"\n', 2, "is not TOML: Unclosed array"),
    "a key twice": ('mode = "report"\n\nmode = "enforce"\n', 3, "Cannot overwrite a value"),
    "unknown section": (f"{GRANT}roles = 'admin'\n[[grants]]\n", 4, 'no key "grants" here; did you mean grant?'),
    "unknown key": (f"{GRANT}role = 'admin'\n", 3, 'no key "role" here; did you mean roles?'),
    "unknown mode": ("\nmode = 'dry-run'\n", 2, 'mode is "enforce" or "report", not "dry-run"'),
    "mode of a wrong type": ("mode = 1\n", 1, "mode must be a string, not 1"),
    "one bracket": ("[grant]\nto = 'everyone'\n", 1, "must be written [[grant]], in double brackets"),
    "grant that is no table": ("grant = ['a']\n", 1, 'must be a table of to, except, roles, permissions, on, not "a"'),
    "grant to nobody": ("[[grant]]\nroles = 'admin'\n", 1, "has no `to`"),
    "grant of nothing": (GRANT, 1, "grants nothing"),
    "empty list": ("[[grant]]\nto = []\nroles = 'admin'\n", 2, "to is an empty list"),
    "empty name": ("[[grant]]\nto = ''\nroles = 'admin'\n", 2, "to holds an empty string"),
    "number for a name": ("[[grant]]\nto = [\n 'everyone',\n 5 ]\nroles = 'admin'\n", 4, "to takes strings, not 5"),
    "control character": (f'{GRANT}roles = "adm\\u0000in"\n', 3, "roles holds a character that cannot be printed"),
    "unknown subject": (
        "[[grant]]\nto = 'opps'\nroles = 'admin'\n[subjects.ops]\nuser = 'a'\n",
        2,
        "did you mean ops?",
    ),
    "a user without user:": ("[[grant]]\nto = 'alice'\nroles = 'admin'\n", 2, "write user:NAME for a user"),
    "unknown kind of subject": ("[[grant]]\nto = 'usr:alice'\nroles = 'admin'\n", 2, "did you mean user?"),
    "subject without a value": ("[[grant]]\nto = 'user:'\nroles = 'admin'\n", 2, '"user:" names nobody'),
    "uid that is no number": ("[[grant]]\nto = 'uid:alice'\nroles = 'admin'\n", 2, 'uid takes numbers, not "alice"'),
    "uid of a wrong type": ("[subjects.a]\nuid = [0,\n '1']\n", 3, 'uid takes numbers, not "1"'),
    "pattern of users": ("[subjects.a]\nuser = 'al*'\n", 2, "user takes no patterns"),
    "unknown transport": ("[subjects.a]\ntransport = 'ssl'\n", 2, "transport is one of unix, tcp, tls"),
    "bad network": ("[subjects.a]\naddress = '10.0.0.0/33'\n", 2, '"10.0.0.0/33" is no network'),
    "network with host bits": ("[subjects.a]\naddress = '10.0.0.1/8'\n", 2, "has host bits set"),
    "SAN without its kind": ("[subjects.a]\nsan = 'host.example'\n", 2, 'san is written "DNS:NAME"'),
    "subject of nobody": ("[subjects.a]\n", 1, "it names nobody"),
    "subject of no ways": ("[subjects]\na = []\n", 2, 'subject "a" is empty'),
    "everyone is false": ("[subjects.a]\neveryone = false\n", 2, "everyone can only be true"),
    "reserved name": ("[subjects.user]\nuser = 'a'\n", 1, "it has a meaning of its own"),
    "odd name": ("[subjects.'a b']\nuser = 'a'\n", 1, "it may hold letters"),
    "circle of subjects": (
        "[subjects.a]\nsubject = 'b'\n[subjects.b]\nsubject = 'a'\n[[grant]]\nto = 'a'\nroles = 'admin'\n",
        4,
        'subject "a" is defined by itself: "a -> b"',
    ),
    "chain of subjects": (
        "".join(f"[subjects.s{n}]\nsubject = 's{n + 1}'\n" for n in range(2000)) + "[subjects.s2000]\nuser = 'a'\n",
        32,
        "subjects are made of one another more than 16 deep",
    ),
    "chain of roles": (
        "".join(f"[roles.r{n}]\ninherits = 'r{n + 1}'\n" for n in range(2000)) + "[roles.r2000]\ninherits = 'admin'\n",
        32,
        "roles are made of one another more than 16 deep",
    ),
    "unknown key of a subject": ("[subjects.a]\nusers = 'a'\n", 2, "did you mean user?"),
    "readonly of a wrong type": ("[subjects.a]\nreadonly = 'yes'\n", 2, 'readonly must be true or false, not "yes"'),
    "subjects that are no tables": ("subjects = 1\n", 1, "must be tables [subjects.NAME], not 1"),
    "unknown role": (f"{GRANT}roles = ['viewer',\n  'operater']\n", 4, 'no role "operater"; did you mean operator?'),
    "ready-made role again": ("[roles.admin]\npermissions = '*:*'\n", 1, "role admin is ready-made"),
    "role of nothing": ("[roles.a]\n", 1, 'role "a" has no permissions'),
    "circle of roles": ("[roles.a]\ninherits = 'b'\n[roles.b]\ninherits = 'a'\n", 4, 'role "a" inherits itself'),
    "role inherits owner": (
        "[roles.a]\ninherits = ['viewer', 'owner']\n",
        2,
        "it inherits owner, which counts on owned things alone: say owned = true",
    ),
    "unknown permission": (f"{GRANT}permissions = 'domain:strt'\n", 3, 'no permission "strt"; did you mean start?'),
    "permission of an unknown kind": (f"{GRANT}permissions = 'domian:start'\n", 3, "did you mean domain?"),
    "permission without a kind": (f"{GRANT}permissions = 'start'\n", 3, "is no permission; one is written"),
    "negative permission": (f"{GRANT}permissions = '!domain:start'\n", 3, "write a [[deny]]"),
    "unknown kind of things": (f"{GRANT}roles = 'admin'\non = 'domains:web*'\n", 4, "did you mean domain?"),
    "thing without a name": (f"{GRANT}roles = 'admin'\non = 'domain:'\n", 4, '"domain:" names nothing'),
    "unknown key of things": (f"{GRANT}roles = 'admin'\non = [{{\n}}]\n", 4, "is not TOML"),
    "things without a condition": (f"{GRANT}roles = 'admin'\non = [{{}}]\n", 4, "leave `on` out for everything"),
    "misspelt key of things": (f"{GRANT}roles = 'admin'\non = {{ names = 'a' }}\n", 4, "did you mean name?"),
    "bad UUID": (f"{GRANT}roles = 'admin'\non = {{ uuid = '8c1c5d64' }}\n", 4, '"8c1c5d64" is no UUID such as'),
    "owned of a wrong type": (f"{GRANT}roles = 'admin'\non = {{ owned = 1 }}\n", 4, "owned must be true or false"),
    "deny of nothing": ("[[deny]]\nto = 'everyone'\n", 1, "denies nothing"),
    "deny of a role": ("[[deny]]\nto = 'everyone'\nroles = 'admin'\n", 3, 'no key "roles" here'),
    "documents of nothing": ("[[documents]]\nto = 'everyone'\n", 1, "allows nothing"),
    "unknown claim": ("[[documents]]\nto = 'everyone'\ndisk = '/srv/**'\n", 3, "did you mean disks?"),
    "relative path": ("[[documents]]\nto = 'everyone'\ndisks = 'srv/**'\n", 3, "must begin with a slash"),
    "path with a slash at its end": ("[[documents]]\nto = 'everyone'\ndisks = '/srv/'\n", 3, "write /** for all"),
    "path with dots": ("[[documents]]\nto = 'everyone'\ndisks = ['/a',\n '/srv/../x']\n", 4, 'the parts "." and ".."'),
    "stars within a name": ("[[documents]]\nto = 'everyone'\ndisks = '/srv/a**'\n", 3, '"**" must stand alone'),
    "claim refused": ("[[documents]]\nto = 'everyone'\nbridges = false\n", 3, "what is not granted is refused"),
    "claim of a wrong type": ("[[documents]]\nto = 'everyone'\nbridges = 1\n", 3, "bridges takes strings, not 1"),
    "quota of nothing": ("[[quota]]\nto = 'everyone'\n", 1, "limits nothing: give it one of guests, vcpus"),
    "negative quota": ("[[quota]]\nto = 'everyone'\nguests = -1\n", 3, "guests must be a whole number from 0, not -1"),
    "quota of a wrong type": ("[[quota]]\nto = 'everyone'\nguests = true\n", 3, "a whole number from 0, not true"),
    "size without a unit": ("[[quota]]\nto = 'everyone'\nmemory = 16\n", 3, 'such as "16GiB", not 16'),
    "unknown unit": ("[[quota]]\nto = 'everyone'\nmemory = '16gigs'\n", 3, '"16gigs" is no size such as'),
    "a huge number": (f"[[quota]]\nto = 'everyone'\nguests = {'9' * 5000}\n", 0, "is not TOML: Exceeds the limit"),
    "nested too deeply": (f"mode = {'[' * 5000}\n", 0, "is nested too deeply"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said_with_its_line(name: str) -> None:
    text, line, said = BROKEN[name]
    with pytest.raises(PolicyError) as refused:
        compile_policy(PATH, text.encode())
    problems = [(problem.line, problem.text) for problem in refused.value.problems]
    assert any(where == line and said in what for where, what in problems), problems
    assert all(len(what) < 300 and what.isprintable() for _, what in problems)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = textwrap.dedent(
        """\
        mode = "off"
        [[grant]]
        to = "nobody-knows"
        roles = ["viewer", "superuser"]
        [[deny]]
        to = "everyone"
        permissions = ["domain:fly"]
        """
    )
    with pytest.raises(PolicyError) as refused:
        compile_policy(PATH, text.encode())
    assert [problem.line for problem in refused.value.problems] == [1, 3, 4, 7]
    assert str(refused.value).startswith(f'{PATH}:1: mode is "enforce" or "report", not "off" (and 3 more: ')


def test_text_that_is_not_utf_8() -> None:
    with pytest.raises(PolicyError, match=r"policy\.toml:2: is not UTF-8 text"):
        compile_policy(PATH, b"# \xc3\xa9\n# \xe9\n")


# The text, and what is warned of.
ODD: dict[str, tuple[str, int, str]] = {
    "nothing is granted": ("", 0, "all calls will be refused"),
    "no admin": (f"{GRANT}roles = 'viewer'\n", 0, "nobody is an admin of everything"),
    "unused subject": (f"[subjects.a]\nuser = 'a'\n{GRANT}roles = 'admin'\n", 1, 'no rule is for subject "a"'),
    "unused role": (f"[roles.a]\ninherits = 'viewer'\n{GRANT}roles = 'admin'\n", 1, 'no rule grants role "a"'),
    "taken away": (
        f"{GRANT}permissions = 'domain:start'\n[[deny]]\nto = 'everyone'\npermissions = 'domain:*'\n",
        1,
        "can never grant anything: policy.toml:4 deny to everyone takes it all away",
    ),
    "twice": (f"{GRANT}roles = 'viewer'\n{GRANT}roles = 'viewer'\n", 4, "says the same as policy.toml:1 grant viewer"),
    "permissions of other things": (
        f"{GRANT}permissions = 'domain:start'\non = ['domain:a',\n 'network:b']\n",
        5,
        "none of the permissions here is about network",
    ),
    "admin of some things": (f"{GRANT}roles = 'admin'\non = 'domain:web*'\n", 4, "add a [[documents]]"),
    "without getattr": (
        f"{GRANT}permissions = 'domain:start'\n",
        1,
        "is of no use to those who lack connect:getattr, domain:getattr, and no rule for them grants it",
    ),
    "owners without documents": (f"{GRANT}roles = 'owner'\n", 0, "yet has no [[documents]]"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_warned_of(name: str) -> None:
    text, line, said = ODD[name]
    warnings = [(problem.line, problem.text) for problem in compile_policy(PATH, text.encode()).warnings]
    assert any(where == line and said in what for where, what in warnings), warnings


def test_a_sound_policy_is_not_warned_of() -> None:
    text = "[subjects.ops]\ngroup = 'ops'\n[[grant]]\nto = 'user:root'\nroles = 'admin'\n"
    text += "[[grant]]\nto = 'ops'\nroles = 'operator'\non = ['domain:web*', 'network']\n"
    text += "[[grant]]\nto = 'ops'\npermissions = 'domain:snapshot'\n"
    assert compile_policy(PATH, text.encode()).warnings == ()
