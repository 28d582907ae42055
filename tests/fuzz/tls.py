# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m tests.fuzz.tls``: garbage in place of a handshake, garbage after one, and hostile certificate files.

A connection is refused, or answers and closes in order; nobody is let in but who has a certificate. A file is refused
in words, or holds what its authority has signed. Every conversation is made again from its seed and number.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.logger import globalLogBeginner, globalLogPublisher

from tests.auth.conftest import LOCALHOST
from tests.fuzz.campaign import Finding, _Failures, open_fds, resident_kib
from tests.fuzz.corpus import to_server
from tests.fuzz.hostile_files import spoil
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import ServerEnd
from tests.support.memory import MemoryTransport
from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair
from virtproxy.auth.tls import ServerTls, TlsSettings, TlsSetupError
from virtproxy.auth.tls_files import Credentials
from virtproxy.auth.tls_transport import HANDSHAKE_SECONDS
from virtproxy.rpc.server import ServerConnection, ServerSettings

INPUTS = 150_000
GROWTH_KIB = 6 * 1024
WARM_UP = 0.3
# Packets that one client sends after its handshake.
PACKETS_EACH = 20
_FLIGHT_MAX = 1 << 18
_RECORDS = (
    b"\x16\x03\x01", b"\x14\x03\x03\0\1\1", b"\x15\x03\x03\0\2\2\x28", b"\x17\x03\x03", b"\x80\x2e\1", b"GET / ",
    b"\0\0\0\x1c\x20\0\x80\x86", b"\x16\x03\x03\x40\1", b"\x18\x03\x03\0\3\1\x40\0",
)  # fmt: skip


class Socket(MemoryTransport):
    """A socket's transport as Twisted's TLS layer uses it."""

    disconnecting = False

    def unregisterProducer(self) -> None:
        """Nobody is to be paused any more."""
        self.producer = None

    def take(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.written)
        self.written.clear()
        return data


class Place:
    """Files of a server and of a client, and the daemon's end made of them."""

    def __init__(self, directory: Path) -> None:
        ours, other = Authority(), Authority("Other CA", 1)
        (directory / "cacert.pem").write_bytes(pem(ours.certificate))
        (directory / "crl.pem").write_bytes(ours.revocation_list(ours.issue(Leaf("mallory"))))
        write_pair(directory, "server", ours.issue(Leaf("localhost", purposes=(SERVER,), hosts=LOCALHOST)))
        write_pair(directory, "client", ours.issue(Leaf("alice")))
        write_pair(directory, "other", other.issue(Leaf("other")))
        cert, key, ca, crl = (directory / name for name in FILES)
        self.settings = TlsSettings(cert, key, ca, crl, crl_required=True)
        self.tls = ServerTls(self.settings)
        assert self.tls.check() == []
        self.good = {name: (directory / name).read_bytes() for name in FILES}
        self.signed = signed(self.tls.credentials)
        self.contexts = {stem: self._context(directory, stem) for stem in ("client", "other", None)}

    def _context(self, directory: Path, stem: str | None) -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        # So that a client's certificate is seen, and spoilt, on its way.
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        if stem is not None:
            context.use_certificate_file(str(directory / f"{stem}cert.pem"))
            context.use_privatekey_file(str(directory / f"{stem}key.pem"))
        return context


FILES = ("servercert.pem", "serverkey.pem", "cacert.pem", "crl.pem")


def signed(credentials: Credentials) -> set[bytes]:
    """What the authority has signed of these files."""
    leaf = credentials.chain[0].tbs_certificate_bytes
    return {leaf, *(revocations.tbs_certlist_bytes for revocations in credentials.revocations)}


