# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host on which some things are hidden from its one caller, and a client that keeps every byte that it receives."""

from __future__ import annotations

import contextlib
import socket
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.conformance.labs import backend_uri, furnished
from tests.support.lab import Lab
from virtproxy.protocol import programs, remote
from virtproxy.protocol.net import NetError
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire import frame as wire
from virtproxy.wire.framer import Framer

FRONT = Path("/run/lab/front")
URI = f"qemu:///system?socket={FRONT}/libvirt-sock"
OPEN_SECRET = "11111111-2222-4333-8444-5555555500a1"
HUSH_SECRET = "11111111-2222-4333-8444-5555555500b1"
UUIDS = {
    "guest": "11111111-2222-4333-8444-5555555500b2",
    "net": "11111111-2222-4333-8444-5555555500b3",
    "pool": "11111111-2222-4333-8444-5555555500b4",
    "filter": "11111111-2222-4333-8444-5555555500b5",
    "secret": HUSH_SECRET,
}
# Bytes of these in anything that the caller receives, other than what it said itself, give the hidden things away.
TRACES = ("hush-", "52:54:00:aa:00:0b", *UUIDS.values())

POLICY = f"""
[[grant]]
to = "user:root"
permissions = "connect:*"

[[grant]]
to = "user:root"
permissions = "*:*"
on = [
    {{ name = ["open-*", "drop-*"] }},
    {{ pool = "open-*" }},
    {{ network = "open-*" }},
    {{ uuid = "{OPEN_SECRET}" }},
]

[[deny]]
to = "user:root"
permissions = "storage_vol:*"
on = "storage_vol:hush-*"

[[documents]]
to = "user:root"
all = true
"""

GUEST = """<domain type='qemu'><name>{word}-guest</name>{uuid}<memory unit='MiB'>16</memory>
<os><type arch='x86_64'>hvm</type></os><devices>
<interface type='network'><mac address='52:54:00:aa:00:{mac}'/><source network='open-net'/><model type='virtio'/>
</interface></devices></domain>"""
NETWORK = """<network><name>{word}-net</name>{uuid}<bridge name='virbr{number}'/>
<ip address='192.168.{number}.1' netmask='255.255.255.0'><dhcp><range start='192.168.{number}.100'
end='192.168.{number}.199'/></dhcp></ip></network>"""
POOL = "<pool type='dir'><name>{word}-pool</name>{uuid}<target><path>/var/lib/libvirt/{word}</path></target></pool>"
FILTER = "<filter name='{word}-filter'>{uuid}<rule action='accept' direction='in'/></filter>"
SECRET = """<secret ephemeral='yes'><uuid>{uuid}</uuid><usage type='ceph'><name>{word}-secret</name></usage></secret>"""


def uuid(kind: str, word: str) -> str:
    """The element that gives a hidden thing its known UUID."""
    return f"<uuid>{UUIDS[kind]}</uuid>" if word == "hush" else ""


def admin(lab: Lab, *command: str, check: bool = True) -> str:
    """What virsh prints for somebody who goes past the proxy."""
    return lab.run("virsh", "-q", "-c", backend_uri(), *command, check=check).stdout


def make(lab: Lab, word: str) -> None:
    """Make one thing of each kind called by `word`, and let it run."""
    number = {"open": 91, "hush": 92}[word]
    documents = {
        "net-define": NETWORK.format(word=word, uuid=uuid("net", word), number=number),
        "pool-define": POOL.format(word=word, uuid=uuid("pool", word)),
        "nwfilter-define": FILTER.format(word=word, uuid=uuid("filter", word)),
        "secret-define": SECRET.format(word=word, uuid=HUSH_SECRET if word == "hush" else OPEN_SECRET),
        "define": GUEST.format(word=word, uuid=uuid("guest", word), mac={"open": "0a", "hush": "0b"}[word]),
    }
    for command, document in documents.items():
        admin(lab, command, str(lab.write(f"{word}.xml", document)))
    lab.run("mkdir", "-p", f"/var/lib/libvirt/{word}")
    admin(lab, "net-start", f"{word}-net")
    admin(lab, "pool-start", f"{word}-pool")
    admin(lab, "vol-create-as", f"{word}-pool", f"{word}-vol", "1M")
    admin(lab, "start", f"{word}-guest")


