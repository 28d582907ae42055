# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets and their events.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NonnullSecret, Secret
from virtproxy.protocol.net import NonnullString, Uuid
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UInt

procedure = PROGRAM.procedure
event = PROGRAM.event

SECRET_VALUE_MAX = 65536
SECRET_LIST_MAX = 16384


class ConnectNumOfSecretsRet(Struct):
    num: Int


CONNECT_NUM_OF_SECRETS = procedure(
    139, "CONNECT_NUM_OF_SECRETS", None, ConnectNumOfSecretsRet,
    family=Family.SECRET, readonly=ALLOWED, acl=("connect:search_secrets",), aclfilter=("secret:getattr",),
    api="virConnectNumOfSecrets", high_priority=True,
)


class ConnectListSecretsArgs(Struct):
    maxuuids: Int


class ConnectListSecretsRet(Struct):
    uuids: Annotated[list[NonnullString], Max(SECRET_LIST_MAX)]


CONNECT_LIST_SECRETS = procedure(
    140, "CONNECT_LIST_SECRETS", ConnectListSecretsArgs, ConnectListSecretsRet,
    family=Family.SECRET, readonly=ALLOWED, acl=("connect:search_secrets",), aclfilter=("secret:getattr",),
    api="virConnectListSecrets", high_priority=True,
)


class SecretLookupByUuidArgs(Struct):
    uuid: Uuid


class SecretLookupByUuidRet(Struct):
    secret: NonnullSecret


SECRET_LOOKUP_BY_UUID = procedure(
    141, "SECRET_LOOKUP_BY_UUID", SecretLookupByUuidArgs, SecretLookupByUuidRet,
    family=Family.SECRET, readonly=ALLOWED, acl=("secret:getattr",), api="virSecretLookupByUUID", high_priority=True,
)


class SecretDefineXmlArgs(Struct):
    xml: NonnullString
    flags: UInt


class SecretDefineXmlRet(Struct):
    secret: NonnullSecret


SECRET_DEFINE_XML = procedure(
    142, "SECRET_DEFINE_XML", SecretDefineXmlArgs, SecretDefineXmlRet,
    family=Family.SECRET, readonly=DENIED, acl=("secret:write", "secret:save"), api="virSecretDefineXML",
    high_priority=True,
)


class SecretGetXmlDescArgs(Struct):
    secret: NonnullSecret
    flags: UInt


class SecretGetXmlDescRet(Struct):
    xml: NonnullString


SECRET_GET_XML_DESC = procedure(
    143, "SECRET_GET_XML_DESC", SecretGetXmlDescArgs, SecretGetXmlDescRet,
    family=Family.SECRET, readonly=ALLOWED, acl=("secret:read",), api="virSecretGetXMLDesc", high_priority=True,
)


class SecretSetValueArgs(Struct):
    secret: NonnullSecret
    value: Annotated[bytes, Max(SECRET_VALUE_MAX)]
    flags: UInt


SECRET_SET_VALUE = procedure(
    144, "SECRET_SET_VALUE", SecretSetValueArgs, None,
    family=Family.SECRET, readonly=DENIED, acl=("secret:write",), api="virSecretSetValue", high_priority=True,
)


class SecretGetValueArgs(Struct):
    secret: NonnullSecret
    flags: UInt


class SecretGetValueRet(Struct):
    value: Annotated[bytes, Max(SECRET_VALUE_MAX)]


SECRET_GET_VALUE = procedure(
    145, "SECRET_GET_VALUE", SecretGetValueArgs, SecretGetValueRet,
    family=Family.SECRET, readonly=DENIED, acl=("secret:read_secure",), api="virSecretGetValue", high_priority=True,
)


class SecretUndefineArgs(Struct):
    secret: NonnullSecret


SECRET_UNDEFINE = procedure(
    146, "SECRET_UNDEFINE", SecretUndefineArgs, None,
    family=Family.SECRET, readonly=DENIED, acl=("secret:delete",), api="virSecretUndefine", high_priority=True,
)


class SecretLookupByUsageArgs(Struct):
    usage_type: Int
    usage_id: NonnullString


class SecretLookupByUsageRet(Struct):
    secret: NonnullSecret


SECRET_LOOKUP_BY_USAGE = procedure(
    147, "SECRET_LOOKUP_BY_USAGE", SecretLookupByUsageArgs, SecretLookupByUsageRet,
    family=Family.SECRET, readonly=ALLOWED, acl=("secret:getattr",), api="virSecretLookupByUsage", high_priority=True,
)


class ConnectListAllSecretsArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllSecretsRet(Struct):
    secrets: Annotated[list[NonnullSecret], Max(SECRET_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_SECRETS = procedure(
    287, "CONNECT_LIST_ALL_SECRETS", ConnectListAllSecretsArgs, ConnectListAllSecretsRet,
    family=Family.SECRET, readonly=ALLOWED, acl=("connect:search_secrets",), aclfilter=("secret:getattr",),
    api="virConnectListAllSecrets", high_priority=True,
)


class ConnectSecretEventRegisterAnyArgs(Struct):
    event_id: Int
    secret: Secret


class ConnectSecretEventRegisterAnyRet(Struct):
    callback_id: Int


CONNECT_SECRET_EVENT_REGISTER_ANY = procedure(
    380, "CONNECT_SECRET_EVENT_REGISTER_ANY", ConnectSecretEventRegisterAnyArgs, ConnectSecretEventRegisterAnyRet,
    family=Family.SECRET, edge="event-register", readonly=ALLOWED, acl=("connect:search_secrets",),
    aclfilter=("secret:getattr",), api="virConnectSecretEventRegisterAny", high_priority=True,
)


class ConnectSecretEventDeregisterAnyArgs(Struct):
    callback_id: Int


CONNECT_SECRET_EVENT_DEREGISTER_ANY = procedure(
    381, "CONNECT_SECRET_EVENT_DEREGISTER_ANY", ConnectSecretEventDeregisterAnyArgs, None,
    family=Family.SECRET, edge="event-deregister", readonly=ALLOWED, acl=("connect:read",),
    api="virConnectSecretEventDeregisterAny", high_priority=True,
)


class SecretEventLifecycleMsg(Struct):
    callback_id: Int
    secret: NonnullSecret
    event: Int
    detail: Int


SECRET_EVENT_LIFECYCLE = event(382, "SECRET_EVENT_LIFECYCLE", SecretEventLifecycleMsg, family=Family.SECRET)


class SecretEventValueChangedMsg(Struct):
    callback_id: Int
    secret: NonnullSecret


SECRET_EVENT_VALUE_CHANGED = event(
    383, "SECRET_EVENT_VALUE_CHANGED",
    SecretEventValueChangedMsg, family=Family.SECRET,
)
