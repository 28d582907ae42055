# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a client lives through when a daemon behind the proxy dies: ``loss everything URI`` prints it line by line.

``loss partly URI`` does so for a connection whose other daemon lives on. Run in a lab by the conformance tests;
it goes on to the next part when the file of that name appears in its directory.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import libvirt

from tests.conformance.scripts.speaking import run_loop, say

DOMAIN = "<domain type='qemu'><name>later</name><memory>1024</memory><os><type>hvm</type></os></domain>"


def wait_for(name: str) -> None:
    """Until the test makes that file."""
    while not Path(name).exists():
        time.sleep(0.02)


def error_of(call: Any, *args: Any) -> str:
    """The message of the call's error, or what it returned."""
    try:
        return f"returned {call(*args)}"
    except libvirt.libvirtError as error:
        return f"error {error.get_error_code()} {error}"


def read_on(stream: Any) -> None:
    """Reads the stream to its end, which is to be an error."""
    while True:
        try:
            if not stream.recv(65536):
                say("stream", "ended")
                return
        except libvirt.libvirtError as error:
            say("stream", f"error {error.get_error_code()} {error}")
            return


def subscribe(conn: Any, label: str) -> int:
    """Tells of guests that are defined and undefined."""

    def told(_conn: Any, domain: Any, event: int, *_: Any) -> None:
        say(label, (domain.name(), event))

    return int(conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None))


def everything(uri: str) -> None:
    """Before, during and after: calls, a stream and a subscription."""
    run_loop()
    conn = libvirt.open(uri)
    conn.registerCloseCallback(lambda _conn, reason, _opaque: say("closed", reason), None)
    callback = subscribe(conn, "event")
    stream = conn.newStream()
    conn.storageVolLookupByPath("/var/lib/libvirt/images/large.img").download(stream, 0, 0)
    say("streaming", len(stream.recv(1000)))
    wait_for("call")
    calls = [threading.Thread(target=lambda: say("call", error_of(conn.listAllDomains))) for _ in range(3)]
    for call in calls:
        call.start()
    say("calling")
    for call in calls:
        call.join()
    read_on(stream)
    say("while it is away", error_of(conn.listAllDomains))
    wait_for("again")
    say("again", error_of(conn.listAllDomains))
    say("deregister", error_of(conn.domainEventDeregisterAny, callback))
    subscribe(conn, "new event")
    conn.defineXML(DOMAIN).undefine()
    say("alive", conn.isAlive())
    wait_for("end")


def partly(uri: str) -> None:
    """Networks, and when the hypervisor's daemon is dead, networks and guests."""
    conn = libvirt.open(uri)
    say("networks", error_of(conn.listAllNetworks))
    wait_for("go")
    say("networks later", error_of(conn.listDefinedNetworks))
    say("domains later", error_of(conn.listAllDomains))


if __name__ == "__main__":
    libvirt.registerErrorHandler(lambda *_: None, None)
    {"everything": everything, "partly": partly}[sys.argv[1]](sys.argv[2])
