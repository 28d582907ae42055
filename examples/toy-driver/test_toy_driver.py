# SPDX-License-Identifier: LGPL-2.1-or-later
"""The toy without a daemon: its procedures called by a client that has no socket."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from toy_driver import Event, ToyDriver
from twisted.internet.defer import Deferred

from virtproxy.driver import ErrorCode, Place, VirtError, remote
from virtproxy.driver.harness import DriverHarness

XML = "<domain type='toy'><name>bear</name></domain>"


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns or raises that has nothing to wait for, as without a reactor."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


@pytest.fixture
def client(tmp_path: Path) -> DriverHarness:
    return DriverHarness(ToyDriver(Place.under(tmp_path)), uri="toy:///system")


def test_a_guest_is_on_disk_and_everybody_hears_of_it(client: DriverHarness, tmp_path: Path) -> None:
    register = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None)
    done(client.call(remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, register))
    dom = done(client.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=XML))).dom
    done(client.call(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=dom)))
    assert [message.msg.event for _, message in client.events] == [Event.DEFINED, Event.STARTED]
    again = ToyDriver(Place.under(tmp_path))
    done(again.start())
    assert [guest.name for guest in again.guests] == ["bear"]


def test_what_is_on_keeps_the_daemon_and_cannot_be_undefined(client: DriverHarness) -> None:
    dom = done(client.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=XML))).dom
    done(client.call(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=dom)))
    assert client.backend.driver.busy() == 1
    with pytest.raises(VirtError) as refused:
        done(client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=dom)))
    assert refused.value.code == ErrorCode.OPERATION_INVALID
