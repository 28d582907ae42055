# SPDX-License-Identifier: LGPL-2.1-or-later
"""The checks around list calls that no driver should have to write.

Old list calls say how many results they have room for; newer ones whether they want the results or only
their number. The local backend asks before and after the driver's method.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from virtproxy.driver.sizes import LIST_LIMITS
from virtproxy.errors import internal, rpc
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure

_ROOM_FIELDS = {"maxinfo", "ncpumaps", "maplen", "cell_count", "need_results", "nparams"}


@cache
def _asks_for_room(procedure: Procedure[Any, Any]) -> bool:
    """Whether a call says anything of how much its reply should hold; most do not."""
    fields = () if procedure.args is None else procedure.args.__match_args__
    return procedure in LIST_LIMITS or not _ROOM_FIELDS.isdisjoint(fields)


def check_room(procedure: Procedure[Any, Any], args: Any) -> None:
    """Refuse a count of wanted results that is negative or over what a reply can hold (VirtError)."""
    if not _asks_for_room(procedure):
        return
    _check_maps(args)
    if procedure is remote.NODE_GET_FREE_PAGES and args.cell_count * len(args.pages) > remote.NODE_MAX_CELLS:
        raise internal("the result won't fit into REMOTE_NODE_MAX_CELLS")
    limit = LIST_LIMITS.get(procedure)
    if limit is None or args is None:
        return
    wanted = getattr(args, limit.field)
    if limit.field == "nparams":
        if wanted < 0:
            raise internal("nparams must be non-negative")
        if wanted > limit.maximum:
            raise internal("nparams too large")
    elif wanted < 0:
        raise rpc(f"{limit.field} must be non-negative")
    elif wanted > limit.maximum:
        raise rpc(f"{limit.field} > {limit.name}")


def _check_maps(args: Any) -> None:
    """Refuse more CPU maps, or longer ones, than a reply can hold."""
    counted = next((name for name in ("maxinfo", "ncpumaps") if hasattr(args, name)), None)
    count = 1 if counted is None else getattr(args, counted)
    if count > remote.VCPUINFO_MAX:
        raise internal(f"{counted} > REMOTE_VCPUINFO_MAX")
    if max(count, 0) * getattr(args, "maplen", 0) > remote.CPUMAPS_MAX:
        product = "maplen" if counted is None else f"{counted} * maplen"
        raise internal(f"{product} > REMOTE_CPUMAPS_MAX")


def fitted(procedure: Procedure[Any, Any], args: Any, ret: Any) -> Any:
    """The result as the caller asked for it: cut to the wanted count, or the count alone."""
    if ret is None or args is None or not _asks_for_room(procedure):
        return ret
    if getattr(args, "need_results", 1) == 0 or getattr(args, "nparams", 1) == 0:
        return type(ret)(*([] if isinstance(value, list) else value for value in ret))
    limit = LIST_LIMITS.get(procedure)
    if limit is None or limit.field == "nparams":
        return ret
    wanted = getattr(args, limit.field)
    return type(ret)(*(value[:wanted] if isinstance(value, list) else value for value in ret))
