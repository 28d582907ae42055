# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ``virtproxy install`` lays down, and what is to become of each file that may be there already.

``install`` calls it. It looks at files and changes none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from virtproxy.access import polkit_actions
from virtproxy.cli.output import CommandError
from virtproxy.daemon import units
from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.conf_file import conf_file, template
from virtproxy.daemon.drivers import all_rows

POLKIT_DIR = "/usr/share/polkit-1/actions"
SASL_FILE = "/etc/sasl2/libvirt.conf"
CONF_DIR = "/etc/libvirt"
# What a person may have edited is small; what is larger is none of ours.
_SIZE_MAX = 1 << 20

Action = Literal["write", "replace", "same", "beside", "foreign", "remove", "keep", "absent"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One file: where it goes, seen from the root directory, and its text.

    ``mark``: a text by which a file of ours is known, so that another version of it may be replaced. Without one the
    file is an administrator's to edit: whatever differs from ``text`` stays.
    """

    path: str
    text: str
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done with one piece. ``path`` is the file it is done to, below the real root directory."""

    action: Action
    path: str
    piece: Piece


def daemon_pieces(rows: Iterable[Row], unit_dir: str, programs: dict[str, str]) -> list[Piece]:
    """Return the units and configuration files of each daemon; ``programs``: by its name where its program is."""
    chosen = list(rows)
    pieces: list[Piece] = []
    if any("secret" in row.local for row in chosen):
        pieces.append(Piece(os.path.join(CONF_DIR, "secret.conf"), template("secret.conf")))
    for row in chosen:
        texts = units.units(row, programs[row.name])
        pieces += [Piece(os.path.join(unit_dir, name), text, units.MARK) for name, text in texts.items()]
        pieces.append(Piece(os.path.join(CONF_DIR, row.config_name), conf_file(row)))
    return pieces


def shared_pieces() -> list[Piece]:
    """Return what all daemons share: polkit's actions and how SASL is set up."""
    actions = polkit_actions.action_files()
    pieces = [Piece(os.path.join(POLKIT_DIR, name), text, polkit_actions.MARK) for name, text in actions.items()]
    return [*pieces, Piece(SASL_FILE, template("sasl.conf"))]


def inside(root: str, path: str) -> str:
    """Return ``path``, absolute, below ``root``. Raises CommandError if a symbolic link on its way leads out."""
    whole = os.path.join(root, path.lstrip("/"))
    real = os.path.realpath(os.path.dirname(whole))
    if os.path.commonpath((root, real)) != root:
        raise CommandError(f"{whole} leads out of {root} by a symbolic link, to {real}: nothing was changed")
    return os.path.join(real, os.path.basename(whole))


def found_at(path: str) -> str | None:
    """Return the text of a file; None if there is none. What is no file that could be ours has the text ""."""
    if os.path.islink(path) or not os.path.isfile(path):
        return "" if os.path.lexists(path) else None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_SIZE_MAX)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None


def steps_to_install(root: str, pieces: Sequence[Piece]) -> list[Step]:
    """Return what there is to do so that ``pieces`` lie below ``root``. Raises CommandError."""
    return [_to_install(inside(root, piece.path), piece) for piece in pieces]


def _to_install(path: str, piece: Piece) -> Step:
    text = found_at(path)
    if text is None:
        return Step("write", path, piece)
    if text == piece.text:
        return Step("same", path, piece)
    if piece.mark is None:
        return Step("beside", f"{path}.new", piece)
    return Step("replace" if piece.mark in text else "foreign", path, piece)


def steps_to_remove(root: str, pieces: Sequence[Piece]) -> list[Step]:
    """Return what there is to do so that nothing of ``pieces`` is below ``root``. Raises CommandError."""
    steps: list[Step] = []
    for piece in pieces:
        path = inside(root, piece.path)
        steps.append(_to_remove(path, piece))
        if piece.mark is None and found_at(f"{path}.new") == piece.text:
            steps.append(Step("remove", f"{path}.new", piece))
    return steps


def _to_remove(path: str, piece: Piece) -> Step:
    text = found_at(path)
    if text is None:
        return Step("absent", path, piece)
    if piece.mark is None:
        return Step("remove" if text == piece.text else "keep", path, piece)
    return Step("remove" if piece.mark in text else "foreign", path, piece)


def others_remain(root: str, rows: Sequence[Row], unit_dir: str) -> bool:
    """Whether the units of another daemon of ours than ``rows`` are still there, which needs the shared files."""
    others = [row for row in all_rows().values() if row not in rows]
    paths = (inside(root, os.path.join(unit_dir, units.service_unit(row))) for row in others)
    return any(units.MARK in (found_at(path) or "") for path in paths)
