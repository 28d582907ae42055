# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an asyncio program does with the client; ``test_aio`` runs it: tasks, cancelling, events, errors.

It prints "done" when all was as it should be.
"""

from __future__ import annotations

import asyncio
import sys

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)

from twisted.internet import reactor as installed  # noqa: E402

from virtproxy.client import ConnectError, ConnectionClosed, VirtError, aio  # noqa: E402
from virtproxy.protocol import remote  # noqa: E402
from virtproxy.protocol.errors import ErrorCode  # noqa: E402

LIFECYCLE = remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE


async def main(uri: str) -> None:
    try:
        await aio.connect(installed, f"{uri}-nobody")  # type: ignore[arg-type]
    except ConnectError as error:
        assert "No such file" in str(error)
    async with aio.connect(installed, uri) as client:  # type: ignore[arg-type]
        assert isinstance(client.call(remote.CONNECT_GET_TYPE), asyncio.Future)
        kinds = await asyncio.gather(*(client.call(remote.CONNECT_GET_TYPE) for _ in range(20)))
        assert {kind.type for kind in kinds} == {"TEST"}
        named = remote.DomainLookupByNameArgs(name="test")
        domain = (await client.call(remote.DOMAIN_LOOKUP_BY_NAME, named)).dom
        changes = await client.subscribe(LIFECYCLE, about=domain)
        try:
            async with asyncio.timeout(0.05):
                await anext(changes)
        except TimeoutError:
            pass
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(first_event(changes))
            group.create_task(suspend_and_resume(client, domain))
        assert waiting.result() == 3
        try:
            await client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="nobody"))
        except VirtError as error:
            assert error.code == ErrorCode.NO_DOMAIN
    try:
        await client.call(remote.CONNECT_GET_TYPE)
    except ConnectionClosed:
        print("done")


async def first_event(changes: aio.Subscription[remote.DomainEventCallbackLifecycleMsg]) -> int:
    async for change in changes:
        return change.msg.event
    raise AssertionError("the events ended")


async def suspend_and_resume(client: aio.Client, domain: remote.NonnullDomain) -> None:
    await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=domain))
    await client.call(remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=domain))


if __name__ == "__main__":
    installed.startRunning(installSignalHandlers=False)  # type: ignore[attr-defined]
    loop.run_until_complete(main(sys.argv[1]))
