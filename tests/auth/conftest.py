# SPDX-License-Identifier: LGPL-2.1-or-later
"""A directory with an authority, a server's pair and clients' pairs of every kind, made once."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.pki import AUTHORITY_USAGE, SERVER, Authority, Leaf, pem, usage, write_pair

# What each client's certificate is like. "other" is signed by an authority of the
# same name that is not ours, "weak" has a small key.
CLIENTS = {
    "good": Leaf(name="good", hosts=(x509.DNSName("Good.Example"),)),
    "plain": Leaf(name="plain", purposes=None, key_usage=None),
    "expired": Leaf(name="expired", days=(-9, -1)),
    "future": Leaf(name="future", days=(5, 30)),
    "revoked": Leaf(name="revoked"),
    "purpose": Leaf(name="purpose", purposes=(SERVER,)),
    "usage": Leaf(name="usage", key_usage=usage(key_encipherment=True)),
    "authority": Leaf(name="authority", authority=True, key_usage=AUTHORITY_USAGE),
    "unlisted": Leaf(name="unlisted", country="FR"),
}
LOCALHOST = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    ours, other = Authority(), Authority(number=1)
    (directory / "cacert.pem").write_bytes(pem(ours.certificate))
    (directory / "othercacert.pem").write_bytes(pem(other.certificate))
    server = ours.issue(Leaf(name="localhost", purposes=(SERVER,), hosts=LOCALHOST))
    write_pair(directory, "server", server)
    issued = {stem: ours.issue(leaf) for stem, leaf in CLIENTS.items()}
    for stem, certificate in issued.items():
        write_pair(directory, stem, certificate)
    small = rsa.generate_private_key(65537, 1024)
    write_pair(directory, "weak", ours.issue(Leaf(name="weak"), small), small)
    write_pair(directory, "other", other.issue(Leaf(name="other")))
    (directory / "crl.pem").write_bytes(ours.revocation_list(issued["revoked"]))
    (directory / "oldcrl.pem").write_bytes(ours.revocation_list(issued["revoked"], days=(-20, -10)))
    (directory / "othercrl.pem").write_bytes(other.revocation_list())
    return directory
