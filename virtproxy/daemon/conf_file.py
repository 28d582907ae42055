# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configuration file that each daemon comes with: every setting it has, explained, with its default.

Called by ``virtproxy install`` and by ``python -m virtproxy.daemon.written``, which keeps conf/ up to date. The text
is templates/settings.conf, once for all daemons; which settings a daemon has and what their defaults are is in
``keys``. It must write nothing.

The template is paragraphs with blank lines between. A line ``#name = value`` is a setting; a paragraph whose settings
the daemon all lacks is left out. A line that begins with ``@KIND `` is only for daemons of that kind (monolithic,
proxy, network: those with TCP and TLS, local: the others), and ``@name@`` stands for a word of the daemon's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import resources

from virtproxy.daemon.catalogue import Kind, Row
from virtproxy.daemon.keys import Default, Key, keys_of

_SETTING = re.compile(r"#([a-z_]+) = (.*)")
_MARKED = re.compile(r"@([a-z]+) ?(.*)")
_HEADING = "## "
_KINDS: dict[str, Callable[[Row], bool]] = {
    "proxy": lambda row: row.kind is Kind.PROXY,
    "monolithic": lambda row: row.kind is Kind.MONOLITHIC,
    "network": lambda row: row.listens_on_network,
    "local": lambda row: not row.listens_on_network,
}
# Settings whose line shows an example or says something about the default instead of being it.
_SHOWN = frozenset({"unix_sock_dir", "key_file", "cert_file", "ca_file", "crl_file", "access_drivers", "tcp_min_ssf"})


def template(name: str) -> str:
    """Return the text of one of the files in templates/."""
    return (resources.files("virtproxy.daemon") / "templates" / name).read_text(encoding="utf-8")


def conf_file(row: Row) -> str:
    """Return the text of the configuration file that ``row``'s daemon comes with."""
    keys, parts = keys_of(row), [list[str]()]
    for paragraph in re.split(r"\n{2,}", template("settings.conf").strip("\n")):
        lines = _lines(paragraph, row, keys)
        if not lines:
            continue
        if lines[0].startswith(_HEADING):
            parts.append([])
        parts[-1].append("\n".join(lines))
    sections = ["\n\n".join(part) for part in parts if len(part) > 1 or not part[0].startswith(_HEADING)]
    return "\n\n\n".join(sections) + "\n"


def _lines(paragraph: str, row: Row, keys: dict[str, Key]) -> list[str]:
    """The lines of a paragraph that are for ``row``; none if it is about settings that the daemon lacks."""
    lines: list[str] = []
    had = lacks = False
    for line in _meant_for(row, paragraph):
        setting = _SETTING.fullmatch(line)
        if setting is not None and setting[1] not in keys:
            lacks = True
            continue
        had |= setting is not None
        lines.append(_worded(line, row) if setting is None else _set(keys[setting[1]], setting[2], row))
    return lines if had or not lacks else []


def _meant_for(row: Row, paragraph: str) -> Iterator[str]:
    for line in paragraph.splitlines():
        marked = _MARKED.match(line)
        if marked is None:
            yield line
        elif _KINDS[marked[1]](row):
            yield marked[2]


def _worded(line: str, row: Row) -> str:
    return line.replace("@daemon@", row.name).replace("@socket@", row.socket_prefix)


def _set(key: Key, shown: str, row: Row) -> str:
    default = key.default_of(row)
    if default is None or key.name in _SHOWN:
        return f"#{key.name} = {_worded(shown, row)}"
    return f"#{key.name} = {_value(default)}"


def _value(default: Default) -> str:
    if isinstance(default, str):
        return f'"{default}"'
    if isinstance(default, bool):
        return str(int(default))
    return str(default)
