# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver that uses its own procedures, for itself and not for a client.

What a client could do with a few calls a driver need not write twice: to fill itself from a file, for one. There is
nobody to ask for permission, so nothing that a client chose may come here unchecked.
"""

from __future__ import annotations

from typing import Any, TypeVar

from virtproxy.access.decision import EveryoneMay
from virtproxy.driver.base import Driver
from virtproxy.driver.call import Call
from virtproxy.errors import no_support
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import Struct

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
_EVERYONE = EveryoneMay()


async def call_own(driver: Driver, procedure: Procedure[A, R], args: A) -> R:
    """Run the driver's method for `procedure` and return its result; raises its VirtError, or NO_SUPPORT."""
    method = Driver.method(driver, procedure)
    if method is None:
        raise no_support(procedure.api or procedure.name, driver.error_domain)
    call: Call = Call(
        procedure,
        args,
        driver=driver.name,
        error_domain=driver.error_domain,
        identity=Identity(),
        readonly=False,
        uri=f"{driver.name}:///",
        access=_EVERYONE,
    )
    result: Any = await method(call, args)
    return result  # type: ignore[no-any-return]
