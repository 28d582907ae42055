# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a wheel holds: every module, the twistd plugins, the console scripts. Builds one as pip does."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    place = tmp_path_factory.mktemp("wheel")
    # From a copy: setuptools leaves its build directory beside the sources.
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "__pycache__", "benchmarks")
    shutil.copytree(ROOT, place / "source", ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(place)]
    subprocess.run([*command, str(place / "source")], check=True)
    return zipfile.ZipFile(next(place.glob("*.whl")))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_nothing_is_missing_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    sources = [path for top in ("virtproxy", "twisted") for path in (ROOT / top).rglob("*.py")]
    data = {"virtproxy/py.typed", "virtproxy/access/claims/vocabulary.txt"} | {
        f"virtproxy/daemon/templates/{name}" for name in ("manual.rst", "sasl.conf", "settings.conf")
    }
    wanted = {path.relative_to(ROOT).as_posix() for path in sources} | data
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_console_scripts_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(name).decode())
    assert set(scripts["console_scripts"]) == {"virtproxyd", "virtproxy", "virt-ssh-helper"}
