# SPDX-License-Identifier: LGPL-2.1-or-later
"""The admin program: a daemon's servers, their clients, threads, limits and logging.

Served on the admin socket only. Its typed parameters are those of the remote program.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import TypedParam
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import NOT_APPLICABLE, Family, Program
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Hyper, Max, UHyper, UInt

PROGRAM = Program(0x06900690, 1, "admin", Family.DAEMON)
procedure = PROGRAM.procedure

SERVER_LIST_MAX = 16384
SERVER_THREADPOOL_PARAMETERS_MAX = 32
CLIENT_LIST_MAX = 16384
CLIENT_INFO_PARAMETERS_MAX = 64
SERVER_CLIENT_LIMITS_MAX = 32


class NonnullServer(Struct):
    name: NonnullString


class NonnullClient(Struct):
    srv: NonnullServer
    id: UHyper
    timestamp: Hyper
    transport: UInt


class ConnectOpenArgs(Struct):
    flags: UInt


CONNECT_OPEN = procedure(
    1, "CONNECT_OPEN", ConnectOpenArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectOpen",
)

CONNECT_CLOSE = procedure(
    2, "CONNECT_CLOSE", None, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectClose",
)


class ConnectGetLibVersionRet(Struct):
    lib_ver: UHyper


CONNECT_GET_LIB_VERSION = procedure(
    3, "CONNECT_GET_LIB_VERSION", None, ConnectGetLibVersionRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectGetLibVersion",
)


class ConnectListServersArgs(Struct):
    need_results: UInt
    flags: UInt


class ConnectListServersRet(Struct):
    servers: Annotated[list[NonnullServer], Max(SERVER_LIST_MAX)]
    ret: UInt


CONNECT_LIST_SERVERS = procedure(
    4, "CONNECT_LIST_SERVERS", ConnectListServersArgs, ConnectListServersRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectListServers",
)


class ConnectLookupServerArgs(Struct):
    name: NonnullString
    flags: UInt


class ConnectLookupServerRet(Struct):
    srv: NonnullServer


CONNECT_LOOKUP_SERVER = procedure(
    5, "CONNECT_LOOKUP_SERVER", ConnectLookupServerArgs, ConnectLookupServerRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectLookupServer",
)


class ServerGetThreadpoolParametersArgs(Struct):
    srv: NonnullServer
    flags: UInt


class ServerGetThreadpoolParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(SERVER_THREADPOOL_PARAMETERS_MAX)]


SERVER_GET_THREADPOOL_PARAMETERS = procedure(
    6, "SERVER_GET_THREADPOOL_PARAMETERS", ServerGetThreadpoolParametersArgs, ServerGetThreadpoolParametersRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerGetThreadPoolParameters",
)


class ServerSetThreadpoolParametersArgs(Struct):
    srv: NonnullServer
    params: Annotated[list[TypedParam], Max(SERVER_THREADPOOL_PARAMETERS_MAX)]
    flags: UInt


SERVER_SET_THREADPOOL_PARAMETERS = procedure(
    7, "SERVER_SET_THREADPOOL_PARAMETERS", ServerSetThreadpoolParametersArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerSetThreadPoolParameters",
)


class ServerListClientsArgs(Struct):
    srv: NonnullServer
    need_results: UInt
    flags: UInt


class ServerListClientsRet(Struct):
    clients: Annotated[list[NonnullClient], Max(CLIENT_LIST_MAX)]
    ret: UInt


SERVER_LIST_CLIENTS = procedure(
    8, "SERVER_LIST_CLIENTS", ServerListClientsArgs, ServerListClientsRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerListClients",
)


class ServerLookupClientArgs(Struct):
    srv: NonnullServer
    id: UHyper
    flags: UInt


class ServerLookupClientRet(Struct):
    clnt: NonnullClient


SERVER_LOOKUP_CLIENT = procedure(
    9, "SERVER_LOOKUP_CLIENT", ServerLookupClientArgs, ServerLookupClientRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerLookupClient",
)


class ClientGetInfoArgs(Struct):
    clnt: NonnullClient
    flags: UInt


class ClientGetInfoRet(Struct):
    params: Annotated[list[TypedParam], Max(CLIENT_INFO_PARAMETERS_MAX)]


CLIENT_GET_INFO = procedure(
    10, "CLIENT_GET_INFO", ClientGetInfoArgs, ClientGetInfoRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmClientGetInfo",
)


class ClientCloseArgs(Struct):
    clnt: NonnullClient
    flags: UInt


CLIENT_CLOSE = procedure(
    11, "CLIENT_CLOSE", ClientCloseArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmClientClose",
)


class ServerGetClientLimitsArgs(Struct):
    srv: NonnullServer
    flags: UInt


class ServerGetClientLimitsRet(Struct):
    params: Annotated[list[TypedParam], Max(SERVER_CLIENT_LIMITS_MAX)]


SERVER_GET_CLIENT_LIMITS = procedure(
    12, "SERVER_GET_CLIENT_LIMITS", ServerGetClientLimitsArgs, ServerGetClientLimitsRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerGetClientLimits",
)


class ServerSetClientLimitsArgs(Struct):
    srv: NonnullServer
    params: Annotated[list[TypedParam], Max(SERVER_CLIENT_LIMITS_MAX)]
    flags: UInt


SERVER_SET_CLIENT_LIMITS = procedure(
    13, "SERVER_SET_CLIENT_LIMITS", ServerSetClientLimitsArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerSetClientLimits",
)


class ConnectGetLoggingOutputsArgs(Struct):
    flags: UInt


class ConnectGetLoggingOutputsRet(Struct):
    outputs: NonnullString
    noutputs: UInt


CONNECT_GET_LOGGING_OUTPUTS = procedure(
    14, "CONNECT_GET_LOGGING_OUTPUTS", ConnectGetLoggingOutputsArgs, ConnectGetLoggingOutputsRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectGetLoggingOutputs",
)


class ConnectGetLoggingFiltersArgs(Struct):
    flags: UInt


class ConnectGetLoggingFiltersRet(Struct):
    filters: String
    nfilters: UInt


CONNECT_GET_LOGGING_FILTERS = procedure(
    15, "CONNECT_GET_LOGGING_FILTERS", ConnectGetLoggingFiltersArgs, ConnectGetLoggingFiltersRet,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectGetLoggingFilters",
)


class ConnectSetLoggingOutputsArgs(Struct):
    outputs: String
    flags: UInt


CONNECT_SET_LOGGING_OUTPUTS = procedure(
    16, "CONNECT_SET_LOGGING_OUTPUTS", ConnectSetLoggingOutputsArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectSetLoggingOutputs",
)


class ConnectSetLoggingFiltersArgs(Struct):
    filters: String
    flags: UInt


CONNECT_SET_LOGGING_FILTERS = procedure(
    17, "CONNECT_SET_LOGGING_FILTERS", ConnectSetLoggingFiltersArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectSetLoggingFilters",
)


class ServerUpdateTlsFilesArgs(Struct):
    srv: NonnullServer
    flags: UInt


SERVER_UPDATE_TLS_FILES = procedure(
    18, "SERVER_UPDATE_TLS_FILES", ServerUpdateTlsFilesArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmServerUpdateTlsFiles",
)


class ConnectSetDaemonTimeoutArgs(Struct):
    timeout: UInt
    flags: UInt


CONNECT_SET_DAEMON_TIMEOUT = procedure(
    19, "CONNECT_SET_DAEMON_TIMEOUT", ConnectSetDaemonTimeoutArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectSetDaemonTimeout",
)


class ConnectDaemonShutdownArgs(Struct):
    flags: UInt


CONNECT_DAEMON_SHUTDOWN = procedure(
    20, "CONNECT_DAEMON_SHUTDOWN", ConnectDaemonShutdownArgs, None,
    readonly=NOT_APPLICABLE, acl=(), api="virAdmConnectDaemonShutdown", since="11.3",
)
