# SPDX-License-Identifier: LGPL-2.1-or-later
"""A line of a trace for a person, and the same as JSON for a script.

``trace`` prints what these return. Everything comes masked; texts come from clients, so nothing of them may drive a
terminal.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from virtproxy.access.audit.arguments import KINDS
from virtproxy.access.audit.text import digits_of
from virtproxy.cli.output import RED, YELLOW, paint, printable
from virtproxy.cli.trace_calls import Exchange
from virtproxy.cli.trace_packet import Said
from virtproxy.protocol.errors import ErrorCode
from virtproxy.wire.codec import Struct

# What of a text or list a line has.
TEXT_MAX = 60
ITEMS_MAX = 4
# What a call may take before its time is coloured.
SLOW_SECONDS = 1.0


def document(exchange: Exchange) -> dict[str, Any]:
    """The exchange as a JSON object: times in seconds, absent members are unknown."""
    packet = exchange.packet
    members: dict[str, Any] = {
        "time": packet.time, "client": packet.client, "subject": packet.subject, "kind": exchange.kind,
        "procedure": exchange.procedure, "serial": packet.frame.serial,
    }  # fmt: skip
    if exchange.args is not None:
        members["args"] = _content(exchange.args)
    if exchange.kind == "stream":
        members |= {"up": exchange.up, "down": exchange.down}
    if exchange.result is not None and exchange.result.error is not None:
        error = exchange.result.error
        members["error"] = {"code": error.code, "name": _code(error.code), "message": error.message}
    elif exchange.result is not None and exchange.kind == "call":
        members["result"] = _content(exchange.result)
    if exchange.seconds is not None:
        members["seconds"] = round(exchange.seconds, 6)
    return members


def line(exchange: Exchange, *, full: bool) -> str:
    """One line: when, who, what, with what result, how long it took. ``full``: texts and lists are not cut."""
    packet = exchange.packet
    stamp = time.strftime("%H:%M:%S", time.localtime(packet.time)) + f"{packet.time % 1:.6f}"[1:]
    who = printable(f"{packet.client:>4} {packet.subject}")
    what = {"call": "", "event": "event ", "stream": "stream of "}[exchange.kind] + exchange.procedure
    text = f"{stamp} {who:<22} {what}{_arguments(exchange, full)}"
    end, colour = _ending(exchange, full)
    shown = printable(f"{text}{end}")
    if exchange.seconds is not None:
        took = f"  {exchange.seconds * 1000:.3f} ms"
        shown = paint(shown, colour, sys.stdout) if colour else shown
        return shown + (paint(took, YELLOW, sys.stdout) if exchange.seconds >= SLOW_SECONDS else took)
    return paint(shown, colour, sys.stdout) if colour else shown


def _arguments(exchange: Exchange, full: bool) -> str:
    if exchange.kind == "stream":
        return f": {exchange.up} bytes from the client, {exchange.down} to it"
    return "(?)" if exchange.args is None else f"({_words(exchange.args, full)})"


def _ending(exchange: Exchange, full: bool) -> tuple[str, str]:
    """What came of it, and a colour if it is no good news."""
    result = exchange.result
    if result is None:
        return ("", "") if exchange.kind == "event" else (" = no answer", YELLOW)
    if result.error is not None:
        return f" = {_code(result.error.code)}: {result.error.message}", RED
    if exchange.kind == "stream":
        return " = ok", ""
    return f" = {_words(result, full) or 'ok'}", ""


def _code(code: int) -> str:
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"


def _content(part: Said) -> Any:
    if part.problem:
        return {"problem": part.problem}
    return {"bytes": part.data} if part.data is not None else plain(part.value)


def plain(value: Any, name: str = "") -> Any:
    """A value as JSON has it: structs are objects, parameters an object by name, bytes are counted but for UUIDs."""
    if isinstance(value, Struct):
        return {field: plain(getattr(value, field), field) for field in type(value).__match_args__}
    if isinstance(value, list) and value and type(value[0]).__name__ == "TypedParam":
        return {param.field: param.value.value for param in value}
    if isinstance(value, list):
        return [plain(item, name) for item in value]
    if isinstance(value, bytes):
        return _bytes(value, name)
    return {} if value is None and not name else value


def _bytes(value: bytes, name: str) -> Any:
    if name == "uuid":
        return digits_of(value)
    if name in ("label", "model", "doi"):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    return value.hex() if name in ("cpumap", "cpumaps") else {"bytes": len(value)}


def _words(part: Said, full: bool) -> str:
    if part.problem:
        return f"<{part.problem}>"
    if part.data is not None:
        return f"<{part.data} bytes>"
    if part.value is None:
        return ""
    names = type(part.value).__match_args__
    return ", ".join(f"{name.rstrip('_')}={_word(getattr(part.value, name), name, full)}" for name in names)


def _word(value: Any, name: str, full: bool) -> str:
    if isinstance(value, list):
        return _list(value, name, full)
    if type(value).__name__ == "TypedParam":
        return f"{value.field}: {_word(value.value.value, '', full)}"
    if type(value).__name__ in KINDS:
        return _reference(value)
    if isinstance(value, Struct):
        members = type(value).__match_args__
        return f"{{{', '.join(f'{one}={_word(getattr(value, one), one, full)}' for one in members)}}}"
    if isinstance(value, str):
        cut = value if full or len(value) <= TEXT_MAX else f"{value[:TEXT_MAX]}..."
        more = "" if cut is value else f" ({len(value)} characters)"
        return json.dumps(cut, ensure_ascii=False) + more
    if isinstance(value, bytes):
        shown = _bytes(value, name)
        return f"<{len(value)} bytes>" if isinstance(shown, dict) else str(shown)
    return "none" if value is None else str(getattr(value, "name", value))


def _list(values: list[Any], name: str, full: bool) -> str:
    shown = [_word(value, name, full) for value in (values if full else values[:ITEMS_MAX])]
    more = [] if len(shown) == len(values) else [f"... {len(values)} in all"]
    return f"[{', '.join([*shown, *more])}]"


def _reference(value: Any) -> str:
    """An object in a word: its name, in front of it that of what it lies in, its UUID where it has no name."""
    outer = getattr(value, "dom", None) or getattr(value, "net", None)
    before = getattr(value, "pool", "") if outer is None else _reference(outer)
    own = getattr(value, "name", None) or getattr(value, "portdev", None) or digits_of(getattr(value, "uuid", b""))
    return f"{before}/{own}" if before else str(own)
