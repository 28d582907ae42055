# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is logged, and where to."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
from pathlib import Path

import pytest
from twisted.logger import Logger, LogPublisher

from virtproxy.daemon import log, log_writers
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.journal import datagram
from virtproxy.daemon.log_entry import Entry
from virtproxy.daemon.log_settings import (
    Filter,
    Level,
    LogSettings,
    Output,
    filters_of,
    log_settings,
    outputs_of,
)
from virtproxy.daemon.settings import Settings
from virtproxy.errors import VirtError
from virtproxy.identity import Caller, Identity


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


class Kept:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.write = self.entries.append

    def reopen(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """What is logged to stderr."""
    one = Kept()
    monkeypatch.setattr(log_writers, "StderrWriter", lambda form: one)
    return one


STDERR = Output(Level.DEBUG, "stderr")


def logger_to(observer: log.DaemonLog, namespace: str = "virtproxy.x") -> Logger:
    return Logger(namespace, observer=LogPublisher(observer))


def logged(kept: Kept, observer: log.DaemonLog, namespace: str, **messages: str) -> list[tuple[Level, str]]:
    """What comes out for one message of each named level."""
    kept.entries.clear()
    for level, text in messages.items():
        getattr(logger_to(observer, namespace), level)("{text}", text=text)
    return [(entry.level, entry.message) for entry in kept.entries]


ALL = {"debug": "d", "info": "i", "warn": "w", "error": "e", "critical": "c"}


def texts(kept: Kept, observer: log.DaemonLog, namespace: str) -> str:
    return "".join(text for _, text in logged(kept, observer, namespace, **ALL))


def test_from_the_level_up(kept: Kept) -> None:
    assert texts(kept, log.DaemonLog(LogSettings(Level.WARNING), "d", STDERR), "virtproxy.rpc") == "wec"


def test_a_filter_changes_the_level_of_its_modules(kept: Kept) -> None:
    filters = (Filter(Level.DEBUG, "routing"), Filter(Level.ERROR, "*.rpc.*"))
    observer = log.DaemonLog(LogSettings(Level.WARNING, filters), "d", STDERR)
    assert texts(kept, observer, "virtproxy.routing.edge") == "diwec"
    assert texts(kept, observer, "virtproxy.rpc.server") == "ec"
    assert texts(kept, observer, "virtproxy.auth.tls") == "wec"


def test_the_first_filter_that_fits_counts(kept: Kept) -> None:
    observer = log.DaemonLog(LogSettings(Level.ERROR, filters_of("4:routing.edge 1:rout?ng 2:*")), "d", STDERR)
    assert texts(kept, observer, "virtproxy.routing.edge") == "ec"
    assert texts(kept, observer, "virtproxy.routing.relay") == "diwec"
    assert texts(kept, observer, "virtproxy.auth.tls") == "iwec"


def test_an_output_has_a_level_of_its_own(kept: Kept) -> None:
    observer = log.DaemonLog(LogSettings(Level.DEBUG, (), (Output(Level.ERROR, "stderr"),)), "d", None)
    assert logged(kept, observer, "virtproxy", **ALL) == [(Level.ERROR, "e"), (Level.ERROR, "c")]


def test_a_client_cannot_forge_a_line(kept: Kept) -> None:
    observer = log.DaemonLog(LogSettings(Level.DEBUG), "d", STDERR)
    ((_, text),) = logged(kept, observer, "virtproxy", warn="CN=x\n2026: error : forged\x1b[2J\x9b\u2028x")
    assert text == r"CN=x\x0a2026: error : forged\x1b[2J\x9b\u2028x"
    name = Identity(transport="tls", x509_dname="CN=a\nroot\u2028, [" + "x" * 5000)
    logger_to(observer).warn("{t}", t="\udce9", client=Caller(7, name))
    entry = kept.entries[-1]
    assert (entry.connection, entry.message) == (7, r"\udce9")
    for form in (log_writers.line_of(entry), log_writers.json_of(entry)):
        assert len(form.splitlines()) == 1
        assert len(form) < 2000
    assert r"client 7, x509:CN=a\x0aroot\u2028" in log_writers.line_of(entry)
    assert json.loads(log_writers.json_of(entry))["subject"].startswith(r"x509:CN=a\x0aroot\u2028, [xx")


def test_a_failure_comes_with_its_traceback(kept: Kept) -> None:
    observer = log.DaemonLog(LogSettings(Level.DEBUG), "d", STDERR)
    try:
        raise ValueError("lost\nand found")
    except ValueError:
        logger_to(observer).failure("it {how}", how="failed\nTraceback")
    (entry,) = kept.entries
    assert entry.text.startswith(r"it failed\x0aTraceback" + "\n  Traceback (most recent call last):\n")
    assert entry.text.endswith("ValueError: lost\n  and found")
    assert json.loads(log_writers.json_of(entry))["traceback"].startswith("Traceback (most recent")


def test_who_it_is_about() -> None:
    entry = Entry(Level.WARNING, "virtproxy.x", 1.5, "m", (), 3, Identity(uid=0, user_name="root").subject)
    assert log_writers.line_of(entry) == (
        f"1970-01-01 00:00:01.500+0000: {os.getpid()}: warning : virtproxy.x : [client 3, user:root] m\n"
    )
    assert json.loads(log_writers.json_of(entry)) == {
        "time": "1970-01-01T00:00:01.500Z", "pid": os.getpid(), "level": "warning", "module": "virtproxy.x",
        "message": "m", "connection": 3, "subject": "user:root",
    }  # fmt: skip
    both = Identity(transport="tls", sasl_user="joe@R", x509_dname="CN=h", uid=5)
    assert both.subject == "sasl:joe@R, x509:CN=h, uid:5"
    assert Identity(transport="tcp").subject == "anonymous"


def test_a_file_gets_whole_lines_and_only_its_owner_reads_it(place: Path) -> None:
    path = place / "log"
    observer = log.DaemonLog(LogSettings(Level.INFO, (), (Output(Level.INFO, "file", str(path)),)), "d", None)
    logger_to(observer).info("hello \udce9")
    logger_to(observer).debug("not me")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: \d+: info : virtproxy\.x : hello \\udce9\n", path.read_text()
    )
    assert path.stat().st_mode & 0o777 == 0o600
    observer.close()


