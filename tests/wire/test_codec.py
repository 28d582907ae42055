# SPDX-License-Identifier: LGPL-2.1-or-later
"""The codec's entry points, the bounds on what a few bytes can cost, and what structs are like in Python."""

from __future__ import annotations

import copy
import pickle
import time
import tracemalloc

import pytest

from virtproxy.protocol import remote
from virtproxy.wire.codec import Struct, WireError, decode, decode_exact, decode_from, encode
from virtproxy.wire.decoder import Decoder
from virtproxy.wire.limits import STRING_MAX
from virtproxy.wire.plan import plan_of, smallest
from virtproxy.wire.value import StructMeta
from virtproxy.wire.xdr import Int

DOMAIN = remote.NonnullDomain(name="test", uuid=bytes(range(16)), id=-1)
RAW = bytes.fromhex("0000000474657374" + "000102030405060708090a0b0c0d0e0f" + "ffffffff")


class Nameless(Struct):
    it: list[Int]


def test_offset_and_rest() -> None:
    data = b"\xff" * 4 + RAW + b"rest"
    assert decode(remote.NonnullDomain, data, 4) == DOMAIN
    assert decode_from(remote.NonnullDomain, data, 4) == (DOMAIN, 4 + len(RAW))


def test_memoryview() -> None:
    assert decode(remote.NonnullDomain, memoryview(b"1234" + RAW)[4:]) == DOMAIN
    assert decode_exact(remote.NonnullDomain, memoryview(RAW)) == DOMAIN


def test_runs_are_merged() -> None:
    # id and flags belong to different structs and are still unpacked by one call.
    text, _ = Decoder().function(plan_of(remote.DomainCreateWithFlagsArgs))
    assert text.count("unpack_from") == 2
    text, _ = Decoder().function(plan_of(remote.DomainGetInfoRet))
    assert text.count("unpack_from") == 1


def test_longest_string() -> None:
    value = remote.DomainLookupByNameArgs(name="x" * STRING_MAX)
    assert decode_exact(remote.DomainLookupByNameArgs, encode(value)) == value
    with pytest.raises(WireError, match="over the limit"):
        encode(remote.DomainLookupByNameArgs(name="x" * (STRING_MAX + 1)))
    with pytest.raises(WireError, match="over the limit"):
        decode(remote.DomainLookupByNameArgs, (STRING_MAX + 1).to_bytes(4, "big") + bytes(STRING_MAX + 4))


def test_longest_list() -> None:
    most = remote.DOMAIN_LIST_MAX
    value = remote.ConnectListDomainsRet(ids=list(range(most)))
    assert decode_exact(remote.ConnectListDomainsRet, encode(value)) == value
    with pytest.raises(WireError, match="over the limit"):
        encode(remote.ConnectListDomainsRet(ids=list(range(most + 1))))
    with pytest.raises(WireError, match="over the limit"):
        decode(remote.ConnectListDomainsRet, (most + 1).to_bytes(4, "big") + bytes(4 * most + 4))


@pytest.mark.parametrize("cls", [remote.ConnectListAllDomainsRet, remote.ConnectListDomainsRet, remote.AuthSaslInitRet])
@pytest.mark.parametrize("count", [16384, 65536, 262144, 2**31 - 1, 2**31, 2**32 - 1])
def test_counts_are_checked_before_memory_is_taken(cls: type[Struct], count: int) -> None:
    data = count.to_bytes(4, "big") + bytes(64)
    with pytest.raises(WireError):
        decode(cls, data)
    tracemalloc.start()
    with pytest.raises(WireError):
        decode(cls, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16384


def test_a_large_value_takes_little_time() -> None:
    params = [remote.TypedParam(f"vcpu.{n}.time", remote.TypedParamValue(4, n)) for n in range(20)]
    records = [remote.DomainStatsRecord(dom=DOMAIN, params=params)] * 1000
    value = remote.ConnectGetAllDomainStatsRet(ret_stats=records)
    began = time.process_time()
    assert decode_exact(remote.ConnectGetAllDomainStatsRet, encode(value)) == value
    # Twenty thousand parameters; a hundred times what a quiet machine needs.
    assert time.process_time() - began < 5


def test_a_struct_is_frozen() -> None:
    for name in ("name", "other"):
        with pytest.raises(AttributeError):
            setattr(DOMAIN, name, "changed")
    assert not hasattr(DOMAIN, "__dict__")


def test_constructor() -> None:
    assert remote.NonnullDomain("test", bytes(range(16)), -1) == DOMAIN
    with pytest.raises(TypeError):
        remote.NonnullDomain("test", id=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        remote.NonnullDomain(nme="test", uuid=b"", id=1)  # type: ignore[call-arg]


def test_equality_is_of_one_type() -> None:
    network = remote.NonnullNetwork(name="a", uuid=bytes(16))
    assert network != remote.NonnullNwfilter(name="a", uuid=bytes(16))
    assert network != ("a", bytes(16))
    assert network == remote.NonnullNetwork(name="a", uuid=bytes(16))
    assert len({network, remote.NonnullNetwork(name="a", uuid=bytes(16))}) == 1


def test_repr_shows_uuids_and_hides_other_bytes() -> None:
    assert repr(DOMAIN) == "NonnullDomain(name='test', uuid=000102030405060708090a0b0c0d0e0f, id=-1)"
    secret = remote.NonnullSecret(uuid=bytes(16), usage_type=0, usage_id="")
    shown = repr(remote.SecretSetValueArgs(secret=secret, value=b"pass phrase", flags=0))
    assert "<11 bytes>" in shown
    assert "pass" not in shown
    user = remote.DomainSetUserPasswordArgs(dom=DOMAIN, user=None, password="pass phrase", flags=0)
    assert "password=<hidden>" in repr(user)


def test_copies() -> None:
    assert copy.deepcopy(DOMAIN) == copy.copy(DOMAIN) == pickle.loads(pickle.dumps(DOMAIN)) == DOMAIN


def test_pattern_matching() -> None:
    match DOMAIN:
        case remote.NonnullDomain(name, _, id):
            assert (name, id) == ("test", -1)


def test_a_declaration_needs_its_limit() -> None:
    with pytest.raises(TypeError, match="no wire form"):
        plan_of(Nameless)


def test_a_struct_without_fields_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="Empty has no fields"):
        StructMeta("Empty", (Struct,), {"__module__": __name__})


def test_smallest() -> None:
    assert smallest(plan_of(remote.NonnullDomain)) == 24
    assert smallest(plan_of(remote.TypedParam)) == 12