class Client:
    """A client of the daemon's end, in memory, and what became of it."""

    def __init__(self, place: Place, stem: str | None, sessions: ServerEnd) -> None:
        self.clock = Clock()
        self.let_in: list[ServerConnection] = []
        self.lost: list[ServerConnection] = []
        self._sessions = sessions
        self.tls = SSL.Connection(place.contexts[stem], None)
        self.tls.set_connect_state()
        server: Any = place.tls.wrap(self.clock, "fuzz", self._connection)
        self.server = server
        self.socket = Socket(server)
        server.makeConnection(self.socket)

    def _connection(self, identity: object) -> ServerConnection:
        made = ServerConnection(self.clock, ServerSettings(), self._sessions._session, self.lost.append)
        self.let_in.append(made)
        return made

    def flight(self) -> bytes:
        """What the client says next."""
        with contextlib.suppress(SSL.Error):
            self.tls.do_handshake()
        with contextlib.suppress(SSL.Error):
            return self.tls.bio_read(_FLIGHT_MAX)
        return b""

    def deliver(self, data: bytes) -> None:
        """Bytes arrive at the daemon; what it says goes to the client."""
        if data and not self.socket.closing and not self.socket.paused:
            self.server.dataReceived(data)
        self.clock.advance(0)
        said = self.socket.take()
        if said:
            self.tls.bio_write(said)

    def shake(self) -> None:
        """An honest handshake."""
        while not self.let_in and (data := self.flight()):
            self.deliver(data)

    def end(self) -> None:
        """Time passes and the connection ends; nothing may be left of it."""
        self.clock.advance(HANDSHAKE_SECONDS + 1)
        self.socket.end()
        self.clock.advance(0)
        assert self.lost == self.let_in
        assert not self.clock.getDelayedCalls(), self.clock.getDelayedCalls()


def mangled(random: Random, data: bytes) -> bytes:
    """Bytes of a handshake, changed in up to four ways; some stay as they are."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 4))):
        at = random.randint(0, len(changed))
        way = random.randrange(7)
        if way == 0 and changed:
            changed[at % len(changed)] ^= 1 << random.randrange(8)
        elif way == 1 and changed:
            changed[at % len(changed)] = random.choice((0, 1, 2, 0x16, 0x7F, 0x80, 0xFF))
        elif way == 2:
            del changed[at : at + random.choice((1, 2, 50, 5000))]
        elif way == 3:
            changed[at:at] = random.choice(_RECORDS) + random.randbytes(random.choice((0, 4, 60)))
        elif way == 4:
            changed[at:at] = changed[max(0, at - random.randint(1, 100)) : at]
        elif way == 5:
            changed[at:] = random.randbytes(random.choice((1, 5, 300)))
    return bytes(changed)


class Fuzz:
    """Conversations number 0, 1, 2 ... of one seed; counts what it put in and what became of it."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.seed = seed
        self.place = Place(directory)
        self.directory = directory
        self.seen: Counter[str] = Counter()
        self._sessions = ServerEnd()
        self._kinds: tuple[Callable[[Random], int], ...] = (self._after, *[self._instead] * 8, *[self._files] * 12)

    def converse(self, number: int) -> int:
        """One conversation or set of files; returns how many inputs it was."""
        return self._kinds[number % len(self._kinds)](Random(f"{self.seed}/{number}"))

    def _instead(self, random: Random) -> int:
        """Garbage in place of the first or of the second flight of a handshake: nobody is let in."""
        client = Client(self.place, random.choice(("client", "client", "other", None)), self._sessions)
        first = client.flight()
        if random.random() < 0.5:
            client.deliver(first)
            first = client.flight()
        sent = mangled(random, first)
        step = random.choice((len(sent), 7, 100)) or 1
        for at in range(0, len(sent), step):
            client.deliver(sent[at : at + step])
        client.shake()
        # A change that nobody can see in the end (a flight repeated, cut in other pieces) lets in who would be.
        self.seen["instead of a handshake"] += 1
        self.seen["let in all the same"] += len(client.let_in)
        assert not client.let_in or client.server.peer.name == "C=GB,O=Org\\, Inc,CN=alice"
        client.end()
        return 1

    def _after(self, random: Random) -> int:
        """Garbage after a handshake: bad packets, no packets, or bytes that are not TLS any more."""
        client = Client(self.place, "client", self._sessions)
        client.shake()
        assert client.let_in
        mutator = Mutator(random, to_server(), 5)
        packets = [mutator.packet() if random.random() < 0.9 else random.randbytes(40) for _ in range(PACKETS_EACH)]
        stream = b"".join(packets)
        for piece in mutator.cut(stream):
            with contextlib.suppress(SSL.Error):
                client.tls.sendall(piece)
            data = client.flight()
            client.deliver(mangled(random, data) if random.random() < 0.02 else data)
        self.seen["after a handshake"] += PACKETS_EACH
        client.end()
        return PACKETS_EACH

    def _files(self, random: Random) -> int:
        """A hostile file among good ones: refused in words, or what is in it was signed."""
        name = random.choice(FILES)
        path = self.directory / name
        path.write_bytes(spoil(random, self.place.good, name))
        tls = ServerTls(self.place.settings)
        try:
            tls.check()
            assert signed(tls.credentials) <= self.place.signed, f"{name} was taken though nobody signed it"
            self.seen["files taken"] += 1
        except TlsSetupError as error:
            assert str(path) in str(error) or name == "cacert.pem", f"{error} does not name {name}"
            assert len(str(error)) < 1000
        finally:
            path.write_bytes(self.place.good[name])
        self.seen["files"] += 1
        return 1


