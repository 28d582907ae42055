# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shape of the house: who may import whom, and what every file must have.

The rules are docs/architecture.md's. Nothing is imported here: the sources are read.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = sorted((ROOT / "virtproxy").rglob("*.py"))
PLUGINS = sorted((ROOT / "twisted").rglob("*.py"))
SOURCES = [*LIBRARY, *PLUGINS]
OTHERS = sorted(p for top in ("tests", "benchmarks") for p in (ROOT / top).rglob("*.py"))

# What each room may import besides itself and the modules named in FREE.
ALLOWED = {
    "wire": set[str](),
    "protocol": {"wire"},
    "errors": {"wire", "protocol"},
    "identity": {"wire", "protocol"},
    "toml": set(),
    "rpc": {"wire", "protocol"},
    "client": {"wire", "protocol", "rpc", "auth"},
    "auth": {"wire", "protocol", "rpc"},
    "access": {"wire", "protocol", "rpc"},
    "routing": {"wire", "protocol", "rpc", "auth", "access"},
    "documents": {"wire", "protocol"},
    "driver": {"wire", "protocol", "rpc", "auth", "access", "routing", "documents"},
    "drivers": {"wire", "protocol", "driver", "documents"},
    "daemon": {"wire", "protocol", "rpc", "auth", "access", "routing", "documents", "driver", "drivers"},
    "testing": set(),
    "cli": {"testing", "wire", "protocol", "rpc", "client", "auth", "access", "routing", "driver", "daemon"},
    "plugins": {"daemon", "cli"},
}
# errors and identity are what rooms exchange: any room above protocol may know them; toml reads people's files.
FREE = {"errors", "identity", "toml"}
LONGEST = 400


def room_of(path: Path) -> str:
    """Return the room a source file belongs to; "" is the package itself."""
    relative = path.relative_to(ROOT)
    if relative.parts[0] == "twisted":
        return "plugins"
    return "" if relative.parts[1] == "__init__.py" else relative.parts[1].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything a file imports, "from a import b" as a.b."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def offences(paths: list[Path], banned: Callable[[Path, str], bool]) -> list[str]:
    """Return "file imports module" for each import that is banned."""
    return [f"{name(path)} imports {module}" for path in paths for module in imports_of(path) if banned(path, module)]


def test_the_sources_are_found() -> None:
    assert len(LIBRARY) > 20


def test_imports_go_one_way() -> None:
    def wrong(path: Path, module: str) -> bool:
        room, parts = room_of(path), module.split(".")
        if parts[0] != "virtproxy" or len(parts) < 2 or parts[1].startswith("__"):
            return False
        free = parts[1] in FREE and room not in ("wire", "protocol")
        return not free and parts[1] != room and parts[1] not in ALLOWED.get(room, set())

    assert not offences(SOURCES, wrong)


def test_a_driver_knows_no_other_driver() -> None:
    def wrong(path: Path, module: str) -> bool:
        own = path.relative_to(ROOT / "virtproxy/drivers").parts[0]
        parts = module.split(".")
        return parts[:2] == ["virtproxy", "drivers"] and parts[2:3] != [own]

    assert not offences([p for p in LIBRARY if room_of(p) == "drivers"], wrong)


def test_bytes_never_meet_sockets() -> None:
    banned = {"twisted", "zope", "socket", "asyncio", "select", "OpenSSL"}
    pure = [p for p in LIBRARY if room_of(p) in ("wire", "protocol")]
    assert not offences(pure, lambda _, module: module.split(".")[0] in banned)


def test_the_reactor_is_passed_in() -> None:
    library = [p for p in LIBRARY if room_of(p) != "cli"]
    assert not offences(library, lambda _, module: module == "twisted.internet.reactor")


def test_no_inline_callbacks() -> None:
    assert not offences([*SOURCES, *OTHERS], lambda _, module: module.endswith(".inlineCallbacks"))


def test_tests_that_wait_are_waited_for() -> None:
    # Without the decorator only a new Twisted runs them: with an older one they pass and do nothing.
    waiting = [
        f"{name(path)}: {node.name}"
        for path in OTHERS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_") and not node.decorator_list
    ]
    assert not waiting


def test_licence_and_docstring() -> None:
    def complete(path: Path) -> bool:
        text = path.read_text()
        # In a program's file the first line is the interpreter's.
        marked = "# SPDX-License-Identifier: LGPL-2.1-or-later" in text.splitlines()[:2]
        return marked and bool(ast.get_docstring(ast.parse(text)))

    assert not [name(path) for path in [*SOURCES, *OTHERS] if not complete(path)]


def test_size() -> None:
    # Declarations are as long as the object family has procedures.
    counted = [p for p in [*SOURCES, *OTHERS] if room_of(p) != "protocol"]
    assert not [name(p) for p in counted if len(p.read_text().splitlines()) > LONGEST]


def test_names_say_what_a_thing_is() -> None:
    vague = ("manager", "handler", "processor", "util", "utils", "helper", "helpers")
    files = [p for p in SOURCES if p.stem != "virt_ssh_helper"]  # a program that libvirt named
    nodes = [(path, node) for path in SOURCES for node in ast.walk(ast.parse(path.read_text()))]
    classes = [f"{name(path)}: {node.name}" for path, node in nodes if isinstance(node, ast.ClassDef)]
    names = [name(path.with_suffix("")) for path in files] + classes
    assert not [n for n in names if n.lower().endswith(vague)]


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX)\b")
    assert not [name(p) for p in [*SOURCES, *OTHERS] if marks.search(p.read_text()) and p != Path(__file__)]


def test_every_room_is_known() -> None:
    rooms = {room_of(p) for p in LIBRARY} - {""}
    assert rooms <= set(ALLOWED), "a new room says in ALLOWED what it may import"


def test_every_package_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    present = {".".join(p.parent.relative_to(ROOT).parts) for p in LIBRARY}
    assert listed == present | {"twisted.plugins"}


def test_every_directory_is_a_package() -> None:
    assert not [p for p in LIBRARY if not (p.parent / "__init__.py").exists()]


def test_plugins_are_no_package() -> None:
    # An __init__.py there would hide Twisted's own plugins, or be hidden by them.
    assert not list((ROOT / "twisted").rglob("__init__.py"))


def test_tests_mirror_the_sources() -> None:
    rooms = {room_of(p) for p in LIBRARY} - {"", *FREE}
    assert not [room for room in sorted(rooms) if not list((ROOT / "tests" / room).rglob("test_*.py"))]
