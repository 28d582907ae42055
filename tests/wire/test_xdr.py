# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every wire type by example: the bytes are those of RFC 4506, worked out by hand."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, ClassVar

import pytest

from virtproxy.wire.codec import Struct, Union, WireError, decode_exact, encode
from virtproxy.wire.xdr import (
    Bool,
    Char,
    Chars,
    Double,
    Hyper,
    Int,
    Length,
    Max,
    Short,
    UChar,
    UHyper,
    UInt,
    UShort,
)

Name = Annotated[str, Max(8)]


class Colour(IntEnum):
    RED = 0
    BLUE = 7


class AnInt(Struct):
    it: Int


class AUInt(Struct):
    it: UInt


class AHyper(Struct):
    it: Hyper


class AUHyper(Struct):
    it: UHyper


class ADouble(Struct):
    it: Double


class AChar(Struct):
    it: Char


class AUChar(Struct):
    it: UChar


class AShort(Struct):
    it: Short


class AUShort(Struct):
    it: UShort


class ABool(Struct):
    it: Bool


class AName(Struct):
    it: Name


class AnOptional(Struct):
    it: Name | None


class AnEnum(Struct):
    it: Colour


class Data(Struct):
    it: Annotated[bytes, Max(6)]


class FixedData(Struct):
    it: Annotated[bytes, Length(6)]


class Letters(Struct):
    it: Annotated[bytes, Chars(Max(3))]


class FixedLetters(Struct):
    it: Annotated[bytes, Chars(Length(2))]


class Numbers(Struct):
    it: Annotated[list[UInt], Max(3)]


class TwoNumbers(Struct):
    it: Annotated[list[Hyper], Length(2)]


class Flags(Struct):
    it: Annotated[list[UChar], Max(2)]


class Names(Struct):
    it: Annotated[list[Name], Max(2)]


class Inner(Struct):
    a: Int
    b: Name


class Outer(Struct):
    it: Annotated[list[Inner], Max(2)]
    maybe: Inner | None
    end: UChar


class Either(Union):
    type: int
    value: int | str
    arms: ClassVar = {1: ("i", Int), 9: ("s", Name)}


class Holder(Struct):
    it: Either


GOOD = [
    (AnInt(-2), "fffffffe"),
    (AUInt(4294967295), "ffffffff"),
    (AHyper(-(2**63)), "8000000000000000"),
    (AUHyper(2**64 - 1), "ffffffffffffffff"),
    (ADouble(1.5), "3ff8000000000000"),
    (ADouble(float("-inf")), "fff0000000000000"),
    (AChar(-1), "ffffffff"),
    (AUChar(255), "000000ff"),
    (AShort(-3), "fffffffd"),
    (AUShort(65535), "0000ffff"),
    (ABool(True), "00000001"),
    (ABool(False), "00000000"),
    (AName(""), "00000000"),
    (AName("abc"), "0000000361626300"),
    (AName("abcdefgh"), "000000086162636465666768"),
    (AName("é"), "00000002c3a90000"),
    (AName("\udcff"), "00000001ff000000"),
    (AnOptional(None), "00000000"),
    (AnOptional("a"), "000000010000000161000000"),
    (AnEnum(Colour.BLUE), "00000007"),
    (Data(b""), "00000000"),
    (Data(b"\0\x01\x02\x03\x04"), "000000050001020304000000"),
    (FixedData(b"abcdef"), "6162636465660000"),
    (Letters(b"\x7f\xff"), "000000020000007fffffffff"),
    (FixedLetters(b"A\0"), "0000004100000000"),
    (Numbers([]), "00000000"),
    (Numbers([1, 2]), "000000020000000100000002"),
    (TwoNumbers([1, -1]), "0000000000000001ffffffffffffffff"),
    (Flags([1, 255]), "0000000200000001000000ff"),
    (Names(["a", ""]), "00000002000000016100000000000000"),
    (Outer([Inner(1, "x")], None, 5), "00000001000000010000000178000000" + "00000000" + "00000005"),
    (Outer([], Inner(2, ""), 6), "00000000" + "000000010000000200000000" + "00000006"),
    (Either(1, -1), "00000001ffffffff"),
    (Holder(Either(9, "ab")), "000000090000000261620000"),
]


