# SPDX-License-Identifier: LGPL-2.1-or-later
"""A conversation of the client library: ``python -m tests.conformance.our_client URI`` does one thing of each kind.

Run in a lab by the tshark test.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from virtproxy.client import Client, VirtError, connect
from virtproxy.protocol import remote

POOL = "<pool type='dir'><name>ours</name><target><path>/var/lib/libvirt/images</path></target></pool>"
VOLUME = "<volume><name>ours.img</name><capacity unit='MiB'>2</capacity></volume>"
DATA = bytes(range(256)) * 1000


async def converse(reactor: Any, uri: str) -> None:
    """Calls, an error, an event, a stream in each direction."""
    async with connect(reactor, uri) as client:
        print((await client.call(remote.CONNECT_GET_HOSTNAME)).hostname)
        try:
            await client.call(remote.NETWORK_LOOKUP_BY_NAME, remote.NetworkLookupByNameArgs(name="nosuch"))
        except VirtError as error:
            print(error.message)
        await define(client)
        await transfer(client)


async def define(client: Client) -> None:
    """A guest comes and goes; both are told."""
    changes = await client.subscribe(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE)
    with open("demo.xml") as file:
        args = remote.DomainDefineXmlFlagsArgs(xml=file.read(), flags=0)
    domain = (await client.call(remote.DOMAIN_DEFINE_XML_FLAGS, args)).dom
    await client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=domain))
    for _ in range(2):
        print((await anext(changes)).msg.event)
    await changes.unsubscribe()


async def transfer(client: Client) -> None:
    """A volume up, with a hole, and down."""
    build = remote.StoragePoolCreateXmlArgs(xml=POOL, flags=1)
    pool = (await client.call(remote.STORAGE_POOL_CREATE_XML, build)).pool
    created = remote.StorageVolCreateXmlArgs(pool=pool, xml=VOLUME, flags=0)
    volume = (await client.call(remote.STORAGE_VOL_CREATE_XML, created)).vol
    args = remote.StorageVolUploadArgs(vol=volume, offset=0, length=0, flags=1)
    async with await client.open_stream(remote.STORAGE_VOL_UPLOAD, args) as stream:
        await stream.write(DATA)
        await stream.write_hole(65536)
        await stream.finish()
    wanted = remote.StorageVolDownloadArgs(vol=volume, offset=0, length=len(DATA), flags=0)
    async with await client.open_stream(remote.STORAGE_VOL_DOWNLOAD, wanted) as stream:
        fetched = b"".join([part async for part in stream])
    print(fetched == DATA)


def main(reactor: Any) -> Deferred[None]:
    """Speaks with the daemon that the command line names."""
    return Deferred.fromCoroutine(converse(reactor, sys.argv[1]))


if __name__ == "__main__":
    react(main)
