# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is logged, and where to."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import pytest
from twisted.logger import Logger, LogPublisher

from virtproxy.daemon import log
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.journal import Journal, datagram
from virtproxy.daemon.log_settings import Filter, Level, LogSettings, Output, log_settings
from virtproxy.daemon.settings import Settings


def read(text: str, environ: dict[str, str] | None = None, *, verbose: bool = False) -> LogSettings:
    settings = Settings(ROWS["virtproxyd"], "f.conf", parse(text, "f.conf"))
    return log_settings(settings, environ or {}, verbose=verbose)


def refusal(text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(StartupError) as refused:
        read(text, environ)
    assert refused.value.exit_code == 1
    return refused.value.message


def test_levels() -> None:
    assert read("").level is Level.WARNING
    assert read("log_level = 0").level is Level.WARNING
    assert read("log_level = 4").level is Level.ERROR
    assert read("log_level = 4", verbose=True).level is Level.INFO
    assert read("log_level = 1", verbose=True).level is Level.DEBUG
    assert read("log_level = 4", {"LIBVIRT_DEBUG": "1"}).level is Level.DEBUG
    assert read("", {"LIBVIRT_DEBUG": "error"}).level is Level.ERROR
    assert "LIBVIRT_DEBUG: expected a level from 1 (debug) to 4 (error)" in refusal("", {"LIBVIRT_DEBUG": "9"})


def test_filters_and_outputs() -> None:
    found = read("log_filters = '1:routing  4:+rpc'\nlog_outputs = '1:stderr 2:file:/var/x:y 3:syslog:me 4:journald'")
    assert found.filters == (Filter(Level.DEBUG, "routing"), Filter(Level.ERROR, "rpc"))
    assert found.outputs == (
        Output(Level.DEBUG, "stderr"),
        Output(Level.INFO, "file", "/var/x:y"),
        Output(Level.WARNING, "syslog", "me"),
        Output(Level.ERROR, "journald"),
    )


def test_the_environment_wins() -> None:
    text = "log_filters = '1:routing'\nlog_outputs = '1:journald'"
    found = read(text, {"LIBVIRT_LOG_FILTERS": "2:wire", "LIBVIRT_LOG_OUTPUTS": "3:stderr"})
    assert (found.filters, found.outputs) == ((Filter(Level.INFO, "wire"),), (Output(Level.WARNING, "stderr"),))


@pytest.mark.parametrize("word", ["1", "1:", "x:routing", "0:routing", "5:routing", "routing"])
def test_a_filter_must_be_one(word: str) -> None:
    assert refusal(f"\nlog_filters = '1:a {word}'").startswith("f.conf:2: log_filters: ")
    assert refusal("", {"LIBVIRT_LOG_FILTERS": word}).startswith("environment variable LIBVIRT_LOG_FILTERS: ")


@pytest.mark.parametrize(
    "word", ["stderr", "1:stdout", "9:stderr", "1:stderr:x", "1:stderr:", "1:file", "1:file:", "1:file:x", "1:syslog"]
)
def test_an_output_must_be_one(word: str) -> None:
    assert refusal(f"log_outputs = '{word}'").startswith("f.conf:1: log_outputs: ")


def logged(settings: LogSettings, namespace: str, **messages: str) -> list[tuple[Level, str]]:
    """What comes out for one message of each named level."""
    out: list[tuple[Level, str]] = []
    observer = log.LogOutput(settings, settings.outputs[0].level, lambda level, _, text: out.append((level, text)))
    logger = Logger(namespace, observer=LogPublisher(observer))
    for level, text in messages.items():
        getattr(logger, level)("{text}", text=text)
    return out


ALL = {"debug": "d", "info": "i", "warn": "w", "error": "e", "critical": "c"}


def test_from_the_level_up() -> None:
    settings = LogSettings(Level.WARNING, (), (Output(Level.DEBUG, "stderr"),))
    assert [text for _, text in logged(settings, "virtproxy.rpc", **ALL)] == ["w", "e", "c"]


def test_a_filter_changes_the_level_of_its_modules() -> None:
    filters = (Filter(Level.DEBUG, "routing"), Filter(Level.ERROR, "*.rpc.*"))
    settings = LogSettings(Level.WARNING, filters, (Output(Level.DEBUG, "stderr"),))
    assert "".join(text for _, text in logged(settings, "virtproxy.routing.edge", **ALL)) == "diwec"
    assert "".join(text for _, text in logged(settings, "virtproxy.rpc.server", **ALL)) == "ec"
    assert "".join(text for _, text in logged(settings, "virtproxy.auth.tls", **ALL)) == "wec"


def test_an_output_has_a_level_of_its_own() -> None:
    settings = LogSettings(Level.DEBUG, (), (Output(Level.ERROR, "stderr"),))
    assert logged(settings, "virtproxy", **ALL) == [(Level.ERROR, "e"), (Level.ERROR, "c")]


def test_a_client_cannot_forge_a_line() -> None:
    settings = LogSettings(Level.DEBUG, (), (Output(Level.DEBUG, "stderr"),))
    ((_, text),) = logged(settings, "virtproxy", warn="CN=x\n2026: error : forged\x1b[2J\x9b\u2028x")
    assert text == r"CN=x\x0a2026: error : forged\x1b[2J\x9b\u2028x"


def test_a_failure_comes_with_its_traceback() -> None:
    out: list[str] = []
    observer = log.LogOutput(LogSettings(Level.DEBUG), Level.DEBUG, lambda _, __, text: out.append(text))
    logger = Logger("virtproxy", observer=LogPublisher(observer))
    try:
        raise KeyError("lost")
    except KeyError:
        logger.failure("it failed")
    (text,) = out
    assert text.startswith("it failed\nTraceback")
    assert "KeyError: 'lost'" in text


def test_a_file_gets_whole_lines_and_only_its_owner_reads_it(place: Path) -> None:
    path = place / "log"
    (observer,) = log.observers(LogSettings(Level.INFO, (), (Output(Level.INFO, "file", str(path)),)), "virtproxyd")
    logger = Logger("virtproxy.x", observer=LogPublisher(observer))
    logger.info("hello \udce9")
    logger.debug("not me")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: \d+: info : virtproxy\.x : hello \\udce9\n", path.read_text()
    )
    assert path.stat().st_mode & 0o777 == 0o600


