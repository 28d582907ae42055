# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon makes of each kind of new TLS file, without a process: taken, kept, warned of, measured."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from tests.support.pki import CLIENT, DAY, SERVER, Authority, Leaf, key_pem, pem, shared_key, write_pair
from virtproxy.auth.distinguished_name import subject_of
from virtproxy.auth.tls import ServerTls, TlsSettings
from virtproxy.daemon.certificates import DAY_SECONDS, Certificates, paths_of

OURS, OTHER = Authority(days=(-2, 600)), Authority("Other CA", 1)
LEAF = Leaf("first", purposes=(SERVER,), days=(-1, 300))
GARBAGE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


class Watch:
    """A watch of files that a test rings itself."""

    def __init__(self, paths: list[str], changed: Callable[[], Any]) -> None:
        self.paths = paths
        self.changed = changed
        self.running: bool | None = None

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


@implementer(ILogObserver)
class Setup:
    """Certificates on files in ``place``, with everything around them pretended."""

    def __init__(self, place: Path) -> None:
        (place / "cacert.pem").write_bytes(pem(OURS.certificate))
        (place / "crl.pem").write_bytes(OURS.revocation_list(days=(-1, 300)))
        write_pair(place, "server", OURS.issue(LEAF))
        self.settings = TlsSettings(
            place / "servercert.pem", place / "serverkey.pem", place / "cacert.pem", place / "crl.pem"
        )
        self.place = place
        self.clock = Clock()
        self.now = datetime.datetime.now(datetime.UTC)
        self.watches: list[Watch] = []
        self.log: list[str] = []
        tls = ServerTls(self.settings)
        assert tls.check() == []
        self.certificates = Certificates(
            tls, 30, self.clock, lambda function: _called(function), self._watch, lambda: self.now
        )

    def _watch(self, paths: list[str], changed: Callable[[], Any]) -> Any:
        self.watches.append(Watch(paths, changed))
        return self.watches[-1]

    def __call__(self, event: LogEvent) -> None:
        self.log.append(formatEvent(event))


async def _called(function: Callable[[], Any]) -> Any:
    return await succeed(None) or function()


@pytest.fixture
def setup(tmp_path: Path) -> Any:
    made = Setup(tmp_path)
    globalLogPublisher.addObserver(made)
    yield made
    globalLogPublisher.removeObserver(made)


def _weak(place: Path) -> None:
    small = rsa.generate_private_key(65537, 1024)
    write_pair(place, "server", OURS.issue(LEAF, small), small)


