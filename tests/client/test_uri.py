# SPDX-License-Identifier: LGPL-2.1-or-later
"""URIs: what is dialled, and what the daemon is told."""

from __future__ import annotations

import pytest

from virtproxy.client.uri import UriError, parse


@pytest.mark.parametrize(
    ("text", "dialled", "name"),
    [
        ("qemu:///system", ("unix", "", 0), "qemu:///system"),
        ("qemu+unix:///session", ("unix", "", 0), "qemu:///session"),
        ("test+unix:///default?socket=/s", ("unix", "", 0), "test:///default"),
        ("test:///etc/node.xml?socket=/s&keep=1", ("unix", "", 0), "test:///etc/node.xml?keep=1"),
        ("qemu+tcp://host/system", ("tcp", "host", 16509), "qemu:///system"),
        ("qemu+tcp://host:17/system?a=b;no_verify=1;c=%20d", ("tcp", "host", 17), "qemu:///system?a=b&c=%20d"),
        ("qemu+tcp://[::1]:17/system", ("tcp", "::1", 17), "qemu:///system"),
        ("qemu+tls://user@host/system?pkipath=/p", ("tls", "host", 16514), "qemu:///system"),
        ("qemu://host/system", ("tls", "host", 16514), "qemu:///system"),
        ("esx+tcp://host/?name=vpx%3A%2F%2Fx", ("tcp", "host", 16509), "vpx://x"),
        ("qemu:///system?mode=legacy#part", ("unix", "", 0), "qemu:///system#part"),
        ("lxc:///", ("unix", "", 0), "lxc:///"),
    ],
)
def test_transport_host_and_own_parameters_stay_here(text: str, dialled: tuple[str, str, int], name: str) -> None:
    uri = parse(text)
    assert (uri.transport, uri.host, uri.port) == dialled
    assert uri.name == name


def test_own_parameters_are_kept_unquoted() -> None:
    parameters = parse("qemu+tls://host/system?pkipath=/a%20b&no_verify=1&other=2&command").parameters
    assert parameters == {"pkipath": "/a b", "no_verify": "1", "command": ""}


def test_no_uri_lets_the_daemon_choose() -> None:
    uri = parse("")
    assert (uri.transport, uri.name, uri.driver) == ("unix", None, "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("foo", "is not a URI: one looks like qemu:///system"),
        ("://", "is not a URI"),
        ("qemu+ssh://host/system", "transport ssh is not known here; unix, tcp and tls are"),
        ("qemu+tcp:///system", "transport tcp needs a host"),
        ("qemu+unix://host/system", "the URI has none"),
        ("qemu+tcp://host:65536/system", "port 65536 is not from 1 to 65535"),
        ("qemu+tcp://host:0/system", "port 0 is not from 1 to 65535"),
        ("qemu+tcp://host:x/system", "is not a URI"),
    ],
)
def test_a_uri_that_cannot_be_used_says_why(text: str, says: str) -> None:
    with pytest.raises(UriError, match=says):
        parse(text)
