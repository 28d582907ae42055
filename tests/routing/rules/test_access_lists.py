# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every list, count and statistic shows what the caller may see, and its number is that of what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.routing.rules.deciders import WrittenDecider
from tests.routing.rules.hosts import KINDS, Host, Wire, thing
from tests.support.values import least
from virtproxy.access.decision import Thing
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.access import AccessRule

SUBJECT = Identity(uid=1000, user_name="ann", pid=1, process_start_time=1)
LISTS = [
    procedure
    for procedure in remote.PROGRAM.procedures.values()
    if procedure.aclfilter and procedure.edge is None and procedure is not remote.CONNECT_GET_ALL_DOMAIN_STATS
]


def rule(permission: str, subject: Thing) -> bool:
    return not any("hush" in str(word) for word in (subject.name, *(value for _, value in subject.details)))


@pytest.fixture
def host() -> Host:
    return Host("hush", "open", "also")


@pytest.fixture
def client(host: Host) -> Iterator[Wire]:
    made = Wire(host, (AccessRule(WrittenDecider(rule), hides=True),), SUBJECT)
    yield made
    made.close()


def arguments(procedure: Procedure[Any, Any], word: str = "open", **given: Any) -> Any:
    """Arguments of a list that has room for everything, of the pool or network called by `word`."""
    if procedure.args is None:
        return None
    values = {"need_results": 1, "maxnames": 10, "maxids": 10, "maxuuids": 10, **given}
    values |= {"pool": thing(word, "storage_pool"), "network": thing(word, "network")}
    return least(procedure.args, **{k: v for k, v in values.items() if k in procedure.args.__match_args__})


def shown(answer: Any) -> list[Any]:
    return next((value for value in answer if isinstance(value, list)), [])


def number(answer: Any) -> int | None:
    return next((value for value in answer if isinstance(value, int)), None)


@pytest.mark.parametrize("procedure", LISTS, ids=lambda procedure: procedure.name)
def test_a_list_shows_and_counts_what_may_be_seen(client: Wire, procedure: Procedure[Any, Any]) -> None:
    # Volumes and ports are asked for in one pool or network, of which the pretended host takes no notice.
    answer = client.call(procedure, arguments(procedure))
    assert "hush" not in repr(answer)
    assert number(answer) in (2, None)
    if not procedure.name.startswith(("CONNECT_NUM", "NODE_NUM")) and "NUM_OF" not in procedure.name:
        assert len(shown(answer)) == 2


MODERN = [procedure for procedure in LISTS if procedure.args and "need_results" in procedure.args.__match_args__]


@pytest.mark.parametrize("procedure", MODERN, ids=lambda procedure: procedure.name)
def test_who_wants_the_number_only_gets_it(client: Wire, procedure: Procedure[Any, Any]) -> None:
    answer = client.call(procedure, arguments(procedure, need_results=0))
    assert (shown(answer), number(answer)) == ([], 2)


@pytest.mark.parametrize(
    "procedure",
    [p for p in LISTS if p.args and {"maxnames", "maxids", "maxuuids"} & set(p.args.__match_args__)],
    ids=lambda procedure: procedure.name,
)
def test_room_is_for_what_may_be_seen(client: Wire, procedure: Procedure[Any, Any]) -> None:
    for room in (0, 1):
        answer = client.call(procedure, arguments(procedure, maxnames=room, maxids=room, maxuuids=room))
        assert len(shown(answer)) == room
    for odd in (-1, 65537):
        with pytest.raises(VirtError) as caught:
            client.call(procedure, arguments(procedure, maxnames=odd, maxids=odd, maxuuids=odd))
        assert caught.value.code == ErrorCode.RPC


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ((), ["open", "also"]),
        (("open",), ["open"]),
        (("hush", "open"), ["open"]),
        (("hush",), []),
        (("gone",), []),
        (("gone", "also", "hush"), ["also"]),
    ],
)
def test_statistics_are_of_what_may_be_seen(client: Wire, asked: tuple[str, ...], told: list[str]) -> None:
    args = remote.ConnectGetAllDomainStatsArgs(doms=[thing(word, "domain") for word in asked], stats=0, flags=0)
    records = client.call(remote.CONNECT_GET_ALL_DOMAIN_STATS, args).ret_stats
    assert [record.dom for record in records] == [thing(word, "domain") for word in told]


def test_volumes_of_a_hidden_pool_are_of_no_pool(client: Wire) -> None:
    for procedure in (remote.STORAGE_POOL_NUM_OF_VOLUMES, remote.STORAGE_POOL_LIST_ALL_VOLUMES):
        with pytest.raises(VirtError) as caught:
            client.call(procedure, arguments(procedure, "hush"))
        assert caught.value.code == ErrorCode.NO_STORAGE_POOL


def test_who_sees_everything_is_asked_nothing(host: Host) -> None:
    kinds = ("connect", *KINDS)
    certain = {
        (kind, permission): True
        for kind in kinds
        for permission in ("getattr", "read", "search_domains", "search_networks", "search_secrets", "search_nwfilters")
    }
    decider = WrittenDecider(lambda permission, subject: True, certain)
    client = Wire(host, (AccessRule(decider, hides=True),), SUBJECT)
    answer = client.call(remote.CONNECT_LIST_ALL_DOMAINS, arguments(remote.CONNECT_LIST_ALL_DOMAINS))
    assert answer.ret == 3
    assert decider.asked == []
    client.close()


def test_the_parent_of_a_device_may_be_hidden(host: Host) -> None:
    client = Wire(host, (AccessRule(WrittenDecider(lambda p, t: t.name != "<told/>"), hides=True),), SUBJECT)
    args = remote.NodeDeviceGetParentArgs(name="open-node_device")
    assert client.call(remote.NODE_DEVICE_GET_PARENT, args).parent_name is None
    client.close()


def test_a_copy_needs_the_source_to_be_read(host: Host) -> None:
    decider = WrittenDecider(lambda permission, subject: permission != "data_read")
    client = Wire(host, (AccessRule(decider, hides=True),), SUBJECT)
    args = remote.StorageVolCreateXmlFromArgs(
        pool=thing("open", "storage_pool"), xml="<volume><name>copy</name></volume>",
        clonevol=thing("also", "storage_vol"), flags=0,
    )  # fmt: skip
    with pytest.raises(VirtError, match="storage_vol:data_read"):
        client.call(remote.STORAGE_VOL_CREATE_XML_FROM, args)
    assert remote.STORAGE_VOL_CREATE_XML_FROM not in host.served
    client.close()
