# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who defines a thing owns it, in front of C libvirtd: through restarts, renames, and until it is gone."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.hidden import FRONT, URI, Caller, admin, failed
from tests.conformance.labs import furnished
from tests.support.lab import BACKEND_SOCKETS, FAMILIES, Daemon, Lab, wait_until
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(60)]

POLICY = """
[[grant]]
to = "user:root"
roles = "owner"

[[documents]]
to = "user:root"
all = true
"""
GUEST = "<domain type='qemu'><name>{name}</name>{uuid}<memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"
UUID = "11111111-2222-4333-8444-5555555500c1"
POOL = "<pool type='dir'><name>mine</name><target><path>/var/lib/libvirt/mine</path></target></pool>"
VOLUME = "<volume><name>{name}</name><capacity unit='MiB'>1</capacity></volume>"


class Place:
    """A lab whose proxy keeps owners."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.libvirtd(BACKEND_SOCKETS)
        policy = lab.write("policy.toml", POLICY)
        lab.outside(policy).chmod(0o600)
        self.settings = {
            "unix_sock_dir": f'"{FRONT}"',
            "policy_file": f'"{policy}"',
            "policy_owners_file": '"/run/lab/state/owners.json"',
        }
        self.proxy = self.start()

    def start(self) -> Daemon:
        """A proxy, which must be told of what it kept before."""
        return self.lab.virtproxyd(dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock"), **self.settings)

    def restart(self) -> None:
        """The proxy is killed in the middle of what it does, and started again."""
        self.proxy.kill(signal.SIGKILL)
        self.lab.run("rm", "-rf", FRONT)
        self.proxy = self.start()

    def caller(self) -> Caller:
        """A client of the proxy."""
        return Caller(self.lab.outside(FRONT) / "libvirt-sock")

    def owned(self) -> list[tuple[str, str, str]]:
        """What the file says: kind, identity and owner."""
        found = json.loads(self.lab.outside(Path("/run/lab/state/owners.json")).read_text())
        return sorted((kind, identity, owner) for _, kind, identity, owner in found["owners"])


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with furnished() as lab:
        yield Place(lab)


def define(caller: Caller, name: str, uuid: str = "") -> Any:
    element = f"<uuid>{uuid}</uuid>" if uuid else ""
    return caller.call(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=GUEST.format(name=name, uuid=element)))


def names(caller: Caller) -> list[str]:
    listed = caller.call(remote.CONNECT_LIST_ALL_DOMAINS, remote.ConnectListAllDomainsArgs(1, 0))
    return sorted(each.name for each in listed.domains)


def test_a_guest_belongs_to_who_defined_it_until_it_is_gone(place: Place) -> None:
    admin(place.lab, "define", str(place.lab.write("a.xml", GUEST.format(name="theirs", uuid=""))))
    with place.caller() as caller:
        assert define(caller, "theirs").code == ErrorCode.ACCESS_DENIED
        dom = define(caller, "ours", UUID).dom
        assert names(caller) == ["ours"]
        assert place.owned() == [("domain", UUID, "unix:root")]
        # To define it again is to change it, not to take it.
        assert not failed(define(caller, "ours", UUID))
    place.restart()
    with place.caller() as caller:
        assert names(caller) == ["ours"]
        args = remote.DomainRenameArgs(dom=dom, new_name="renamed", flags=0)
        assert not failed(caller.call(remote.DOMAIN_RENAME, args))
        assert names(caller) == ["renamed"]
        taken = remote.DomainRenameArgs(dom=dom, new_name="theirs", flags=0)
        assert caller.call(remote.DOMAIN_RENAME, taken).code == ErrorCode.ACCESS_DENIED
        # Somebody else removes it, and makes one with its UUID.
        admin(place.lab, "undefine", "renamed")
        wait_until(lambda: place.owned() == [], "the end of ownership")
        element = f"<uuid>{UUID}</uuid>"
        admin(place.lab, "define", str(place.lab.write("b.xml", GUEST.format(name="renamed", uuid=element))))
        assert names(caller) == []
        error = caller.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=dom))
        assert error.code == ErrorCode.NO_DOMAIN


def test_what_went_while_nobody_listened_is_not_owned_any_more(place: Place) -> None:
    with place.caller() as caller:
        define(caller, "brief", UUID.replace("c1", "c2"))
    assert ("domain", UUID.replace("c1", "c2"), "unix:root") in place.owned()
    admin(place.lab, "undefine", "brief")
    with place.caller() as caller:
        caller.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="brief"))
        define(caller, "other")
        wait_until(lambda: len(place.owned()) == 1, "the end of ownership")


def test_volumes_networks_and_secrets_are_owned_too(place: Place) -> None:
    place.lab.run("mkdir", "-p", "/var/lib/libvirt/mine")
    with place.caller() as caller:
        pool = caller.call(remote.STORAGE_POOL_DEFINE_XML, remote.StoragePoolDefineXmlArgs(POOL, 0)).pool
        assert not failed(caller.call(remote.STORAGE_POOL_CREATE, remote.StoragePoolCreateArgs(pool, 0)))
        made = remote.StorageVolCreateXmlArgs(pool=pool, xml=VOLUME.format(name="v"), flags=0)
        volume = caller.call(remote.STORAGE_VOL_CREATE_XML, made).vol
        admin(place.lab, "vol-create-as", "mine", "theirs", "1M")
        listed = caller.call(remote.STORAGE_POOL_LIST_ALL_VOLUMES, remote.StoragePoolListAllVolumesArgs(pool, 1, 0))
        assert [each.name for each in listed.vols] == ["v"]
        net = "<network><name>ours</name><bridge name='virbr66'/></network>"
        assert not failed(caller.call(remote.NETWORK_DEFINE_XML, remote.NetworkDefineXmlArgs(xml=net)))
        secret = "<secret ephemeral='yes'><usage type='ceph'><name>ours</name></usage></secret>"
        assert not failed(caller.call(remote.SECRET_DEFINE_XML, remote.SecretDefineXmlArgs(xml=secret, flags=0)))
        kinds = [kind for kind, _, _ in place.owned() if kind != "domain"]
        assert kinds == ["network", "secret", "storage_pool", "storage_vol"]
        assert not failed(caller.call(remote.STORAGE_VOL_DELETE, remote.StorageVolDeleteArgs(vol=volume, flags=0)))
        assert "storage_vol" not in [kind for kind, _, _ in place.owned()]


def test_virsh_shows_an_owner_what_is_the_owners(place: Place) -> None:
    out = place.lab.run("virsh", "-q", "-c", URI, "list", "--all", "--name").stdout.split()
    assert "theirs" not in out
    assert "other" in out
