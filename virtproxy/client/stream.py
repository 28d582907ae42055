# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stream as a program uses it: read and write, holes, finish and abort.

``Client.open_stream`` makes one. The packets are ``rpc.streams``'; this file makes them awaitable for the caller's
event loop and closes what a block leaves open.
"""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Generic, TypeVar

from virtproxy.client.adoption import Adopt
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.streams import ClientStream, Hole

R = TypeVar("R")


class Stream(Generic[R]):
    """An open stream; ``reply`` is what the call that opened it returned.

    As a block it is finished at the end, or aborted when the block raised or left a reading stream unread:

        async with await client.open_stream(remote.STORAGE_VOL_DOWNLOAD, args) as stream:
            async for data in stream:
                file.write(data)
    """

    def __init__(self, stream: ClientStream, procedure: Procedure[Any, Any], reply: R, adopt: Adopt) -> None:
        self._stream = stream
        self._procedure = procedure
        self._adopt = adopt
        self.reply: R = reply

    def read(self) -> Awaitable[bytes]:
        """Return the next piece of data, empty at the end; holes come as zeros, piece by piece.

        Raises VirtError as the daemon sent it, or ConnectionClosed.
        """
        return self._adopt(self._stream.read())

    def read_item(self) -> Awaitable[bytes | Hole]:
        """Return the next piece of data or Hole (an int: its length), empty bytes at the end; raises as ``read``."""
        return self._adopt(self._stream.read_item())

    def write(self, data: bytes) -> Awaitable[None]:
        """Send data; waits while the daemon takes no more. Raises as ``read``."""
        return self._adopt(self._stream.write(data))

    def write_hole(self, length: int) -> Awaitable[None]:
        """Send a hole of this many bytes, where the call's flags permit it. Raises as ``read``."""
        return self._adopt(self._stream.write_hole(length))

    def finish(self) -> Awaitable[None]:
        """End the stream and wait until the daemon confirms that all went well; else raises as ``read``."""
        return self._adopt(self._stream.finish())

    def abort(self) -> Awaitable[None]:
        """End the stream whatever its state; the rest of its data is lost."""
        return self._adopt(self._stream.abort())

    def __aiter__(self) -> Stream[R]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._adopt(self._next())

    async def _next(self) -> bytes:
        data = await self._stream.read()
        if not data:
            raise StopAsyncIteration
        return data

    async def __aenter__(self) -> Stream[R]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream.over:
            return
        unread = self._procedure.stream == "read" and not self._stream.at_end
        if kind is not None or unread:
            await self.abort()
        else:
            await self.finish()
