# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit's settings: what they mean, and what is refused before the daemon starts."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproxy.access.audit.chain import START, Seal
from virtproxy.daemon.audit_journal import Anchors, JournalTee, fields_of
from virtproxy.daemon.audit_settings import AuditSettings, audit_settings, audit_warnings, read_key
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.settings import Settings

FILE = 'audit_file = "/var/log/a.jsonl"\n'


def settings(text: str) -> Settings:
    return Settings(ROWS["virtproxyd"], "f.conf", parse(text, "f.conf"))


def audit(text: str) -> AuditSettings | None:
    return audit_settings(settings(text))


def test_there_is_none_by_default() -> None:
    assert audit("") is None
    assert audit("audit_level = 0") is None
    assert audit("audit_level = 1") is None


def test_what_the_defaults_are() -> None:
    assert audit(FILE) == AuditSettings("/var/log/a.jsonl", rotate_size=100 * 1024 * 1024)


def test_everything_is_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 40 + b"\n")
    key.chmod(0o600)
    group = grp.getgrgid(os.getgid())
    text = (
        f'{FILE}audit_group = "{group.gr_name}"\naudit_record = "all"\naudit_documents = "whole"\n'
        'audit_failure = "continue"\naudit_sync = "always"\naudit_journal = 1\naudit_rotate_mib = 0\n'
        "audit_rotate_daily = 1\naudit_keep = 9\naudit_compress = 1\naudit_anchor_minutes = 5\naudit_logging = 1\n"
        f'audit_level = 2\naudit_key_file = "{key}"\n'
    )
    assert audit(text) == AuditSettings(
        "/var/log/a.jsonl", "all", True, False, "always", b"k" * 40, group.gr_gid, True, True, 0, True, 9, True, 300
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("audit_level = 2", "f.conf:1: audit_level = 2 insists on an audit: name its file"),
        (f"{FILE}audit_level = 0", "f.conf:2: audit_level = 0 turns the audit off, but audit_file"),
        (f'{FILE}audit_level = 2\naudit_record = "none"', "f.conf:3: audit_level = 2 insists"),
        ('audit_file = "a.jsonl"', 'f.conf:1: audit_file must be an absolute path, not "a.jsonl"'),
        ('audit_record = "all"', "f.conf:1: audit_record needs audit_file"),
        ("audit_journal = 1", "f.conf:1: audit_journal needs audit_file"),
        (f'{FILE}audit_record = "some"', 'f.conf:2: audit_record must be one of "none", "denials", "writes", "all"'),
        (f'{FILE}audit_group = "no such group"', 'f.conf:2: this host has no group "no such group"'),
        (f'{FILE}audit_key_file = "/nonexistent"', "f.conf:2: the audit's key /nonexistent cannot be read: No such"),
        (f"{FILE}audit_rotate_mib = 4294967295", "f.conf:2: audit_rotate_mib must be at most"),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        audit(text)
    assert refused.value.message.startswith(expected)


def test_logging_alone_is_no_audit() -> None:
    assert audit_warnings(settings("audit_logging = 1")) == [
        "f.conf:1: audit_logging has no effect: audit_file names no audit log"
    ]
    assert audit_warnings(settings(f"{FILE}audit_logging = 1")) == []


@pytest.mark.parametrize(
    ("data", "mode", "expected"),
    [
        (b"k" * 31 + b"\n", 0o600, "has 31 bytes and needs 32"),
        (b"k" * 5000, 0o600, "needs 32 to 4096"),
        (b"k" * 40, 0o640, "others may read"),
    ],
)
def test_a_key_that_is_none(tmp_path: Path, data: bytes, mode: int, expected: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(data)
    key.chmod(mode)
    with pytest.raises(ValueError, match=expected):
        read_key(str(key))


# The journal


LINE = Seal().line(
    START,
    7,
    '"time":"t","event":"call","client":3,"subject":{"user":"fred","uid":7},"procedure":"DOMAIN_DESTROY",'
    '"objects":[{"kind":"domain","name":"web","uuid":"1-2"}],"decision":"denied","result":"error",'
    '"error":{"code":88,"message":"access denied"}',
)[0]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "socket"))
        made.settimeout(5)
        yield made


def test_the_fields_of_a_record() -> None:
    fields = fields_of(LINE, "virtproxyd")
    assert fields["MESSAGE"] == "audit: call DOMAIN_DESTROY web by fred: DENIED access denied"
    assert fields["PRIORITY"] == "5"
    assert fields["VIRTPROXY_SUBJECT_USER"] == "fred" and fields["VIRTPROXY_OBJECT_UUID"] == "1-2"
    assert fields["VIRTPROXY_RECORD"].encode() == LINE[:-1]


def test_the_journal_gets_every_record(receiver: socket.socket) -> None:
    warned: list[str] = []
    tee = JournalTee("virtproxyd", warned.append, receiver.getsockname())
    tee(LINE)
    got = receiver.recv(65536)
    assert b"\nVIRTPROXY_PROCEDURE=DOMAIN_DESTROY\n" in got and b"\nSYSLOG_IDENTIFIER=virtproxyd\n" in got
    assert warned == []
    tee.close()


def test_a_journal_that_takes_nothing_is_said_once(tmp_path: Path) -> None:
    warned: list[str] = []
    tee = JournalTee("virtproxyd", warned.append, str(tmp_path / "socket"))
    tee(LINE)
    tee(LINE)
    assert len(warned) == 1 and "does not take audit records: No such file" in warned[0]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "socket"))
        tee(LINE)
    tee.close()
    assert warned[1:] == ["the journal takes audit records again; 2 are in the audit log only"]


@pytest.mark.parametrize("journal", [True, False])
def test_anchors(receiver: socket.socket, tmp_path: Path, journal: bool) -> None:
    path: Any = receiver.getsockname()
    nobody = str(tmp_path / "nobody")
    anchors = Anchors("virtproxyd", path if journal else nobody, nobody if journal else path)
    anchors.leave(12, "ab" * 32)
    assert f"audit anchor 12:{'ab' * 32}".encode() in receiver.recv(65536)
    anchors.close()
    anchors = Anchors("virtproxyd", nobody, nobody)
    anchors.leave(1, "x")
    anchors.close()
