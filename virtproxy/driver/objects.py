# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of a driver's objects of one kind: found by UUID, name or number, each of them unique.

Every lookup takes the same time however many objects there are. The errors are libvirt's for the kind. Nothing
here asks for a permission: that is the method's business, with what it found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from virtproxy.driver.kinds import Kind
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode


class Named(Protocol):
    """What a table holds. `uuid` is 16 bytes, or empty where the kind has none."""

    name: str
    uuid: bytes


T = TypeVar("T", bound=Named)


class Objects(Generic[T]):
    """Objects of one kind, in the order in which they came. Change a name only by `rename`, a number by `number`."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._by_name: dict[str, T] = {}
        self._by_uuid: dict[bytes, T] = {}
        self._by_id: dict[int, T] = {}
        # The number that an object is listed under, by name.
        self._ids: dict[str, int] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._by_name.values()))

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, thing: object) -> bool:
        return self._by_name.get(getattr(thing, "name", "")) is thing

    # Finding

    def get(self, *, name: str | None = None, uuid: bytes | None = None) -> T | None:
        """The object of that name or else that UUID, or None."""
        if name is not None:
            return self._by_name.get(name)
        return None if uuid is None else self._by_uuid.get(uuid)

    def by_ref(self, ref: Any) -> T:
        """The object that a client's reference speaks of: by UUID, by name where the kind has none. VirtError."""
        uuid = getattr(ref, "uuid", None)
        if uuid is None:
            return self.by_name(ref.name)
        found = self._by_uuid.get(uuid)
        if found is None:
            name = getattr(ref, "name", None)
            called = "" if name is None else f" ({name})"
            raise self.kind.absent(f"no {self.kind.word} with matching uuid '{UUID(bytes=uuid)}'{called}")
        return found

    def by_name(self, name: str) -> T:
        """The object called `name`; VirtError if there is none."""
        found = self._by_name.get(name)
        if found is None:
            raise self.kind.absent_with("name", name)
        return found

    def by_uuid(self, uuid: bytes) -> T:
        """The object with that UUID; VirtError if there is none."""
        found = self._by_uuid.get(uuid)
        if found is None:
            raise self.kind.absent_with("uuid", UUID(bytes=uuid))
        return found

    def by_id(self, id: int) -> T:
        """The running object with that number; VirtError if there is none."""
        found = self._by_id.get(id)
        if found is None:
            raise self.kind.absent_with("id", id)
        return found

    # Changing

    def claim(self, name: str, uuid: bytes) -> T | None:
        """The object that a document with this name and UUID is about, or None if it would be a new one.

        VirtError if only one of the two is that of an object that there is.
        """
        same = self._by_uuid.get(uuid) if uuid else self._by_name.get(name)
        if same is not None:
            if same.name != name:
                raise self.kind.uuid_taken(same.name, _text(same.uuid))
            return same
        other = self._by_name.get(name)
        if other is not None:
            raise self.kind.name_taken(other.name, _text(other.uuid))
        return None

    def add(self, thing: T) -> T:
        """Take a new object in and return it; VirtError if its name or UUID is another's."""
        if self.claim(thing.name, thing.uuid) is not None:
            raise self.kind.name_taken(thing.name, _text(thing.uuid))
        self._by_name[thing.name] = thing
        if thing.uuid:
            self._by_uuid[thing.uuid] = thing
        return thing

    def replace(self, old: T, new: T) -> T:
        """Put `new`, of the same name and UUID, where `old` is."""
        if (old.name, old.uuid) != (new.name, new.uuid) or old not in self:
            raise ValueError("only an object of the same name and UUID can take another's place")
        self._by_name[new.name] = new
        if new.uuid:
            self._by_uuid[new.uuid] = new
        if new.name in self._ids:
            self._by_id[self._ids[new.name]] = new
        return new

    def remove(self, thing: T) -> None:
        """Forget an object; one that is not here is left alone."""
        if thing in self:
            self.number(thing, None)
            del self._by_name[thing.name]
            self._by_uuid.pop(thing.uuid, None)

    def rename(self, thing: T, name: str) -> None:
        """Call `thing` something else; it keeps its turn in lists. VirtError if the name is taken."""
        if name in self._by_name:
            detail = f"{self.kind.word} with name '{name}' already exists"
            raise VirtError.of(ErrorCode.OPERATION_INVALID, detail, domain=self.kind.domain)
        former, id = thing.name, self._ids.pop(thing.name, None)
        thing.name = name
        self._by_name = {name if key == former else key: value for key, value in self._by_name.items()}
        if id is not None:
            self._ids[name] = id

    def number(self, thing: T, id: int | None) -> None:
        """Find `thing` by `id` from now on (a guest that starts), or by no number (None: one that stopped)."""
        former = self._ids.pop(thing.name, None)
        if former is not None:
            del self._by_id[former]
        if id is not None:
            if id in self._by_id:
                raise ValueError(f"two objects with the number {id}")
            self._ids[thing.name] = id
            self._by_id[id] = thing


def _text(uuid: bytes) -> str:
    return str(UUID(bytes=uuid)) if uuid else "none"
