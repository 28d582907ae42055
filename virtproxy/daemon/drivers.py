# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which drivers there are: those that come with virtproxy, and those that other packages bring.

A package names its driver in its metadata, in the entry point group ``virtproxy.drivers``: ``toy = package:ToyDriver``.
That makes it a daemon, ``virttoyd``, and a driver of libvirtd. The programs, ``install`` and ``locals`` ask here; no
driver is loaded before a daemon that has it starts.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING

from virtproxy.daemon.catalogue import OWN_DRIVERS, ROWS, Kind, Row, row_of_another
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.routing.families import is_driver_name

if TYPE_CHECKING:
    from virtproxy.driver import Driver

GROUP = "virtproxy.drivers"


@cache
def others() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return what other packages bring, by the driver's name; what cannot be a driver's name is left out.

    A name that virtproxy has itself is not given away. Reads the metadata of every package, once a process.
    """
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        if is_driver_name(point.name) and point.name not in OWN_DRIVERS:
            found[point.name] = (*found.get(point.name, ()), point)
    return found


def row_of(name: str) -> Row | None:
    """Return the row of a daemon with every driver that is installed for it; None if there is no such daemon."""
    row = ROWS.get(name)
    if row is None:
        scheme = name.removeprefix("virt").removesuffix("d")
        return row_of_another(scheme) if name == f"virt{scheme}d" and scheme in others() else None
    if row.kind is Kind.MONOLITHIC:
        return replace(row, local=(*row.local, *others()))
    if row.scheme is not None and not row.local and row.scheme in others():
        return replace(row, local=(row.scheme,))
    return row


def all_rows() -> dict[str, Row]:
    """Return every daemon by its name: libvirt's, then those of other packages' drivers."""
    names = (*ROWS, *(f"virt{scheme}d" for scheme in others()))
    return {name: row for name in dict.fromkeys(names) if (row := row_of(name)) is not None}


def check_drivers(row: Row) -> Row:
    """Return ``row`` with the drivers that are there. Raises StartupError if it has nothing to serve.

    Looks, and loads nothing. libvirtd does with the drivers that it finds, every other daemon needs its own.
    """
    there = tuple(scheme for scheme in row.local if scheme in others() or find_spec(_module_of(scheme)) is not None)
    if not there and row.kind is not Kind.PROXY:
        words = f"run libvirt's own {row.name}, which virtproxyd works with"
        raise StartupError(f"{row.name} has no driver in this version of virtproxy; {words}", ExitCode.DRIVER)
    return replace(row, local=there)


def _module_of(scheme: str) -> str:
    return OWN_DRIVERS[scheme].partition(":")[0]


def load(scheme: str) -> type[Driver]:
    """Return the class of a driver. Raises StartupError with what keeps it from being loaded."""
    from virtproxy.driver import Driver

    points = others().get(scheme, ())
    if len(points) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise unfit(scheme, f"{packages} both bring one: remove all but one of them")
    origin = points[0].value if points else OWN_DRIVERS[scheme]
    try:
        loaded = points[0].load() if points else _attribute(origin)
    except ImportError as error:
        raise unfit(scheme, f"{error} ({origin})") from error
    except Exception as error:
        raise unfit(scheme, f"{type(error).__name__}: {error} ({origin})") from error
    if not isinstance(loaded, type) or not issubclass(loaded, Driver):
        raise unfit(scheme, f"{origin} is no class that derives from virtproxy.driver.Driver")
    name = getattr(loaded, "name", "")
    if name != scheme:
        raise unfit(scheme, f'{origin} is called "{name}": its name and its entry point must be the same')
    return loaded


def _attribute(origin: str) -> object:
    module, _, name = origin.partition(":")
    return getattr(importlib.import_module(module), name)


def _package(point: EntryPoint) -> str:
    return point.value if point.dist is None else point.dist.name


def unfit(scheme: str, why: str) -> StartupError:
    """Return the error about a driver that cannot be had."""
    return StartupError(f"the driver {scheme} cannot be loaded: {why}", ExitCode.DRIVER)
