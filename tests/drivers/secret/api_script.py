# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a libvirt-python program sees of a host's secrets, one line a call: run once for each server to compare.

Run by the system's Python with the URI as the only argument, against a daemon without secrets; it leaves some
behind. test_against_libvirt.py reads what it prints.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import libvirt

UUID = "11111111-2222-3333-4444-5555555555{:02}"
heard: list[str] = []


def document(number: int, usage: str = "", more: str = "", attributes: str = "") -> str:
    """A secret's document with the UUID of that number."""
    return f"<secret {attributes}><uuid>{UUID.format(number)}</uuid>{more}{usage}</secret>"


def ceph(name: str) -> str:
    """A usage that only one secret may have."""
    return f"<usage type='ceph'><name>{name}</name></usage>"


GOOD = {
    "volume": document(1, "<usage type='volume'><volume>/v/a</volume></usage>", "<description>A 'b'</description>"),
    "ceph": document(2, ceph("c k")),
    "iscsi": document(3, "<usage type='iscsi'><target>t</target></usage>", attributes="ephemeral='yes'"),
    "tls": document(4, "<usage type='tls'><name>x509</name></usage>", attributes="private='yes'"),
    "vtpm": document(5, "<usage type='vtpm'><name>v</name></usage>", attributes="ephemeral='yes' private='yes'"),
    "none": document(6, "<usage type='none'/>"),
    "bare": document(7),
    "spaces": document(8, ceph(" s "), "<description>two\n lines &amp; é</description>"),
    "twice": document(9, ceph("first") + ceph("second"), "<description>a</description><description>b</description>"),
    "unknown parts": document(10, "<usage type='ceph' x='1'><volume>/x</volume><name>y</name></usage>", "<new/>"),
    "empty description": document(11, "", "<description/>"),
    "comment": "<!-- c --><?p i?>" + document(12, "", "<description>a<!-- c -->b</description>"),
    "short uuid": "<secret><uuid>AAAAAAAA22223333444455555555555B</uuid></secret>",
    "spaced uuid": f"<secret><uuid> {UUID.format(13)}</uuid></secret>",
    "trailing uuid": f"<secret><uuid>{UUID.format(14)} </uuid></secret>",
    "explicit": document(15, attributes="ephemeral='no' private='no'"),
    "cdata": document(16, "", "<description><![CDATA[<x>]]></description>"),
    "markup inside": document(17, "", "<description>a<b>c</b>d</description>"),
}
BAD = {
    "empty": "",
    "no secret": "<x/>",
    "cut": "<secret",
    "unclosed": "<secret><uuid></secret>",
    "two roots": "<secret/><secret/>",
    "bad ephemeral": "<secret ephemeral='maybe'/>",
    "empty ephemeral": "<secret ephemeral=''/>",
    "bad private": "<secret private='1'/>",
    "bad uuid": "<secret><uuid>zz</uuid></secret>",
    "zero uuid": "<secret><uuid>00000000-0000-0000-0000-000000000000</uuid></secret>",
    "bad type": "<secret><usage type='zz'/></secret>",
    "no type": "<secret><usage/></secret>",
    "empty type": "<secret><usage type=''/></secret>",
    "no volume": "<secret><usage type='volume'/></secret>",
    "empty volume": "<secret><usage type='volume'><volume/></usage></secret>",
    "no name": "<secret><usage type='ceph'/></secret>",
    "empty name": "<secret><usage type='ceph'><name></name></usage></secret>",
    "no target": "<secret><usage type='iscsi'><name>a</name></usage></secret>",
    "no tls name": "<secret><usage type='tls'/></secret>",
    "no vtpm name": "<secret><usage type='vtpm'/></secret>",
    "usage taken": "<secret>" + ceph("c k") + "</secret>",
    "usage taken by another": document(20, ceph("c k")),
    "other usage": document(2, ceph("other")),
    "usage away": document(2),
    "usage added": document(7, ceph("new")),
    "private on": document(2, ceph("c k"), attributes="private='yes'"),
    "private off": document(4, "<usage type='tls'><name>x509</name></usage>"),
    "doctype": "<!DOCTYPE secret>" + document(30),
    "namespace": "<q:secret xmlns:q='urn:x'>" + document(31) + "</q:secret>",
    "entity": "<secret><description>&nothing;</description></secret>",
    "usage of another kind": document(2, "<usage type='tls'><name>c k</name></usage>"),
}