def test_a_file_that_was_moved_away_is_left(place: Path, kept: Kept) -> None:
    path = place / "log"
    observer = log.DaemonLog(LogSettings(Level.INFO, (), outputs_of(f"2:json:{path} 1:stderr")), "d", None)
    logger_to(observer).info("one")
    path.rename(place / "log.1")
    logger_to(observer).info("two")
    observer.reopen()
    logger_to(observer).info("three")
    files = ((place / name).read_text().splitlines() for name in ("log.1", "log"))
    said = [[json.loads(line)["message"] for line in lines] for lines in files]
    assert said == [["one", "two"], ["three"]]
    path.rename(place / "log.2")
    path.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log.DaemonLog, "_log", logger_to(observer))
        observer.reopen()
    assert "Is a directory; the log goes on in the file that was moved away" in kept.entries[-1].message
    logger_to(observer).info("four")
    assert (place / "log.2").read_text().splitlines()[-1].find('"four"') > 0
    observer.close()


def test_outputs_that_cannot_be_had(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LogSettings(Level.INFO, (), (Output(Level.INFO, "file", str(place / "none" / "log")),))
    with pytest.raises(StartupError, match=r"cannot write the log file .*: No such file or directory; set log_outputs"):
        log.add_logging(settings, "virtproxyd")
    monkeypatch.setattr(log_writers.JournalWriter.__init__, "__defaults__", (str(place / "none"),))
    with pytest.raises(StartupError, match=r"journald: .* does not exist on this host"):
        log.add_logging(LogSettings(Level.INFO, (), (Output(Level.INFO, "journald"),)), "virtproxyd")
    os.mkfifo(place / "pipe")
    with pytest.raises(StartupError, match="No such device or address"):
        log.add_logging(LogSettings(Level.INFO, (), outputs_of(f"1:file:{place}/pipe")), "virtproxyd")


def test_where_a_daemon_logs_that_was_not_told(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    assert log.default_output("/v", "d", Level.INFO, background=False) == Output(Level.INFO, "stderr")
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(place / "none"))
    assert log.default_output("/v", "d", Level.INFO, background=True) == Output(Level.INFO, "file", "/v/d.log")
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(place))
    assert log.default_output("/v", "d", Level.INFO, background=True) == Output(Level.INFO, "journald")


