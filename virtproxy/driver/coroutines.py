# SPDX-License-Identifier: LGPL-2.1-or-later
"""A coroutine that was begun by hand and turned out to wait: its rest, for a Deferred.

A call whose method never waits is served without a Deferred, which would cost as much as many methods.
"""

from __future__ import annotations

from collections.abc import Coroutine
from types import coroutine
from typing import Any


@coroutine
def rest_of(begun: Coroutine[Any, Any, Any], waiting: Any) -> Any:
    """Go on with `begun`, which waits for `waiting`; awaited or given to `Deferred.fromCoroutine`."""
    while True:
        try:
            try:
                value = yield waiting
            except BaseException as error:
                waiting = begun.throw(error)
            else:
                waiting = begun.send(value)
        except StopIteration as end:
            return end.value
