# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which pretended host a client gets: the shared one of test:///default, or one of its own made of a file."""

from __future__ import annotations

from functools import partial
from urllib.parse import unquote, urlsplit

from virtproxy.driver import Driver, Identity
from virtproxy.drivers.test.config_files import check_reader, read_text
from virtproxy.drivers.test.furnish import Furnished
from virtproxy.drivers.test.node_config import read_node

SHARED = ("", "/", "/default")


class Opening(Furnished):
    """The driver at the moment in which a client opens its URI."""

    # Whether it was made for one client.
    private = False

    def check_uri(self, uri: str) -> None:
        if not self.private:
            super().check_uri(uri)

    async def serving(self, uri: str, identity: Identity) -> Driver:
        path = unquote(urlsplit(uri).path)
        if path in SHARED:
            return await super().serving(uri, identity)
        check_reader(identity)
        plan = await self.place.blocking(partial(read_node, path, read_text))
        own = type(self)(self.place, self.now)
        own.private = True
        await own.furnish(plan)
        return own
