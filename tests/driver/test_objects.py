# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of objects: each name, UUID and number once, and libvirt's errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from virtproxy.driver import ErrorCode, ErrorDomain, Objects, VirtError, kinds, remote


@dataclass(eq=False)
class Pool:
    name: str
    uuid: bytes

    def ref(self) -> remote.NonnullStoragePool:
        return remote.NonnullStoragePool(name=self.name, uuid=self.uuid)


A, B = bytes(range(16)), bytes(range(1, 17))


@pytest.fixture
def pools() -> Objects[Pool]:
    return Objects(kinds.POOLS)


def message(caught: pytest.ExceptionInfo[VirtError]) -> str:
    assert caught.value.message is not None
    return caught.value.message


def test_an_object_is_found_by_each_of_its_names(pools: Objects[Pool]) -> None:
    pool = pools.add(Pool("one", A))
    pools.number(pool, 7)
    assert pools.by_name("one") is pools.by_uuid(A) is pools.by_ref(pool.ref()) is pools.by_id(7) is pool
    assert (pools.get(name="one"), pools.get(uuid=A), pools.get(name="x"), pools.get()) == (pool, pool, None, None)
    assert pool in pools and len(pools) == 1 and list(pools) == [pool]


def test_what_is_not_there_is_an_error_of_its_kind(pools: Objects[Pool]) -> None:
    with pytest.raises(VirtError) as caught:
        pools.by_ref(Pool("one", A).ref())
    assert (caught.value.code, caught.value.domain) == (ErrorCode.NO_STORAGE_POOL, ErrorDomain.STORAGE)
    assert message(caught) == f"Storage pool not found: no storage pool with matching uuid '{UUID(bytes=A)}' (one)"
    finds: list[tuple[Callable[[], Pool], str]] = [
        (lambda: pools.by_name("x"), "name 'x'"),
        (lambda: pools.by_uuid(A), f"uuid '{UUID(bytes=A)}'"),
        (lambda: pools.by_id(3), "id 3"),
    ]
    for find, detail in finds:
        with pytest.raises(VirtError) as caught:
            find()
        assert message(caught) == f"Storage pool not found: no storage pool with matching {detail}"


def test_a_kind_without_uuids_is_found_by_name() -> None:
    interfaces: Objects[Pool] = Objects(kinds.INTERFACES.of(ErrorDomain.TEST))
    pool = interfaces.add(Pool("eth1", b""))
    interfaces.add(Pool("eth2", b""))
    assert interfaces.by_ref(remote.NonnullInterface(name="eth1", mac="")) is pool
    with pytest.raises(VirtError) as caught:
        interfaces.by_ref(remote.NonnullInterface(name="eth9", mac=""))
    assert caught.value.domain == ErrorDomain.TEST
    with pytest.raises(VirtError):
        interfaces.add(Pool("eth1", b""))


def test_a_document_is_about_the_object_of_its_name_and_uuid(pools: Objects[Pool]) -> None:
    pool = pools.add(Pool("one", A))
    assert pools.claim("one", A) is pool
    assert pools.claim("two", B) is None
    with pytest.raises(VirtError) as caught:
        pools.claim("two", A)
    assert caught.value.code == ErrorCode.OPERATION_FAILED
    assert message(caught) == f"operation failed: pool 'one' is already defined with uuid {UUID(bytes=A)}"
    with pytest.raises(VirtError) as caught:
        pools.add(Pool("one", B))
    assert message(caught) == f"operation failed: pool 'one' already exists with uuid {UUID(bytes=A)}"


def test_filters_and_secrets_have_words_of_their_own() -> None:
    filters: Objects[Pool] = Objects(kinds.NWFILTERS)
    filters.add(Pool("one", A))
    with pytest.raises(VirtError) as caught:
        filters.claim("two", A)
    assert message(caught) == "operation failed: filter with same UUID but different name ('one') already exists"
    with pytest.raises(VirtError) as caught:
        Objects[Pool](kinds.SECRETS).by_ref(remote.NonnullSecret(uuid=A, usage_type=0, usage_id=""))
    assert message(caught) == f"Secret not found: no secret with matching uuid '{UUID(bytes=A)}'"


def test_a_renamed_object_keeps_its_turn_and_number(pools: Objects[Pool]) -> None:
    one, two = pools.add(Pool("one", A)), pools.add(Pool("two", B))
    pools.number(one, 1)
    with pytest.raises(VirtError):
        pools.rename(one, "two")
    pools.rename(one, "three")
    assert [pool.name for pool in pools] == ["three", "two"]
    assert pools.by_name("three") is pools.by_id(1) is one and one.name == "three"
    assert pools.get(name="one") is None
    pools.remove(one)
    assert list(pools) == [two] and pools.get(uuid=A) is None
    with pytest.raises(VirtError):
        pools.by_id(1)
    pools.remove(one)


def test_a_number_is_of_one_object_at_a_time(pools: Objects[Pool]) -> None:
    one, two = pools.add(Pool("one", A)), pools.add(Pool("two", B))
    pools.number(one, 1)
    with pytest.raises(ValueError, match="two objects"):
        pools.number(two, 1)
    pools.number(one, None)
    pools.number(two, 1)
    assert pools.by_id(1) is two


def test_an_object_takes_anothers_place(pools: Objects[Pool]) -> None:
    one = pools.add(Pool("one", A))
    pools.number(one, 4)
    again = pools.replace(one, Pool("one", A))
    assert pools.by_name("one") is pools.by_uuid(A) is pools.by_id(4) is again
    with pytest.raises(ValueError, match="same name"):
        pools.replace(again, Pool("other", A))


def test_a_lookup_among_ten_thousand_takes_no_longer(pools: Objects[Pool]) -> None:
    for number in range(10_000):
        pools.add(Pool(f"pool{number}", number.to_bytes(16, "big")))
    ref = Pool("pool9999", (9999).to_bytes(16, "big")).ref()
    started = time.perf_counter()
    for _ in range(1000):
        pools.by_ref(ref)
    assert time.perf_counter() - started < 0.5