def say(label: str, call: Callable[..., Any], *args: Any) -> Any:
    """Print what a call gives, or its whole error; return the result."""
    try:
        result = call(*args)
    except libvirt.libvirtError as error:
        print(label, "->", "ERROR", error.err)
        return None
    shown = f"<{result.UUIDString()}>" if hasattr(result, "UUIDString") else result
    print(label, "->", repr(shown))
    return result


def uuids(secrets: list[Any]) -> list[str]:
    """The sorted UUIDs of a list of secrets: libvirt's own order is that of a hash table."""
    return sorted(secret.UUIDString() for secret in secrets)


def told(count: int) -> None:
    """Wait for that many events and a moment more, and print them."""
    deadline = time.monotonic() + 5
    while len(heard) < count and time.monotonic() < deadline:
        libvirt.virEventRunDefaultImpl()
    for _ in range(3):
        libvirt.virEventRunDefaultImpl()
    for line in heard:
        print("event", line)
    heard.clear()


def lifecycle(_conn: Any, secret: Any, event: int, detail: int, opaque: str) -> None:
    """Note a lifecycle event."""
    heard.append(f"{opaque} -> {secret.UUIDString()} {secret.usageType()} {secret.usageID()!r} {event} {detail}")


def changed(_conn: Any, secret: Any, opaque: str) -> None:
    """Note a change of a value."""
    heard.append(f"{opaque} -> {secret.UUIDString()} {secret.usageType()} {secret.usageID()!r}")


def definitions(conn: Any) -> None:
    """Good and bad documents, and what is known of each afterwards."""
    for label, text in GOOD.items():
        secret = say(f"define {label}", conn.secretDefineXML, text, 0)
        if secret is not None:
            say(f"xml {label}", secret.XMLDesc, 0)
            say(f"usage {label}", lambda secret: (secret.usageType(), secret.usageID()), secret)
    for label, text in BAD.items():
        secret = say(f"define {label}", conn.secretDefineXML, text, 0)
        if secret is not None:
            secret.undefine()
    say("define again", conn.secretDefineXML, GOOD["ceph"], 0)
    say("define flags", conn.secretDefineXML, GOOD["bare"], 0x40)
    say("define validate", conn.secretDefineXML, GOOD["volume"], 1)
    say("define validate unknown", conn.secretDefineXML, GOOD["unknown parts"], 1)


def lists(conn: Any) -> None:
    """Numbers, lists and filters."""
    say("number", conn.numOfSecrets)
    say("list", lambda: sorted(conn.listSecrets()))
    for flags in range(17):
        say(f"list all {flags}", lambda flags: uuids(conn.listAllSecrets(flags)), flags)
    say("list all unknown flag", conn.listAllSecrets, 0x100)


def lookups(conn: Any) -> None:
    """By UUID and by usage."""
    say("by uuid", conn.secretLookupByUUIDString, UUID.format(2))
    say("by raw uuid", conn.secretLookupByUUID, bytes(range(16)))
    say("by unknown uuid", conn.secretLookupByUUIDString, UUID.format(99))
    for kind in range(-1, 7):
        say(f"by usage {kind} c k", conn.secretLookupByUsage, kind, "c k")
    say("by usage volume", conn.secretLookupByUsage, 1, "/v/a")
    say("by usage none", conn.secretLookupByUsage, 0, "")
    say("by usage huge", conn.secretLookupByUsage, 2**31 - 1, "x")


