# SPDX-License-Identifier: LGPL-2.1-or-later
"""The framer cuts the same packets out of any chunking, and refuses broken ones before it keeps them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.wire.frame import CALL, CALL_WITH_FDS, MESSAGE, OK, STREAM, Frame, pack
from virtproxy.wire.framer import DIVERT_MIN, LARGE_MIN, FrameError, Framer
from virtproxy.wire.limits import FDS_MAX, MESSAGE_MAX, PACKET_MAX, PACKET_MIN

REMOTE = 0x20008086

frames = st.builds(
    pack,
    program=st.integers(0, 2**32 - 1),
    version=st.integers(0, 2**32 - 1),
    procedure=st.integers(-(2**31), 2**31 - 1),
    type=st.sampled_from([CALL, MESSAGE, STREAM]),
    serial=st.integers(0, 2**32 - 1),
    status=st.integers(0, 2),
    payload=st.binary(max_size=80),
)


def facts(frame: Frame) -> tuple[object, ...]:
    """What two equal frames have in common."""
    return (frame.raw, frame.program, frame.version, frame.procedure, frame.type, frame.serial, frame.status)


@given(st.lists(frames, max_size=6), st.data())
def test_any_chunking_gives_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(frame.raw for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    framer, received = Framer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if end > start:
            received += framer.feed(stream[start:end])
    assert [facts(frame) for frame in received] == [facts(frame) for frame in sent]
    assert framer.missing == 0


@given(st.lists(frames, max_size=9), st.integers(1, 4), st.data())
def test_a_few_at_a_time_gives_the_same_frames(sent: list[Frame], most: int, data: st.DataObject) -> None:
    stream = b"".join(frame.raw for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    framer, received = Framer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += (few := framer.feed(stream[start:end], most))
        while framer.rest is not None and data.draw(st.booleans()):
            assert len(few) <= most
            received += (few := framer.feed(b"", most))
    while framer.rest is not None:
        received += framer.feed(b"", most)
    assert [facts(frame) for frame in received] == [facts(frame) for frame in sent]


def test_a_large_packet_is_not_copied_when_it_is_whole() -> None:
    large = pack(REMOTE, 1, 1, CALL, 1, OK, bytes(LARGE_MIN)).raw
    after = pack(REMOTE, 1, 1, CALL, 2, OK, b"after").raw
    framer = Framer()
    stream = large + after + large
    received = [frame for at in range(0, len(stream), 100_000) for frame in framer.feed(stream[at : at + 100_000])]
    assert [bytes(frame.raw) for frame in received] == [large, after, large]
    assert [type(frame.raw) for frame in received] == [bytearray, bytes, bytearray]
    assert received[0].serial == 1


def test_a_large_packet_gets_its_descriptors() -> None:
    ends = os.pipe()
    raw = pack(REMOTE, 1, 249, CALL_WITH_FDS, 1, OK, bytes(LARGE_MIN), ends).raw
    framer = Framer()
    assert framer.feed(raw[:50_000]) == []
    framer.add_fds(ends)
    (frame,) = framer.feed(raw[50_000:] + b"\0\0")
    assert (frame.fds, frame.raw) == (ends, raw)
    for fd in ends:
        os.close(fd)


def test_the_owner_may_allow_less() -> None:
    one, other = Framer(), Framer()
    one.packet_max = other.packet_max = 1000
    assert one.feed((1000).to_bytes(4, "big")) == []
    with pytest.raises(FrameError, match="announces 1001 bytes; from 28 to 1000 are allowed"):
        other.feed((1001).to_bytes(4, "big"))


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=10))
def test_any_bytes_give_frames_or_frame_error(chunks: list[bytes]) -> None:
    framer = Framer()
    try:
        for chunk in chunks:
            for frame in framer.feed(chunk):
                assert PACKET_MIN <= len(frame.raw) <= PACKET_MAX
    except FrameError:
        pass


@pytest.mark.parametrize("length", [0, 3, 27, 2**31, 2**32 - 1, PACKET_MAX + 1])
def test_a_length_out_of_bounds_is_refused_at_once(length: int) -> None:
    with pytest.raises(FrameError, match=str(length)):
        Framer().feed(length.to_bytes(4, "big"))


def test_the_smallest_and_the_largest_packet_pass() -> None:
    assert len(Framer().feed(pack(REMOTE, 1, 1, CALL, 1, OK).raw)) == 1
    largest = pack(REMOTE, 1, 1, CALL, 1, OK, bytes(MESSAGE_MAX - 24))
    assert len(largest.raw) == PACKET_MAX
    framer = Framer()
    assert framer.feed(largest.raw[:100]) == []
    assert framer.missing == PACKET_MAX - 100
    assert len(framer.feed(largest.raw[100:])) == 1
    with pytest.raises(ValueError, match="over the limit"):
        pack(REMOTE, 1, 1, CALL, 1, OK, bytes(MESSAGE_MAX))


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=5), st.data())
def test_a_diverted_packet_goes_piece_by_piece_and_whole(sizes: list[int], data: st.DataObject) -> None:
    """Whatever the chunks, each packet is either received or passed on, in order and to the last byte."""
    sent = [pack(REMOTE, 1, 208, STREAM, serial, 2, bytes([serial]) * size) for serial, size in enumerate(sizes)]
    stream = b"".join(frame.raw for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    framer, got = Framer(), bytearray()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if end == start:
            continue
        for frame in framer.feed(stream[start:end]):
            got += frame.raw
        head = framer.head()
        if head is not None:
            assert (head.procedure, head.type) == (208, STREAM)
            framer.divert(got.extend)
    assert bytes(got) == stream
    assert framer.missing == 0


def test_only_the_start_of_a_large_packet_can_be_diverted() -> None:
    large = pack(REMOTE, 1, 208, STREAM, 1, 2, bytes(DIVERT_MIN)).raw
    small = pack(REMOTE, 1, 208, STREAM, 1, 2, bytes(DIVERT_MIN // 2)).raw
    for chunks in ([large[:27]], [small[:100]], [large[:20], large[20:100]], [large]):
        framer = Framer()
        for chunk in chunks:
            framer.feed(chunk)
        assert framer.head() is None


def with_fds(count: int) -> bytes:
    """A call that announces `count` descriptors, without their bytes."""
    return pack(REMOTE, 1, 249, CALL_WITH_FDS, 1, OK, b"args", range(count)).raw


def test_descriptors_belong_to_their_message_however_the_bytes_come() -> None:
    ends = os.pipe()
    framer = Framer()
    raw = with_fds(2)
    assert framer.feed(raw[:30]) == []
    assert framer.feed(raw[30:]) == []
    framer.add_fds([ends[0]])
    assert framer.feed(b"\0") == []
    framer.add_fds([ends[1]])
    (frame, after) = framer.feed(b"\0" + pack(REMOTE, 1, 2, CALL, 2, OK).raw)
    assert frame.fds == ends
    assert bytes(frame.payload) == b"args"
    assert after.fds == ()
    for fd in ends:
        os.close(fd)


def test_more_descriptors_than_allowed_are_refused() -> None:
    packet = bytearray(with_fds(1))
    packet[28:32] = (FDS_MAX + 1).to_bytes(4, "big")
    with pytest.raises(FrameError, match="33 descriptors"):
        Framer().feed(bytes(packet))
    with pytest.raises(ValueError, match="33 descriptors"):
        with_fds(FDS_MAX + 1)


def test_descriptors_nobody_announced_are_refused_and_closed() -> None:
    reader, writer = os.pipe()
    framer = Framer()
    framer.add_fds([reader, writer])
    with pytest.raises(FrameError, match="without a message"):
        framer.feed(pack(REMOTE, 1, 1, CALL, 1, OK).raw)
    framer.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)


def test_announced_descriptors_that_did_not_come_are_refused() -> None:
    with pytest.raises(FrameError, match="0 arrived"):
        Framer().feed(with_fds(1) + b"\0")


def test_a_descriptor_message_too_short_for_its_count_is_refused() -> None:
    with pytest.raises(FrameError, match="too short"):
        Framer().feed(pack(REMOTE, 1, 1, 9, 1, OK).raw[:12] + pack(0, 0, 0, CALL_WITH_FDS, 0, 0, b"").raw[12:28])


def test_descriptors_of_packets_before_a_fault_are_closed() -> None:
    reader, writer = os.pipe()
    framer = Framer()
    framer.add_fds([reader, writer])
    with pytest.raises(FrameError, match="announces 3 bytes"):
        framer.feed(with_fds(2) + b"\0\0" + (3).to_bytes(4, "big"))
    framer.close()
    for fd in (reader, writer):
        with pytest.raises(OSError):
            os.fstat(fd)
