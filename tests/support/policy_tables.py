# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of docs/policy.md, as they follow from the code. Run it to have them written into the page anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conformance.policy_roles import as_markdown
from virtproxy.access.claims.kinds import KEYS, KINDS
from virtproxy.access.policy.permissions import PERMISSIONS
from virtproxy.access.policy.roles import BUILT_IN
from virtproxy.cli.policy import role_line

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"


def roles() -> str:
    """Which permissions each ready-made role has, by kind."""
    lines = ["| kind | " + " | ".join(BUILT_IN) + " |", "|" + " --- |" * (len(BUILT_IN) + 1)]
    for kind in PERMISSIONS:
        cells = [role_line(role, kind) or "-" for role in BUILT_IN.values()]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def permissions() -> str:
    """All permissions."""
    rows = [f"| {kind} | {' '.join(names)} |" for kind, names in PERMISSIONS.items()]
    return "\n".join(["| kind | permissions |", "| --- | --- |", *rows])


def claims() -> str:
    """What documents can name, by key."""
    lines = ["| key | what | patterns of | such as |", "| --- | --- | --- | --- |"]
    for key in KEYS:
        kinds = [kind for kind in KINDS.values() if kind.key == key]
        what, such = ", ".join(kind.phrase for kind in kinds), ", ".join(kind.example for kind in kinds)
        form = " and ".join(dict.fromkeys("paths" if kind.path else "words" for kind in kinds))
        lines.append(f"| `{key}` | {what} | {form} | {such} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    "roles": roles,
    "permissions": permissions,
    "claims": claims,
    "commands": lambda: as_markdown().strip(),
}


def filled(page: str) -> str:
    """The page with each table between its marks as it should be."""
    for name, table in TABLES.items():
        before, mark, rest = page.partition(f"<!-- table: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert mark and end, f"docs/policy.md has no place for the table of {name}"
        page = f"{before}{mark}{table()}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