@contextlib.contextmanager
def host(tree: Path | None = None) -> Iterator[Lab]:
    """A host (with the libvirt of `tree`) with open and hidden things, whose proxy lets root see the open ones only."""
    with furnished(tree) as lab:
        policy = lab.write("policy.toml", POLICY)
        lab.outside(policy).chmod(0o600)
        owners = '"/run/lab/owners.json"'
        lab.proxied(unix_sock_dir=f'"{FRONT}"', policy_file=f'"{policy}"', policy_owners_file=owners)
        make(lab, "open")
        make(lab, "hush")
        admin(lab, "vol-create-as", "open-pool", "hush-vol", "1M")
        yield lab


class Caller:
    """A client that makes one call after the other and keeps all that it receives."""

    def __init__(self, path: Path, uri: str = "qemu:///system") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(20)
        self.framer, self.serial, self.received = Framer(), 0, b""
        self.events: list[wire.Frame] = []
        self.call(remote.AUTH_LIST)
        self.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=uri, flags=0))

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def frame(self, procedure: Procedure[Any, Any], args: Any = None) -> wire.Frame:
        """The reply to a call."""
        self.serial += 1
        self.socket.sendall(procedure.call_frame(self.serial, args).raw)
        while True:
            for frame in self._read():
                if frame.type == wire.REPLY and frame.serial == self.serial:
                    return frame

    def _read(self) -> list[wire.Frame]:
        data = self.socket.recv(1 << 16)
        assert data, "the proxy closed the connection"
        self.received += data
        frames = self.framer.feed(data)
        self.events += [frame for frame in frames if frame.type == wire.MESSAGE]
        return frames

    def call(self, procedure: Procedure[Any, Any], args: Any = None) -> Any:
        """The result of a call, or the NetError that it got."""
        frame = self.frame(procedure, args)
        return decode_error(frame) if frame.status == wire.ERROR else procedure.decode_ret(frame)

    def heard(self, seconds: float) -> list[Any]:
        """The messages of all events until nothing comes for a while."""
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while True:
                self._read()
        self.socket.settimeout(20)
        found, self.events = self.events, []
        return [programs.BY_NUMBER[frame.program].procedures[frame.procedure].decode_args(frame) for frame in found]


def failed(result: Any) -> bool:
    """Whether a call got an error."""
    return isinstance(result, NetError)


def arguments(args: type | None, word: str, number: int) -> Any:
    """Arguments of a procedure that are about the things called by `word`, whose UUIDs end in `number`.

    Names are as long as the word of a hidden thing's makes them, so that replies can be compared byte by byte.
    """
    return None if args is None else _value(args, word, number, "")


def uuid_of(kind: str, number: int) -> bytes:
    """The UUID of a hidden thing (number 0), or one that nothing has."""
    value = UUID(UUIDS[kind])
    return UUID(int=value.int + (number << 64)).bytes


_KINDS = {
    "NonnullDomain": "guest",
    "NonnullNetwork": "net",
    "NonnullStoragePool": "pool",
    "NonnullNwfilter": "filter",
    "NonnullSecret": "secret",
}
_WORDS = (("Network", "net"), ("Pool", "pool"), ("Nwfilter", "filter"), ("Secret", "secret"))


def _kind(struct: type) -> str:
    named = struct.__name__
    return _KINDS.get(named) or next((kind for word, kind in _WORDS if word in named), "guest")


def _value(hint: Any, word: str, number: int, name: str, kind: str = "") -> Any:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _value(typing.get_args(hint)[0], word, number, name, kind)
    if origin is list:
        return []
    if hint is remote.NonnullStorageVol:
        return remote.NonnullStorageVol(f"{word}-pool", f"{word}-vol", f"/var/lib/libvirt/{word}/{word}-vol")
    if isinstance(hint, type) and hasattr(hint, "__match_args__"):
        hints = typing.get_type_hints(hint, include_extras=True)
        within = _kind(hint)
        return hint(*(_value(hints[each], word, number, each, within) for each in hint.__match_args__))
    if hint is int:
        return {"usage_type": 2, "id": -1, "need_results": 1}.get(name, 0)
    if hint is bytes:
        return uuid_of(kind, number) if name == "uuid" else b""
    if hint is str or str in typing.get_args(hint):
        texts = {"path": f"/var/lib/libvirt/{word}", "key": f"/var/lib/libvirt/{word}/{word}-vol"}
        texts |= {"usage_id": f"{word}-secret", "pool": f"{word}-pool", "name": f"{word}-{kind}"}
        return texts.get(name, "x")
    return None
