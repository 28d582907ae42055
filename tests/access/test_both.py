# SPDX-License-Identifier: LGPL-2.1-or-later
"""What two deciders grant together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.routing.rules.deciders import SlowDecider, WrittenDecider, hiding
from tests.routing.rules.hosts import Host, Wire, thing
from virtproxy.access.both import BothDecider
from virtproxy.access.polkit import PolkitDecider
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.config import parse
from virtproxy.daemon.rules import _decider
from virtproxy.daemon.settings import Settings
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.rules.access import AccessRule

SUBJECT = Identity(uid=1000, user_name="ann", pid=1, process_start_time=1)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [(True, True, True), (True, False, False), (False, None, False), (None, True, None), (True, None, None)],
)
def test_certain_is_what_both_grant_or_one_refuses(first: bool | None, second: bool | None, both: bool | None) -> None:
    deciders = [
        WrittenDecider(lambda permission, subject: True, {} if said is None else {("domain", "read"): said})
        for said in (first, second)
    ]
    assert BothDecider(*deciders).always(SUBJECT, "domain", "read") is both


def test_each_call_is_judged_anew() -> None:
    decider = SlowDecider(lambda permission, subject: True)
    both = BothDecider(WrittenDecider(lambda permission, subject: True), decider)
    client = Wire(Host("open"), (AccessRule(both, hides=True),), SUBJECT)
    suspend = remote.DomainSuspendArgs(dom=thing("open", "domain"))
    client.call(remote.DOMAIN_SUSPEND, suspend)
    decider.rule = lambda permission, subject: permission != "suspend"
    with pytest.raises(VirtError) as caught:
        client.call(remote.DOMAIN_SUSPEND, suspend)
    assert caught.value.code == ErrorCode.ACCESS_DENIED
    client.close()


def test_a_daemon_with_a_policy_and_polkit_has_one_rule_for_both() -> None:
    settings = Settings(ROWS["virtproxyd"], "d.conf", parse("access_drivers = [ 'polkit' ]", "d.conf"))
    plan: Any = SimpleNamespace(settings=settings, policy=WrittenDecider(lambda permission, subject: True))
    polkit: Any = object()
    assert isinstance(_decider(plan, polkit), BothDecider)
    assert _decider(plan, None) is plan.policy
    plan.policy = None
    assert isinstance(_decider(plan, polkit), PolkitDecider)


def test_what_one_hides_is_in_no_list_and_looks_absent_whatever_the_other_says() -> None:
    for first, second in (("hush-domain", "shy-domain"), ("shy-domain", "hush-domain")):
        decider = BothDecider(WrittenDecider(hiding(first)), SlowDecider(hiding(second)))
        client = Wire(Host("hush", "open", "shy"), (AccessRule(decider, hides=True),), SUBJECT)
        args = remote.ConnectListDefinedDomainsArgs(maxnames=9)
        assert client.call(remote.CONNECT_LIST_DEFINED_DOMAINS, args).names == ["open-domain"]
        for word in ("hush", "shy", "none"):
            with pytest.raises(VirtError) as caught:
                client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=thing(word, "domain")))
            assert caught.value.code == ErrorCode.NO_DOMAIN
        client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=thing("open", "domain")))
        client.close()