def test_outputs_that_cannot_be_had(place: Path) -> None:
    settings = LogSettings(Level.INFO, (), (Output(Level.INFO, "file", str(place / "none" / "log")),))
    with pytest.raises(StartupError, match=r"cannot write the log file .*: No such file or directory; set log_outputs"):
        log.observers(settings, "virtproxyd")


def test_where_a_daemon_logs_that_was_not_told(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    assert log.default_output("/v", "d", Level.INFO, background=False) == Output(Level.INFO, "stderr")
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(place / "none"))
    assert log.default_output("/v", "d", Level.INFO, background=True) == Output(Level.INFO, "file", "/v/d.log")
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(place))
    assert log.default_output("/v", "d", Level.INFO, background=True) == Output(Level.INFO, "journald")


def test_the_journals_own_protocol(place: Path) -> None:
    path = str(place / "journal")
    journal = Journal("virtproxyd", path)
    journal.write(Level.ERROR, "m", "nobody listens")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        journal.write(Level.WARNING, "virtproxy.x", "one\ntwo")
        assert listening.recv(10000) == (
            b"MESSAGE\n" + struct.pack("<Q", 7) + b"one\ntwo\n"
            b"PRIORITY=4\nSYSLOG_IDENTIFIER=virtproxyd\nVIRTPROXY_MODULE=virtproxy.x\n"
        )
    journal.close()
    assert datagram({"A": "x=y"}) == b"A=x=y\n"
