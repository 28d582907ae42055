# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the remote program's families share: the program itself, objects and their references, typed parameters.

Imported by every family file of this room; it imports none of them. An object type named ``Nonnull...`` is the
object, the same name without it may be absent.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from virtproxy.protocol.net import NonnullString, String, Uuid
from virtproxy.protocol.schema import Program
from virtproxy.wire.value import Struct, Union
from virtproxy.wire.xdr import Double, Hyper, Int, UHyper, UInt

PROGRAM = Program(0x20008086, 1, "remote")

CPUMAP_MAX = 2048
DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX = 32
DOMAIN_SAVE_PARAMS_MAX = 64
DOMAIN_JOB_STATS_MAX = 64

# Changing a domain needs "save" too where the change lasts.
DOMAIN_MODIFY = (
    "domain:write",
    "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
    "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
)


class NonnullDomain(Struct):
    name: NonnullString
    uuid: Uuid
    id: Int


class NonnullNetwork(Struct):
    name: NonnullString
    uuid: Uuid


class NonnullNetworkPort(Struct):
    net: NonnullNetwork
    uuid: Uuid


class NonnullNwfilter(Struct):
    name: NonnullString
    uuid: Uuid


class NonnullNwfilterBinding(Struct):
    portdev: NonnullString
    filtername: NonnullString


class NonnullStoragePool(Struct):
    name: NonnullString
    uuid: Uuid


class NonnullStorageVol(Struct):
    pool: NonnullString
    name: NonnullString
    key: NonnullString


class NonnullNodeDevice(Struct):
    name: NonnullString


class NonnullSecret(Struct):
    uuid: Uuid
    usage_type: Int
    usage_id: NonnullString


class Error(Struct):
    code: Int
    domain: Int
    message: String
    level: Int
    dom: Domain
    str1: String
    str2: String
    str3: String
    int1: Int
    int2: Int
    net: Network


class TypedParam(Struct):
    field: NonnullString
    value: TypedParamValue


class TypedParameterType(IntEnum):
    """Which arm of a typed parameter is in use: virTypedParameterType."""

    INT = 1
    UINT = 2
    LLONG = 3
    ULLONG = 4
    DOUBLE = 5
    BOOLEAN = 6
    STRING = 7


class TypedParamValue(Union):
    """A number, truth value or string, by its ``type``."""

    type: int
    value: int | float | str
    arms: ClassVar = {
        TypedParameterType.INT: ("i", Int),
        TypedParameterType.UINT: ("ui", UInt),
        TypedParameterType.LLONG: ("l", Hyper),
        TypedParameterType.ULLONG: ("ul", UHyper),
        TypedParameterType.DOUBLE: ("d", Double),
        TypedParameterType.BOOLEAN: ("b", Int),
        TypedParameterType.STRING: ("s", NonnullString),
    }


Domain = NonnullDomain | None
Network = NonnullNetwork | None
NetworkPort = NonnullNetworkPort | None
Nwfilter = NonnullNwfilter | None
NwfilterBinding = NonnullNwfilterBinding | None
StoragePool = NonnullStoragePool | None
StorageVol = NonnullStorageVol | None
NodeDevice = NonnullNodeDevice | None
Secret = NonnullSecret | None