@contextlib.contextmanager
def fuzzing(seed: int) -> Iterator[Fuzz]:
    """A Fuzz in a directory of its own."""
    directory = Path(tempfile.mkdtemp(prefix="vp"))
    try:
        yield Fuzz(seed, directory)
    finally:
        shutil.rmtree(directory)


def run(seed: int, inputs: int) -> str:
    """Put in at least so many; returns a report, raises Finding."""
    failures, begin, done, number, memory, descriptors = _Failures(), time.perf_counter(), 0, 0, 0, 0
    globalLogPublisher.addObserver(failures)
    try:
        with fuzzing(seed) as fuzz:
            while done < inputs:
                if not memory and done >= inputs * WARM_UP:
                    memory, descriptors = resident_kib(), open_fds()
                done += _watched(fuzz, failures, number)
                number += 1
    finally:
        globalLogPublisher.removeObserver(failures)
    growth = resident_kib() - memory
    kinds = ", ".join(f"{count} {kind}" for kind, count in fuzz.seen.items())
    report = f"{done} inputs ({kinds}), {time.perf_counter() - begin:.1f} s; memory grew by {growth} KiB; no finding"
    if growth > GROWTH_KIB or open_fds() != descriptors:
        raise Finding(f"it grew: {report}, {open_fds()} descriptors, {descriptors} before")
    return report


def _watched(fuzz: Fuzz, failures: Any, number: int) -> int:
    try:
        done = fuzz.converse(number)
    except Exception as failure:
        again = f"see it again with: python -m tests.fuzz.tls --seed {fuzz.seed} --only {number}"
        raise Finding(f"{again}: {type(failure).__name__}: {failure}") from failure
    if failures.seen:
        again = f"python -m tests.fuzz.tls --seed {fuzz.seed} --only {number}"
        raise Finding(f"{again}: {failures.seen[0]['log_failure'].getTraceback()}")
    return done


def main() -> int:
    """Run it; print what it did; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.tls", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many at least (%(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="makes the same inputs again")
    parser.add_argument("--only", type=int, help="one conversation of the seed, as a finding names it")
    options = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    print(f"seed {options.seed}", flush=True)
    try:
        if options.only is None:
            print(run(options.seed, options.inputs))
        else:
            with fuzzing(options.seed) as fuzz:
                fuzz.converse(options.only)
    except Finding as finding:
        print(finding, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