@pytest.mark.parametrize(("value", "raw"), GOOD, ids=repr)
def test_encoding(value: Struct, raw: str) -> None:
    assert encode(value).hex() == raw


@pytest.mark.parametrize(("value", "raw"), GOOD, ids=repr)
def test_decoding(value: Struct, raw: str) -> None:
    assert decode_exact(type(value), bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("cls", "raw", "complaint"),
    [
        (AUChar, "00000100", "out of range"),
        (AUChar, "ffffffff", "out of range"),
        (AUShort, "00010000", "out of range"),
        (AShort, "00008000", "out of range"),
        (AChar, "00000080", "out of range"),
        (ABool, "00000002", "out of range"),
        (AName, "00000009616263646566676869000000", "over the limit of 8"),
        (AName, "ffffffff", "over the limit of 8"),
        (AName, "0000000861", "more than the bytes that remain"),
        (AName, "0000000361626301", "padding is not zero"),
        (AName, "0000000361626300"[:-2], "padding is not zero"),
        (AName, "0000000361006300", "NUL"),
        (AnOptional, "00000002", "neither 0 nor 1"),
        (AnEnum, "00000001", "is no Colour"),
        (AnEnum, "ffffffff", "is no Colour"),
        (Data, "00000007" + "00" * 8, "over the limit of 6"),
        (Data, "0000000500010203040000ff", "padding is not zero"),
        (FixedData, "6162636465660100", "padding is not zero"),
        (FixedData, "61626364", "cut short"),
        (Letters, "00000004" + "00" * 16, "over the limit of 3"),
        (Letters, "000000020000007f", "more than the bytes that remain"),
        (Letters, "0000000100000100", "out of range"),
        (FixedLetters, "00000041", "cut short"),
        (Numbers, "00000004" + "00" * 16, "over the limit of 3"),
        (Numbers, "0000000300000001", "more than the bytes that remain"),
        (Names, "7fffffff", "over the limit of 2"),
        (Either, "0000000200000000", "without an arm"),
        (Either, "00000001", "cut short"),
        (AnInt, "", "cut short"),
        (AHyper, "00000000000000", "cut short"),
        (AnInt, "0000000000", "after the value"),
    ],
)
def test_refused_bytes(cls: type[Struct], raw: str, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint) as caught:
        decode_exact(cls, bytes.fromhex(raw))
    assert str(caught.value).startswith(cls.__name__ + ": ")


def test_a_char_from_a_machine_without_sign() -> None:
    # There a char of 255 travels as 000000ff; what counts is the low byte.
    assert decode_exact(Letters, bytes.fromhex("00000001000000ff")) == Letters(b"\xff")


REFUSED: list[tuple[type[Any], Any, str]] = [
    (AnInt, 2**31, "format"),
    (AnInt, "1", "required argument"),
    (AnInt, None, "required argument"),
    (AUInt, -1, "argument out of range"),
    (AChar, 128, "out of range"),
    (AUChar, -1, "out of range"),
    (AUShort, 65536, "out of range"),
    (AName, "nine long", "over the limit of 8"),
    (AName, "ééééé", "over the limit of 8"),
    (AName, "a\0b", "NUL"),
    (AName, b"bytes", "encode"),
    (AName, None, "encode"),
    (AName, "\ud800", "surrogates not allowed"),
    (AnEnum, 3, "is no Colour"),
    (Data, b"1234567", "over the limit of 6"),
    (Data, "text", "bytes is needed, not str"),
    (FixedData, b"12345", "5 items, not 6"),
    (FixedLetters, b"123", "3 items, not 2"),
    (Letters, b"1234", "over the limit of 3"),
    (Numbers, [1, 2, 3, 4], "over the limit of 3"),
    (Numbers, "12", "a list is needed, not str"),
    (Numbers, [1, "2"], "required argument"),
    (TwoNumbers, [1], "1 items, not 2"),
    (Names, ["a", None], "encode"),
    (Holder, AnInt(1), "Either is needed, not AnInt"),
    (Holder, (1, 2), "Either is needed, not tuple"),
    (Holder, Either(2, 0), "without an arm"),
    (Holder, Either(1, "one"), "required argument"),
]


@pytest.mark.parametrize(("cls", "value", "complaint"), REFUSED)
def test_refused_values(cls: type[Any], value: Any, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        encode(cls(value))
