# SPDX-License-Identifier: LGPL-2.1-or-later
"""The words a declaration of procedures uses, and the frames that carry a procedure's values.

Every module of this room declares with ``Program.procedure`` and ``Program.event``; both ends of a connection make
and read frames with the methods of ``Procedure``. It knows nothing of connections and enforces nothing: the rules
it holds are enforced by auth, access and driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, Generic, Literal, NamedTuple, Required, TypedDict, TypeVar, Unpack, cast, overload

from virtproxy.protocol.net import NetError
from virtproxy.wire.codec import Struct, decode, encode
from virtproxy.wire.frame import CALL, CALL_WITH_FDS, ERROR, MESSAGE, OK, REPLY, REPLY_WITH_FDS, Frame, pack
from virtproxy.wire.limits import FD_COUNT_SIZE, PACKET_MIN

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
S = TypeVar("S", bound=Struct)
T = TypeVar("T", bound=Struct)


class Family(Enum):
    """The connection that serves a procedure; DAEMON touches none."""

    HYPERVISOR = "hypervisor"
    INTERFACE = "interface"
    NETWORK = "network"
    NODEDEV = "nodedev"
    NWFILTER = "nwfilter"
    SECRET = "secret"
    STORAGE = "storage"
    DAEMON = "daemon"


class ReadonlyRule(NamedTuple):
    """Whether a read-only connection may make the call.

    By ``kind``, by bits of ``flags``, or by one argument's value.
    """

    kind: Literal["allowed", "denied", "flags", "field", "none"]
    mask: int = 0
    field: str = ""
    value: int = 0
    secure: bool = False

    def denies(self, args: object) -> bool:
        """Return whether a call with these arguments is refused on a read-only connection."""
        if self.kind == "flags":
            return bool(cast(Any, args).flags & self.mask)
        if self.kind == "field":
            return bool(getattr(args, self.field) == self.value)
        return self.kind != "allowed"

    def refusal(self, api: str) -> str:
        """Return the detail of OPERATION_DENIED, as the public function ``api`` words it."""
        return f"{api} with secure flag" if self.secure else f"read only access prevents {api}"


ALLOWED = ReadonlyRule("allowed")
DENIED = ReadonlyRule("denied")
# The admin program has no read-only sockets and messages are not called.
NOT_APPLICABLE = ReadonlyRule("none")


def denied_with_flags(mask: int, *, secure: bool = False) -> ReadonlyRule:
    """Deny if any bit of ``mask`` is in ``flags``; ``secure``: the refusal speaks of the secure flag."""
    return ReadonlyRule("flags", mask=mask, secure=secure)


def denied_when(field: str, value: int) -> ReadonlyRule:
    """Deny if the argument ``field`` has this value."""
    return ReadonlyRule("field", field=field, value=value)


class Rules(TypedDict, total=False):
    """What a declaration says beyond number, name and types; see the attributes of Procedure."""

    readonly: Required[ReadonlyRule]
    acl: Required[tuple[str, ...]]
    aclfilter: tuple[str, ...]
    api: str | None
    family: Family
    edge: str | None
    stream: Literal["read", "write"] | None
    sparse_flag: int
    fds: Literal["in", "out", "inout"] | None
    high_priority: bool
    needs_auth: bool
    since: str


class Procedure(Generic[A, R]):
    """One procedure or event of a program.

    ``args`` and ``ret`` are the payload types, None for an empty payload; an event's message type is its ``args``.
    ``family`` is the connection that serves it (or raises the event), ``edge`` what the daemon does itself, ``api``
    the public function behind it. ``acl`` and ``aclfilter`` are rules
    ``object:permission[:flags[:argument:value]]``; ``("none",)`` says that nothing is checked. ``sparse_flag`` is
    the bit of ``flags`` that permits holes in its stream. ``high_priority`` calls do not wait for anything;
    ``needs_auth`` is False for what may be called before authentication.
    """

    __slots__ = (
        "acl", "aclfilter", "api", "args", "edge", "event", "family", "fds", "high_priority", "name", "needs_auth",
        "number", "program", "readonly", "ret", "since", "sparse_flag", "stream",
    )  # fmt: skip

    def __init__(
        self,
        program: Program,
        number: int,
        name: str,
        args: type[A] | None,
        ret: type[R] | None,
        *,
        readonly: ReadonlyRule,
        acl: tuple[str, ...],
        event: bool = False,
        aclfilter: tuple[str, ...] = (),
        api: str | None = None,
        family: Family | None = None,
        edge: str | None = None,
        stream: Literal["read", "write"] | None = None,
        sparse_flag: int = 0,
        fds: Literal["in", "out", "inout"] | None = None,
        high_priority: bool = False,
        needs_auth: bool = True,
        since: str = "9.0",
    ) -> None:
        self.program, self.number, self.name = program, number, name
        self.args, self.ret, self.event = args, ret, event
        self.readonly, self.acl, self.aclfilter = readonly, acl, aclfilter
        self.api, self.family, self.edge, self.since = api, family or program.family, edge, since
        self.stream, self.sparse_flag, self.fds = stream, sparse_flag, fds
        self.high_priority, self.needs_auth = high_priority, needs_auth

    def __repr__(self) -> str:
        return f"<{self.program.name} {self.name} ({self.number})>"

    def call_frame(self, serial: int, args: A, fds: Sequence[int] = ()) -> Frame:
        """Make the call packet.

        WireError if the arguments cannot be sent, ValueError if they are too much for a packet.
        """
        return self._frame(CALL_WITH_FDS if fds else CALL, serial, self._payload(args, self.args), fds)

    def reply_frame(self, serial: int, ret: R, fds: Sequence[int] = ()) -> Frame:
        """Make the packet of a successful reply; errors as for ``call_frame``."""
        return self._frame(REPLY_WITH_FDS if fds else REPLY, serial, self._payload(ret, self.ret), fds)

    def event_frame(self, msg: A, serial: int = 1) -> Frame:
        """Make the packet of an event. Real daemons number events 1 and keepalive 0; receivers ignore it."""
        return self._frame(MESSAGE, serial, self._payload(msg, self.args), ())

    def decode_args(self, frame: Frame) -> A:
        """Return the arguments of a call, or the message of an event.

        Bytes after them are ignored. Raises WireError.
        """
        return cast("A", _value(self.args, frame))

    def decode_ret(self, frame: Frame) -> R:
        """Return the value of a successful reply; bytes after it are ignored. Raises WireError."""
        return cast("R", _value(self.ret, frame))

    def _frame(self, type: int, serial: int, payload: bytes, fds: Sequence[int]) -> Frame:
        return pack(self.program.number, self.program.version, self.number, type, serial, OK, payload, fds)

    def _payload(self, value: Struct | None, expected: type[Any] | None) -> bytes:
        if (None if value is None else type(value)) is not expected:
            raise TypeError(f"{self.name} carries {expected}, not {type(value)}")
        return b"" if value is None else encode(value)


class Program:
    """A program: its number, version and name, its procedures and events by number, and the family most belong to."""

    __slots__ = ("family", "name", "number", "procedures", "version")

    def __init__(self, number: int, version: int, name: str, family: Family = Family.HYPERVISOR) -> None:
        self.number, self.version, self.name, self.family = number, version, name, family
        self.procedures: dict[int, Procedure[Any, Any]] = {}

    @overload
    def procedure(
        self, number: int, name: str, args: None, ret: None, **rules: Unpack[Rules]
    ) -> Procedure[None, None]: ...
    @overload
    def procedure(
        self, number: int, name: str, args: type[S], ret: None, **rules: Unpack[Rules]
    ) -> Procedure[S, None]: ...
    @overload
    def procedure(
        self, number: int, name: str, args: None, ret: type[T], **rules: Unpack[Rules]
    ) -> Procedure[None, T]: ...
    @overload
    def procedure(
        self, number: int, name: str, args: type[S], ret: type[T], **rules: Unpack[Rules]
    ) -> Procedure[S, T]: ...
    def procedure(self, number: int, name: str, args: Any, ret: Any, **rules: Unpack[Rules]) -> Procedure[Any, Any]:
        """Declare a procedure of this program."""
        return self._add(Procedure(self, number, name, args, ret, **rules))

    @overload
    def event(
        self, number: int, name: str, msg: None, *, family: Family = ..., since: str = ...
    ) -> Procedure[None, None]: ...
    @overload
    def event(
        self, number: int, name: str, msg: type[S], *, family: Family = ..., since: str = ...
    ) -> Procedure[S, None]: ...
    def event(
        self, number: int, name: str, msg: Any, *, family: Family | None = None, since: str = "9.0"
    ) -> Procedure[Any, Any]:
        """Declare a message that the server (or, of keepalive, either side) sends unasked."""
        return self._add(
            Procedure(
                self,
                number,
                name,
                msg,
                None,
                event=True,
                readonly=NOT_APPLICABLE,
                acl=("none",),
                family=family,
                since=since,
            )
        )

    def _add(self, procedure: Procedure[Any, Any]) -> Procedure[Any, Any]:
        if procedure.number in self.procedures:
            raise ValueError(f"{procedure} has the number of {self.procedures[procedure.number]}")
        self.procedures[procedure.number] = procedure
        return procedure


def error_frame(program: int, version: int, procedure: int, serial: int, error: NetError, type: int = REPLY) -> Frame:
    """Make the packet that reports an error: a reply, or with ``type`` STREAM the end of a stream."""
    return pack(program, version, procedure, type, serial, ERROR, encode(error))


def decode_error(frame: Frame) -> NetError:
    """Return the error that a packet with status ERROR carries; WireError if it carries none."""
    return decode(NetError, frame.raw, PACKET_MIN)


def _value(cls: type[Any] | None, frame: Frame) -> Any:
    if cls is None:
        return None
    return decode(cls, frame.raw, PACKET_MIN + FD_COUNT_SIZE if frame.carries_fds else PACKET_MIN)
