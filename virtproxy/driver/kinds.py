# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of object, and how libvirt's errors speak of each. `Objects` and drivers raise with these."""

from __future__ import annotations

from dataclasses import dataclass, replace

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain


@dataclass(frozen=True, slots=True)
class Kind:
    """How errors speak of one kind of object: in lookups ("storage pool") and in clashes ("pool").

    `clashes`: the domain of errors about a clash, where it is another than that of lookups.
    """

    word: str
    missing: ErrorCode
    domain: ErrorDomain
    short: str = ""
    # What is wrong with a document whose UUID is that of an object with another name.
    same_uuid: str = "{word} '{name}' is already defined with uuid {uuid}"
    clashes: ErrorDomain | None = None

    def of(self, domain: ErrorDomain) -> Kind:
        """The same for a driver whose lookups fail with another domain; clashes keep the kind's."""
        return replace(self, domain=domain, clashes=self.clashes or self.domain)

    def absent(self, detail: str | None) -> VirtError:
        """There is none such."""
        return VirtError.of(self.missing, detail, domain=self.domain)

    def absent_with(self, what: str, value: object) -> VirtError:
        """There is none whose `what` is `value`."""
        shown = value if isinstance(value, int) else f"'{value}'"
        return self.absent(f"no {self.word} with matching {what} {shown}")

    def name_taken(self, name: str, uuid: object) -> VirtError:
        """Another object, with that UUID, is called so."""
        return self._clash(f"{self.short or self.word} '{name}' already exists with uuid {uuid}")

    def uuid_taken(self, name: str, uuid: object) -> VirtError:
        """The object with that UUID is called `name`, and not as it should be."""
        return self._clash(self.same_uuid.format(word=self.short or self.word, name=name, uuid=uuid))

    def _clash(self, detail: str) -> VirtError:
        return VirtError.of(ErrorCode.OPERATION_FAILED, detail, domain=self.clashes or self.domain)


DOMAINS = Kind("domain", ErrorCode.NO_DOMAIN, ErrorDomain.DOMAIN)
NETWORKS = Kind("network", ErrorCode.NO_NETWORK, ErrorDomain.NETWORK)
POOLS = Kind("storage pool", ErrorCode.NO_STORAGE_POOL, ErrorDomain.STORAGE, "pool")
VOLUMES = Kind("storage vol", ErrorCode.NO_STORAGE_VOL, ErrorDomain.STORAGE)
SECRETS = Kind("secret", ErrorCode.NO_SECRET, ErrorDomain.SECRET)
NWFILTERS = Kind(
    "nwfilter",
    ErrorCode.NO_NWFILTER,
    ErrorDomain.NWFILTER,
    "filter",
    "{word} with same UUID but different name ('{name}') already exists",
)
INTERFACES = Kind("interface", ErrorCode.NO_INTERFACE, ErrorDomain.INTERFACE)
NODE_DEVICES = Kind("node device", ErrorCode.NO_NODE_DEVICE, ErrorDomain.NODEDEV)