def test_it_is_changed_while_the_daemon_runs(place: Path, kept: Kept) -> None:
    observer = log.DaemonLog(LogSettings(Level.WARNING), "d", STDERR)
    assert (observer.filters, observer.outputs) == ("", "1:stderr")
    assert texts(kept, observer, "virtproxy.rpc") == "wec"
    observer.set_filters("3:remote 4:*event 1:+rpc")
    # As libvirt's daemons show it; taken back as shown, it stays the same.
    assert observer.filters == "3:*remote* 4:*event* 1:*rpc*"
    observer.set_filters(observer.filters)
    assert observer.filters == "3:*remote* 4:*event* 1:*rpc*"
    assert texts(kept, observer, "virtproxy.rpc") == "diwec"
    observer.set_outputs(f"4:file:{place}/f 3:json:stderr 3:syslog:me")
    assert observer.outputs == f"4:file:{place}/f 3:json:stderr 3:syslog:me"
    assert texts(kept, observer, "virtproxy.rpc") == "wec"
    assert len((place / "f").read_text().splitlines()) == 2
    observer.set_filters("")
    observer.set_outputs("")
    assert (observer.filters, observer.outputs) == ("", "1:stderr")


@pytest.mark.parametrize("text", ["1:stderr 9:stderr", "1:bogus", "1:file:x", "1:json:x", "1:file:{place}/none/log"])
def test_what_cannot_be_changed_to_changes_nothing(place: Path, kept: Kept, text: str) -> None:
    observer = log.DaemonLog(LogSettings(Level.WARNING, filters_of("1:a")), "d", STDERR)
    files = len(os.listdir("/proc/self/fd"))
    with pytest.raises(VirtError, match=r"invalid argument|failed to open"):
        observer.set_outputs(f"1:file:{place}/first {text.format(place=place)}")
    with pytest.raises(VirtError, match=r"invalid argument: expected a level from 1 \(debug\) to 4"):
        observer.set_filters("1:b 9:util")
    assert (observer.filters, observer.outputs) == ("1:*a*", "1:stderr")
    assert len(os.listdir("/proc/self/fd")) == files


def test_the_journals_own_protocol(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(place / "journal")
    monkeypatch.setattr(log_writers.JournalWriter.__init__, "__defaults__", (path,))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        observer = log.DaemonLog(LogSettings(Level.INFO, (), outputs_of("1:journald")), "virtproxyd", None)
        try:
            raise KeyError("x=y")
        except KeyError:
            logger_to(observer).failure("one", client=Caller(9, Identity(uid=5)))
        fields = received(listening.recv(100000))
        logger_to(observer).info("€" * 100000)
        long = received(listening.recv(300000))
    logger_to(observer).info("nobody listens")
    assert observer.dropped == {"journald": 1}
    observer.close()
    message, line = fields.pop("MESSAGE"), int(fields.pop("CODE_LINE"))
    assert message.startswith("one\n  Traceback (most recent call last):\n")
    assert fields == {
        "PRIORITY": "3", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "virtproxyd", "LIBVIRT_SOURCE": "virtproxy.x",
        "CODE_FILE": __file__, "CODE_FUNC": "test_the_journals_own_protocol",
        "VIRTPROXY_CONNECTION": "9", "VIRTPROXY_SUBJECT": "uid:5",
    }  # fmt: skip
    assert ".failure(" in Path(__file__).read_text().splitlines()[line - 1]
    assert long["MESSAGE"] == "€" * (65536 // 3)
    assert datagram({"A": "x=y"}) == b"A=x=y\n"


def received(datagram: bytes) -> dict[str, str]:
    """The fields of a message, as the journal reads them."""
    fields = {}
    while datagram:
        name, mark, rest = re.fullmatch(rb"([A-Z_]+)([=\n])(.*)", datagram, re.DOTALL).groups()  # type: ignore[union-attr]
        if mark == b"=":
            value, _, datagram = rest.partition(b"\n")
        else:
            (length,) = struct.unpack_from("<Q", rest)
            value, datagram = rest[8 : 8 + length], rest[9 + length :]
        fields[name.decode()] = value.decode()
    return fields


def test_syslog(place: Path) -> None:
    path = str(place / "log")
    writer = log_writers.SyslogWriter("me", path)
    entry = Entry(Level.WARNING, "virtproxy.x", 0.0, "m", ("Traceback", "KeyError"), 2, "user:joe")
    with pytest.raises(OSError, match="No such file"):
        writer.write(entry)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        writer.write(entry)
        lines = [listening.recv(10000).decode() for _ in range(3)]
    head = rf"<28>(Jan  1|Dec 31) \d\d:\d\d:00 me\[{os.getpid()}\]: "
    for line, text in zip(lines, (r"virtproxy\.x : \[client 2, user:joe\] m", "Traceback", "KeyError"), strict=True):
        assert re.fullmatch(head + text, line)
    writer.close()
