# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of ``virtproxy top``: order, units, and nothing in it that drives a terminal."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from virtproxy.cli.main import main
from virtproxy.cli.top_screen import fitted
from virtproxy.cli.top_table import SORTS, table
from virtproxy.protocol import insight, remote


def call(client: int, age: int, name: str = "DOMAIN_GET_INFO", place: str = "virtqemud (/x)") -> insight.RunningCall:
    procedure = next(one for one in remote.PROGRAM.procedures.values() if one.name == name)
    return insight.RunningCall(client, remote.PROGRAM.number, procedure.number, 5, age, place, f"guest{client}")


CLIENTS = [
    insight.Client(1, "uid:0 user:root pid:17", "unix", 3_600_000, 0),
    insight.Client(2, "sasl:joe\x1b[2J", "tls", 500, 2),
]
CALLS = [call(2, 63_100), call(2, 100, "DOMAIN_CREATE"), call(1, 5_000, place="a rule")]


def first_words(sort: str) -> list[tuple[str, str]]:
    """Age and client of each call as the table has them."""
    lines = table(CLIENTS, CALLS, 3, sort)[3:6]
    return [(line.split()[0], line.split()[2]) for line in lines]


def test_order() -> None:
    assert first_words("age") == [("63.1", "2"), ("5.0", "1"), ("0.1", "2")]
    assert first_words("client") == [("5.0", "1"), ("63.1", "2"), ("0.1", "2")]
    assert first_words("procedure") == [("0.1", "2"), ("63.1", "2"), ("5.0", "1")]
    assert first_words("place") == [("5.0", "1"), ("63.1", "2"), ("0.1", "2")]
    assert len(SORTS) == 4


def test_lines() -> None:
    lines = table(CLIENTS, CALLS, 10, "age")
    assert lines[0].endswith("2 clients, 10 calls in flight, the oldest for 63.1 s")
    assert "7 more calls are not shown" in lines
    assert lines[-2].split() == ["2", "2", "0.5", "s", "tls", "sasl:joe?[2J"]
    assert lines[-1].split()[2:4] == ["60.0", "m"]
    assert not any("\x1b" in line for line in lines)


def test_nothing_in_flight() -> None:
    assert table([], [], 0, "age")[0].endswith("0 clients, 0 calls in flight")


def test_lines_are_cut_to_the_width() -> None:
    assert fitted("abcdef", 4) == "abcd"
    assert fitted("\x1b[31mabcdef\x1b[0m", 4) == "\x1b[31mabcd\x1b[0m"
    assert fitted("\x1b[31mabcd\x1b[0m", 4) == "\x1b[31mabcd\x1b[0m"


def peer(path: Path, talk: Callable[[socket.socket], None]) -> threading.Thread:
    """Somebody who takes one connection and talks."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as sock:
            talk(sock)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("talk", "sentence"),
    [
        (lambda sock: sock.recv(100), "the daemon closed the connection"),
        (lambda sock: sock.sendall(sock.recv(100)[:0] + b"\0\0\0\1" * 20), "a packet announces 1 bytes"),
    ],
    ids=["closes", "speaks something else"],
)
def test_what_is_no_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], talk: Callable[[socket.socket], None], sentence: str
) -> None:
    thread = peer(tmp_path / "s", talk)
    assert main(["top", "--once", "--socket", str(tmp_path / "s")]) == 1
    thread.join()
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("command", ["top", "trace"])
def test_nobody_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--socket", str(tmp_path / "absent")]) == 1
    assert "no daemon listens there" in capsys.readouterr().err


@pytest.mark.parametrize("interval", ["0", "x", "1e9"])
def test_intervals(capsys: pytest.CaptureFixture[str], interval: str) -> None:
    with pytest.raises(SystemExit):
        main(["top", "--interval", interval])
    assert "is no number of seconds" in capsys.readouterr().err