Spoil = Callable[[Path], object]
BROKEN: dict[str, tuple[Spoil, str]] = {
    "unparsable": (lambda p: (p / "servercert.pem").write_bytes(GARBAGE), "cert_file {}/servercert.pem holds a broken"),
    "half": (lambda p: (p / "servercert.pem").write_bytes(pem(OURS.certificate)[:99]), "cert_file {}/servercert.pem"),
    "empty key": (lambda p: (p / "serverkey.pem").write_bytes(b""), "key_file {}/serverkey.pem holds no usable"),
    "other key": (
        lambda p: (p / "serverkey.pem").write_bytes(key_pem(shared_key(3))),
        "key_file {}/serverkey.pem is not the key of cert_file",
    ),
    "expired": (
        lambda p: write_pair(p, "server", OURS.issue(replace(LEAF, days=(-9, -1)))),
        "cert_file {}/servercert.pem: it expired on",
    ),
    "a client's": (
        lambda p: write_pair(p, "server", OURS.issue(replace(LEAF, purposes=(CLIENT,)))),
        "cert_file {}/servercert.pem: its purposes",
    ),
    "weak key": (_weak, "cert_file {}/servercert.pem and key_file {}/serverkey.pem cannot be used: ee key too small"),
    "other CA": (
        lambda p: (p / "cacert.pem").write_bytes(pem(OTHER.certificate)),
        "cert_file {}/servercert.pem was not issued by an authority of",
    ),
    "no CA": (lambda p: (p / "cacert.pem").unlink(), "ca_file {}/cacert.pem does not exist"),
    "old list": (
        lambda p: (p / "crl.pem").write_bytes(OURS.revocation_list(days=(-9, -1))),
        "crl_file {}/crl.pem was to be renewed by",
    ),
    "other's list": (
        lambda p: (p / "crl.pem").write_bytes(OTHER.revocation_list()),
        "crl_file {}/crl.pem was not issued by",
    ),
    "list gone": (lambda p: (p / "crl.pem").unlink(), "crl_file {}/crl.pem is gone, and without it who was revoked"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_used_is_left_with_a_warning_that_names_it(setup: Setup, case: str) -> None:
    spoil, says = BROKEN[case]
    before = setup.certificates.tls
    spoil(setup.place)
    await setup.watches[0].changed()
    assert setup.certificates.tls is before
    assert len(setup.log) == 1
    assert says.replace("{}", str(setup.place)) in setup.log[0]


@pytest_twisted.ensureDeferred
async def test_what_no_parser_has_met_does_no_harm(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, flush_errors: Callable[..., list[Any]]
) -> None:
    def fails(self: ServerTls) -> None:
        raise ZeroDivisionError

    before = setup.certificates.tls
    monkeypatch.setattr(ServerTls, "check", fails)
    assert "cannot be understood (ZeroDivisionError)" in await setup.certificates.reload_tls()
    assert setup.certificates.tls is before
    assert len(flush_errors(ZeroDivisionError)) == 1


@pytest_twisted.ensureDeferred
async def test_what_is_the_same_is_said_only_if_asked(setup: Setup) -> None:
    before = setup.certificates.tls
    await setup.watches[0].changed()
    assert (setup.certificates.tls, setup.log) == (before, [])
    assert await setup.certificates.reload_tls() == "The TLS files say what they said before"
    assert setup.certificates.tls is before


@pytest_twisted.ensureDeferred
async def test_what_is_new_is_described(setup: Setup) -> None:
    new = OURS.issue(replace(LEAF, name="second"))
    write_pair(setup.place, "server", new)
    (setup.place / "crl.pem").write_bytes(OURS.revocation_list(new, OURS.issue(LEAF), days=(-1, 300)))
    told = await setup.certificates.reload_tls()
    assert told in setup.log
    assert f"{setup.place}/servercert.pem with the certificate of" in told
    assert f'CN=second", serial number {new.serial_number:x}, valid until ' in told
    assert f"crl_file {setup.place}/crl.pem with 2 certificates revoked" in told
    assert setup.certificates.tls.credentials.chain == (new,)


@pytest_twisted.ensureDeferred
async def test_of_two_readings_the_later_counts(setup: Setup) -> None:
    """The first is still going on when the files change again and the second is asked for."""
    going: list[Deferred[None]] = []

    async def slowly(function: Callable[[], Any]) -> Any:
        result = function()
        going.append(Deferred())
        await going[-1]
        return result

    certificates = Certificates(setup.certificates.tls, 30, setup.clock, slowly, setup._watch)
    outcomes = []
    for name in ("second", "third"):
        write_pair(setup.place, "server", OURS.issue(replace(LEAF, name=name)))
        outcomes.append(Deferred.fromCoroutine(certificates.reload_tls()))
    going[0].callback(None)
    going[1].callback(None)
    assert ["CN=second" in await outcomes[0], "CN=third" in await outcomes[1]] == [True, True]
    assert subject_of(certificates.tls.credentials.chain[0]).endswith("CN=third")


@pytest_twisted.ensureDeferred
async def test_the_end_is_warned_of_daily_from_its_time_on(setup: Setup) -> None:
    certificates = setup.certificates
    certificates.start()
    assert (setup.watches[0].running, setup.log) == (True, [])
    setup.now += 280 * DAY
    setup.clock.advance(DAY_SECONDS - 1)
    assert setup.log == []
    setup.clock.advance(1)
    told = [line.partition(": ")[2] for line in setup.log]
    assert told[0].startswith('the certificate of "C=GB,O=Org\\, Inc,CN=first" expires on ')
    assert ", in 19 days: put a new one there in time" in told[0]
    assert told[1].startswith('the revocation list of "CN=Test CA" is to be renewed by ')
    assert len(told) == 2
    setup.now += 400 * DAY
    setup.clock.advance(DAY_SECONDS)
    assert "expired on" in setup.log[2]
    assert 'the certificate of "CN=Test CA" expired on' in setup.log[3]
    assert "was to be renewed by" in setup.log[4]
    certificates.stop()
    assert setup.watches[0].running is False
    assert not setup.clock.getDelayedCalls()


def test_days_left_are_measured(setup: Setup) -> None:
    subject = "C=GB,O=Org\\, Inc,CN=first"
    left = {(Path(file).name, name): days for (file, name), days in setup.certificates.days_left()}
    assert left == {
        ("servercert.pem", subject): pytest.approx(300, abs=0.1),
        ("cacert.pem", "CN=Test CA"): pytest.approx(600, abs=0.1),
        ("crl.pem", "CN=Test CA"): pytest.approx(300, abs=0.1),
    }


def test_an_authority_beside_its_former_self_is_one_number(setup: Setup) -> None:
    both = pem(OURS.certificate) + pem(Authority(days=(-2, 40)).certificate)
    (setup.place / "cacert.pem").write_bytes(both)
    certificates = Certificates(
        ServerTls(setup.settings), 30, setup.clock, lambda function: _called(function), setup._watch
    )
    numbers = [days for (file, _), days in certificates.days_left() if file.endswith("cacert.pem")]
    assert numbers == [pytest.approx(40, abs=0.1)]


def test_all_files_are_watched_whether_they_are_there_or_not(setup: Setup) -> None:
    names = ["servercert.pem", "serverkey.pem", "cacert.pem", "crl.pem"]
    assert setup.watches[0].paths == [str(setup.place / name) for name in names]
    assert len(paths_of(replace(setup.settings, crl_file=None))) == 3
