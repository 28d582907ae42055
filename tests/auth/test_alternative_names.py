# SPDX-License-Identifier: LGPL-2.1-or-later
"""The alternative names of a client's certificate, as a policy can name them."""

from __future__ import annotations

import ipaddress

from cryptography import x509

from tests.support.pki import Authority, Leaf
from virtproxy.auth.alternative_names import alternative_names


def certificate(*names: x509.GeneralName) -> x509.Certificate:
    """A client's certificate with these names."""
    return Authority().issue(Leaf(hosts=names))


def test_each_kind_of_name() -> None:
    found = alternative_names(
        certificate(
            x509.DNSName("Host.Example"),
            x509.RFC822Name("a@example.org"),
            x509.UniformResourceIdentifier("spiffe://example.org/a"),
            x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
        )
    )
    assert found == ("DNS:host.example", "email:a@example.org", "URI:spiffe://example.org/a", "IP:2001:db8::1")


def test_none() -> None:
    assert alternative_names(certificate()) == ()


def test_names_that_would_break_a_line_are_none() -> None:
    assert alternative_names(certificate(x509.DNSName("a\nb"), x509.DNSName("c"))) == ("DNS:c",)
