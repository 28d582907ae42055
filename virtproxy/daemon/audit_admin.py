# SPDX-License-Identifier: LGPL-2.1-or-later
"""What administrators do over the administration socket, as records of the audit trail.

``audit_log`` writes them, ``admin_session`` tells of the calls. Looking is not recorded; watching traffic is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import Struct

_LOOKS = re.compile(r"CONNECT_(OPEN|CLOSE)|TRACE_NEXT|(.*_)?(GET|LIST|LOOKUP)_.*")


def is_recorded(procedure: Procedure[Any, Any]) -> bool:
    """Whether a call changes the daemon or its clients, or watches what they say."""
    return _LOOKS.fullmatch(procedure.name) is None


def record_of(
    number: int, who: Identity, procedure: Procedure[Any, Any], args: Any, error: VirtError | None
) -> Iterator[tuple[str, object]]:
    """Yield the members of the record of one call: the administrator's, the call's, and how it ended."""
    yield "client", number
    yield "uid", who.uid
    yield "user", who.user_name
    yield "pid", who.pid
    yield "program", procedure.program.name
    yield "procedure", procedure.name
    yield "args", plain(args)
    yield "result", "ok" if error is None else "error"
    if error is not None:
        yield "error", {"code": int(error.code), "message": error.message}


def plain(value: Any) -> Any:
    """A value of the protocol as JSON has it; a typed parameter as its name and value."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, Struct):
        return value.hex() if isinstance(value, bytes) else value
    fields = {name: plain(getattr(value, name)) for name in type(value).__match_args__}
    if set(fields) == {"field", "value"}:
        return {fields["field"]: fields["value"]}
    return fields["value"] if set(fields) == {"type", "value"} else fields
