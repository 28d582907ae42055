# SPDX-License-Identifier: LGPL-2.1-or-later
"""libsasl2's own security layer, both ends in this process: DIGEST-MD5's, which needs no key server."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.support.sasl import USERS, server_of_tests
from virtproxy.auth.sasl.client import Credentials, SaslClient, client_library
from virtproxy.auth.sasl.connection import Demands, SaslConnection
from virtproxy.auth.sasl.negotiation import BUFFER_MAX, SaslLayer
from virtproxy.rpc.security_layer import LayerError

pytestmark = pytest.mark.programs("saslpasswd2")


def layers() -> tuple[SaslLayer, SaslLayer]:
    """A client's and a server's end of one layer."""
    server = SaslConnection(server_of_tests(), Demands(56))
    client = SaslClient(client_library(), "localhost", 56, Credentials("joe", USERS["joe"]))
    mechanism, said = client.start("DIGEST-MD5")
    asked = server.start(mechanism, said.data)
    while not (asked.complete and said.complete):
        said = client.step(asked.data)
        if not asked.complete:
            asked = server.step(said.data)
    assert (server.user, server.ssf, client.ssf) == ("joe", 128, 128)
    return client.layer(), server.layer()


@settings(max_examples=60, deadline=None)
@given(
    messages=some.lists(some.integers(1, 200_000), max_size=5),
    cuts=some.lists(some.integers(1, 40_000), min_size=1, max_size=6),
    to_server=some.booleans(),
)
def test_it_comes_out_as_it_went_in(messages: list[int], cuts: list[int], to_server: bool) -> None:
    ends = layers()
    sender, receiver = ends if to_server else ends[::-1]
    plain = [bytes([index + 65]) * size for index, size in enumerate(messages)]
    wire = b"".join(
        sender.encode(data[at : at + sender.piece_max])
        for data in plain
        for at in range(0, len(data), sender.piece_max)
    )
    found, at, turn = b"", 0, 0
    while at < len(wire):
        size = cuts[turn % len(cuts)]
        found += receiver.decode(wire[at : at + size])
        at, turn = at + size, turn + 1
    assert found == b"".join(plain)
    assert not [index for index in range(len(messages)) if bytes([index + 65]) * 64 in wire]


def test_a_piece_is_bounded() -> None:
    for layer in layers():
        assert 1000 < layer.piece_max <= BUFFER_MAX


@pytest.mark.parametrize("at", [0, 4, 50, -1])
def test_what_was_changed_on_the_way_is_refused(at: int) -> None:
    client, server = layers()
    wire = bytearray(client.encode(b"x" * 100))
    wire[at] ^= 0x40
    with pytest.raises(LayerError):
        server.decode(bytes(wire))


def test_what_is_not_of_the_layer_is_refused() -> None:
    for data in (b"\xff\xff\xff\xff", b"\0\x0f\xff\xff" + bytes(10)):
        _, server = layers()
        with pytest.raises(LayerError):
            server.decode(data + bytes(200_000))


def test_the_same_twice_is_refused() -> None:
    client, server = layers()
    wire = client.encode(b"destroy")
    assert server.decode(wire) == b"destroy"
    with pytest.raises(LayerError):
        server.decode(wire)
