# SPDX-License-Identifier: LGPL-2.1-or-later
"""Errors of daemons do not name hidden things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.routing.rules.deciders import WrittenDecider, hiding
from tests.routing.rules.hosts import Host, Wire, thing
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.routing.rules.access import AccessRule

SUBJECT = Identity(uid=1000, user_name="ann", pid=1, process_start_time=1)
HIDDEN = UUID(bytes=thing("hush", "domain").uuid)
RULE = hiding("hush-domain", "hush-storage_pool", "hush-network")


@pytest.fixture
def host() -> Host:
    return Host("hush", "open")


@pytest.fixture
def client(host: Host) -> Iterator[Wire]:
    made = Wire(host, (AccessRule(WrittenDecider(RULE), hides=True),), SUBJECT)
    yield made
    made.close()


def told(host: Host, client: Wire, text: str, call: str = "<disk/>") -> VirtError:
    """What a client is told when the daemon fails to attach a device with these words."""
    answer = host.answer

    def fails(procedure: object, args: object) -> object:
        if procedure is remote.DOMAIN_ATTACH_DEVICE:
            raise VirtError(ErrorCode.OPERATION_INVALID, text, domain=ErrorDomain.QEMU, str1="%s", str2=text)
        return answer(procedure, args)  # type: ignore[arg-type]

    host.answering = fails
    with pytest.raises(VirtError) as caught:
        args = remote.DomainAttachDeviceArgs(dom=thing("open", "domain"), xml=call)
        client.call(remote.DOMAIN_ATTACH_DEVICE, args)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "PCI device 0000:01:00.0 is in use by driver QEMU, domain hush-domain",
        "Storage source conflict with pool: 'hush-storage_pool'",
        'network "hush-network" has it',
        f"already exists with uuid {HIDDEN}",
        f"already exists with uuid {str(HIDDEN).upper()}",
        " ".join(f"'word{number}'" for number in range(40)),
    ],
)
def test_what_quotes_a_hidden_thing_is_replaced(host: Host, client: Wire, text: str) -> None:
    error = told(host, client, text)
    assert (error.code, error.domain) == (ErrorCode.OPERATION_INVALID, ErrorDomain.QEMU)
    assert "hush" not in f"{error.message} {error.str1} {error.str2}"
    assert "may not know of" in str(error.message)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("target 'vda' already exists", "<disk/>"),
        ("domain open-domain has no such device", "<disk/>"),
        ("in use by domain nobody", "<disk/>"),
        ("cannot find hush-domain here", "<disk/>"),
        ("no network 'hush-network'", "<interface><source network='hush-network'/></interface>"),
        (f"no uuid {UUID(int=5)}", "<disk/>"),
    ],
)
def test_other_words_are_left_as_they_are(host: Host, client: Wire, text: str, call: str) -> None:
    error = told(host, client, text, call)
    assert (error.message, error.str2) == (text, text)


def test_an_error_is_as_it_was_for_who_sees_everything(host: Host) -> None:
    client = Wire(host, (AccessRule(WrittenDecider(lambda permission, subject: True), hides=True),), SUBJECT)
    text = "Storage source conflict with pool: 'hush-storage_pool'"
    assert told(host, client, text).message == text
    client.close()


def test_what_a_client_has_echoed_is_not_looked_through_at_length(host: Host, client: Wire) -> None:
    words = "".join(f"'{number:05x}'" for number in range(50_000))
    began = time.process_time()
    error = told(host, client, words[:60_000], words)
    longer = told(host, client, words, words)
    assert time.process_time() - began < 2
    assert "may not know of" in str(error.message) and "may not know of" in str(longer.message)


def test_what_nobody_can_say_in_time_may_be_hidden(host: Host, client: Wire) -> None:
    answer = host.answer

    def late(procedure: object, args: object) -> object:
        if procedure is remote.NETWORK_LOOKUP_BY_NAME:
            raise VirtError.of(ErrorCode.OPERATION_TIMEOUT, "it did not answer in time")
        return answer(procedure, args)  # type: ignore[arg-type]

    host.answer = late  # type: ignore[method-assign]
    assert "may not know of" in str(told(host, client, "network 'lan' has it").message)


def test_what_the_daemon_itself_denies_looks_absent(host: Host, client: Wire) -> None:
    answer = host.answer

    def denies(procedure: object, args: object) -> object:
        if procedure is remote.DOMAIN_LOOKUP_BY_NAME and args != remote.DomainLookupByNameArgs(name="none"):
            raise VirtError.of(ErrorCode.ACCESS_DENIED, "'QEMU' denied access", domain=ErrorDomain.ACCESS)
        return answer(procedure, args)  # type: ignore[arg-type]

    host.answering = denies
    for name in ("hush-domain", "none"):
        with pytest.raises(VirtError) as caught:
            client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name=name))
        assert (caught.value.code, caught.value.domain) == (ErrorCode.NO_DOMAIN, ErrorDomain.QEMU)
        assert caught.value.str2 == f"no domain with matching name '{name}'"