def values(conn: Any) -> None:
    """Values set and read, of each kind of secret."""
    for number in (2, 3, 4, 5, 7):
        secret = conn.secretLookupByUUIDString(UUID.format(number))
        say(f"no value {number}", secret.value)
        say(f"set {number}", secret.setValue, b"hello")
        say(f"value {number}", secret.value)
    secret = conn.secretLookupByUUIDString(UUID.format(2))
    say("set binary", secret.setValue, bytes(range(256)))
    say("value binary", secret.value)
    say("set empty", secret.setValue, b"")
    say("value empty", secret.value)
    say("set large", secret.setValue, b"x" * 65536)
    say("value large", lambda: len(secret.value()))
    say("set too large", secret.setValue, b"x" * 65537)
    say("set flags", secret.setValue, b"x", 1)
    say("value flags", secret.value, 1)
    say("xml flags", secret.XMLDesc, 1)
    say("set last", secret.setValue, b"last")


def redefinitions(conn: Any) -> None:
    """The same secret with another description, and with the other life."""
    say("redefine", conn.secretDefineXML, document(2, ceph("c k"), "<description>new</description>"), 0)
    secret = conn.secretLookupByUUIDString(UUID.format(2))
    say("xml redefined", secret.XMLDesc, 0)
    say("value redefined", secret.value)
    say("to ephemeral", conn.secretDefineXML, document(2, ceph("c k"), attributes="ephemeral='yes'"), 0)
    say("value ephemeral", secret.value)
    say("xml ephemeral", secret.XMLDesc, 0)
    iscsi = document(3, "<usage type='iscsi'><target>t</target></usage>")
    say("to persistent", conn.secretDefineXML, iscsi, 0)
    say("value persistent", conn.secretLookupByUUIDString(UUID.format(3)).value)


def events(conn: Any) -> None:
    """Both events, for all secrets and for one, and the errors of registrations."""
    one = conn.secretLookupByUUIDString(UUID.format(7))
    ids = [
        conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE, lifecycle, "all lifecycle"),
        conn.secretEventRegisterAny(None, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED, changed, "all value"),
        conn.secretEventRegisterAny(one, libvirt.VIR_SECRET_EVENT_ID_LIFECYCLE, lifecycle, "one lifecycle"),
        conn.secretEventRegisterAny(one, libvirt.VIR_SECRET_EVENT_ID_VALUE_CHANGED, changed, "one value"),
    ]
    say("event define", conn.secretDefineXML, document(40, ceph("e")), 0)
    told(1)
    say("event redefine", conn.secretDefineXML, document(40, ceph("e"), "<description>x</description>"), 0)
    told(1)
    say("event set", conn.secretLookupByUUIDString(UUID.format(40)).setValue, b"1")
    told(1)
    say("event set one", one.setValue, b"2")
    told(2)
    say("event refused", conn.secretDefineXML, document(40, ceph("f")), 0)
    say("event undefine", conn.secretLookupByUUIDString(UUID.format(40)).undefine)
    told(1)
    say("event undefine one", one.undefine)
    told(2)
    for number in ids:
        conn.secretEventDeregisterAny(number)
    say("event deregister again", conn.secretEventDeregisterAny, ids[0])
    say("event quiet", conn.secretDefineXML, document(7), 0)
    told(0)


def ends(conn: Any) -> None:
    """What happens to a secret that is gone."""
    secret = conn.secretLookupByUUIDString(UUID.format(6))
    say("undefine", secret.undefine)
    say("undefine again", secret.undefine)
    say("xml gone", secret.XMLDesc, 0)
    say("value gone", secret.value)
    say("set gone", secret.setValue, b"x")
    say("list in the end", lambda: sorted(conn.listSecrets()))


def main(uri: str) -> None:
    """Everything in order."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    # So that waiting for events never lasts.
    libvirt.virEventAddTimeout(20, lambda *_: None, None)
    conn = libvirt.open(uri)
    for part in (definitions, lists, lookups, values, redefinitions, events, ends):
        part(conn)


main(sys.argv[1])
