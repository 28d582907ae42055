# SPDX-License-Identifier: LGPL-2.1-or-later
"""--check-config: every mistake with its line, warnings, the exit status, and nothing is created."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.daemon_process import COMMAND, TWISTD, environment
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.check_config import check_config
from virtproxy.daemon.options import DaemonOptions, options_for


def check(name: str, place: Path, text: str | None, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    path = place / "d.conf"
    if text is not None:
        path.write_text(text)
    options: DaemonOptions = options_for(ROWS[name])()
    options.parseOptions(["--check-config", "-f", str(path)])  # type: ignore[no-untyped-call]
    status = check_config(options, {"HOME": str(place)}, 0)
    said = capsys.readouterr()
    return status, said.out.replace(f"{place}/", ""), said.err.replace(f"{place}/", "")


def test_a_file_without_mistakes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = check("virtproxyd", place, "max_clients = 7\n", capsys)
    assert found == (0, "d.conf: 1 setting, no mistakes, no warnings\n", "")


def test_every_mistake_is_named_with_its_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'max_clients = "many"\nlog_level = 9\nmin_workers = 5\nlisten_tls = "yes"\nlog_levle = 1\n'
    status, out, err = check("virtproxyd", place, text, capsys)
    assert (status, out) == (1, "")
    mistakes, warning = err.splitlines()[:3], err.splitlines()[3:]
    assert [line.partition(" ")[0] for line in mistakes] == ["d.conf:1:", "d.conf:2:", "d.conf:4:"]
    assert warning == [
        "warning: d.conf:5: virtproxyd has no setting log_levle; it is ignored (did you mean log_level?)"
    ]


def test_a_mistake_that_only_a_start_would_find(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = check("virtproxyd", place, '\npolicy_file = "relative"\n', capsys)
    assert (status, out) == (1, "")
    assert err.startswith("d.conf:2: policy_file")


def test_a_broken_file_and_a_missing_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("virtproxyd", place, None, capsys)[::2] == (
        1,
        "d.conf: cannot read the configuration file: No such file or directory\n",
    )
    assert check("virtproxyd", place, "max_clients 7\n", capsys)[2].startswith("d.conf:1: expected '='")


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_any_daemon_names_the_nearest_setting(row: object, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = str(getattr(row, "name", ""))
    status, out, err = check(name, place, "max_cleints = 7\n", capsys)
    warned = f"warning: d.conf:1: {name} has no setting max_cleints; it is ignored (did you mean max_clients?)\n"
    assert err.startswith(warned)
    assert ("has no driver in this version" in err) == (not ROWS[name].served)
    assert (status, out) == (0, f"d.conf: no settings, no mistakes, {'1 warning' if err == warned else '2 warnings'}\n")


@pytest.mark.parametrize("command", [COMMAND, (*TWISTD, "-n", "virtproxyd")], ids=["script", "twistd"])
@pytest.mark.parametrize(("text", "status"), [("max_clients = 7\n", 0), ("max_clients = -1\n", 1)])
def test_as_a_command(place: Path, command: tuple[str, ...], text: str, status: int) -> None:
    (place / "d.conf").write_text(text)
    done = subprocess.run(
        [*command, "--check-config", "-f", "d.conf"], capture_output=True, text=True, cwd=place, env=environment(place)
    )
    assert done.returncode == status
    assert f"{place}/d.conf:" in (done.stderr if status else done.stdout)
    assert "Traceback" not in done.stderr
    assert [path.name for path in place.iterdir() if path.name != ".cache"] == ["d.conf"]
