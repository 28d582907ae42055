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
# The daemons that pip installs as programs. Not libvirtd: whoever types that would get another one than before.
PROGRAMS = ("virtproxyd", "virtsecretd", "virtstoraged")


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
        f"virtproxy/daemon/templates/{name}" for name in ("manual.rst", "sasl.conf", "secret.conf", "settings.conf")
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
    assert set(scripts["console_scripts"]) == {*PROGRAMS, "virtproxy", "virt-ssh-helper"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_in_a_bare_environment_has_programs_that_run(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"

    def printed(program: str, *words: str) -> str:
        command = [str(programs / program), *words]
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    assert wheel.filename is not None
    printed("python", "-m", "pip", "install", "--quiet", wheel.filename)
    assert all("0." in printed(program, "--version") for program in (*PROGRAMS, "virtproxy", "virt-ssh-helper"))
    assert "virtproxy's virtproxyd" in printed("twistd", "--help")
    printed("virtproxy", "install", "--root", "root", "--daemons", "all")
    for directory, kept in (
        ("usr/local/lib/systemd/system", ROOT / "conf" / "systemd"),
        ("etc/libvirt", ROOT / "conf"),
    ):
        laid = {path.name for path in (tmp_path / "root" / directory).iterdir()}
        assert laid == {path.name for path in kept.iterdir() if path.is_file() and path.suffix != ".toml"}
    printed("virtproxy", "demo", "--once", "--port", "0")
