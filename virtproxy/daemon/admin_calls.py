# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's admin program: what each of its calls does to this daemon.

``service`` registers ``answers()`` with the admin server. Errors are worded as libvirt's are, which clients show.
What an administrator changes is in the log. It must not decide who is an administrator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from twisted.logger import Logger

from virtproxy import errors
from virtproxy.daemon.admin_logging import check_filters, check_outputs
from virtproxy.daemon.admin_params import client_info, given, numbers
from virtproxy.daemon.admin_servers import Server, Servers
from virtproxy.daemon.idle import IdleExit
from virtproxy.daemon.present import Present
from virtproxy.errors import VirtError
from virtproxy.protocol import admin
from virtproxy.protocol.enums import params as names
from virtproxy.protocol.enums.admin import AdmConnectDaemonShutdownFlags, ClientTransport
from virtproxy.protocol.enums.limits import LIBVIR_VERSION_NUMBER
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure

if TYPE_CHECKING:
    from virtproxy.daemon.admin_session import Answer
    from virtproxy.daemon.log import DaemonLog

_THREADS = (names.THREADPOOL_WORKERS_MIN, names.THREADPOOL_WORKERS_MAX, names.THREADPOOL_WORKERS_PRIORITY)
_LIMITS = (names.SERVER_CLIENTS_MAX, names.SERVER_CLIENTS_UNAUTH_MAX)


class Life(Protocol):
    """What administrators change of the daemon as a whole; ``lifecycle`` has it."""

    log: DaemonLog | None
    idle: IdleExit

    def shut_down(self) -> None:
        """End the daemon as if it were told to by a signal."""


class AdminCalls:
    """Answers the calls of the admin program about ``servers`` and ``life``."""

    _log = Logger()

    def __init__(self, servers: Servers, life: Life) -> None:
        self._servers = servers
        self._life = life

    def answers(self) -> Mapping[Procedure[Any, Any], Answer]:
        """Return who answers each procedure."""
        return {
            admin.CONNECT_OPEN: self._open,
            admin.CONNECT_CLOSE: self._close,
            admin.CONNECT_GET_LIB_VERSION: self._version,
            admin.CONNECT_LIST_SERVERS: self._list_servers,
            admin.CONNECT_LOOKUP_SERVER: self._lookup_server,
            admin.SERVER_GET_THREADPOOL_PARAMETERS: self._threads,
            admin.SERVER_SET_THREADPOOL_PARAMETERS: self._set_threads,
            admin.SERVER_LIST_CLIENTS: self._list_clients,
            admin.SERVER_LOOKUP_CLIENT: self._lookup_client,
            admin.CLIENT_GET_INFO: self._client_info,
            admin.CLIENT_CLOSE: self._close_client,
            admin.SERVER_GET_CLIENT_LIMITS: self._limits,
            admin.SERVER_SET_CLIENT_LIMITS: self._set_limits,
            admin.SERVER_UPDATE_TLS_FILES: self._update_tls,
            admin.CONNECT_GET_LOGGING_OUTPUTS: self._outputs,
            admin.CONNECT_GET_LOGGING_FILTERS: self._filters,
            admin.CONNECT_SET_LOGGING_OUTPUTS: self._set_outputs,
            admin.CONNECT_SET_LOGGING_FILTERS: self._set_filters,
            admin.CONNECT_SET_DAEMON_TIMEOUT: self._set_timeout,
            admin.CONNECT_DAEMON_SHUTDOWN: self._shut_down,
        }

    # The connection

    async def _open(self, args: admin.ConnectOpenArgs) -> None:
        _no_flags(args.flags, "adminDispatchConnectOpen")

    async def _close(self, args: None) -> None:
        """The session closes the connection behind the reply."""

    async def _version(self, args: None) -> admin.ConnectGetLibVersionRet:
        return admin.ConnectGetLibVersionRet(lib_ver=LIBVIR_VERSION_NUMBER)

    # Servers

    async def _list_servers(self, args: admin.ConnectListServersArgs) -> admin.ConnectListServersRet:
        _no_flags(args.flags, "adminConnectListServers")
        found = [admin.NonnullServer(name=name) for name in self._servers.names]
        return admin.ConnectListServersRet(servers=found if args.need_results else [], ret=len(found))

    async def _lookup_server(self, args: admin.ConnectLookupServerArgs) -> admin.ConnectLookupServerRet:
        return admin.ConnectLookupServerRet(srv=admin.NonnullServer(name=self._servers.server(args.name).name))

    async def _threads(self, args: admin.ServerGetThreadpoolParametersArgs) -> admin.ServerGetThreadpoolParametersRet:
        workers = self._servers.server(args.srv.name).workers
        _no_flags(args.flags, "adminServerGetThreadPoolParameters")
        values = {
            names.THREADPOOL_WORKERS_MIN: workers.minimum,
            names.THREADPOOL_WORKERS_MAX: workers.maximum,
            names.THREADPOOL_WORKERS_CURRENT: workers.idle + workers.working,
            names.THREADPOOL_WORKERS_FREE: workers.idle,
            names.THREADPOOL_WORKERS_PRIORITY: workers.priority,
            names.THREADPOOL_JOB_QUEUE_DEPTH: workers.backlog,
        }
        return admin.ServerGetThreadpoolParametersRet(params=numbers(values))

    async def _set_threads(self, args: admin.ServerSetThreadpoolParametersArgs) -> None:
        server = self._server_to_change(args.srv.name)
        _no_flags(args.flags, "adminServerSetThreadPoolParameters")
        values, now = given(args.params, _THREADS), server.workers
        least = values.get(names.THREADPOOL_WORKERS_MIN, now.minimum)
        most = values.get(names.THREADPOOL_WORKERS_MAX, now.maximum)
        if least > most:
            raise errors.invalid_arg("minWorkers cannot be larger than maxWorkers")
        if (most == 0) != (now.maximum == 0):
            raise errors.invalid_arg("maxWorkers must not be switched from zero to non-zero and vice versa")
        now.limit(least, most, values.get(names.THREADPOOL_WORKERS_PRIORITY, now.priority))
        self._told("the threads of the server {server} are now {least} to {most}", server, least=least, most=most)

    async def _limits(self, args: admin.ServerGetClientLimitsArgs) -> admin.ServerGetClientLimitsRet:
        clients = self._servers.server(args.srv.name).clients
        _no_flags(args.flags, "adminServerGetClientLimits")
        most, anonymous = clients.limits
        values = {
            names.SERVER_CLIENTS_MAX: most,
            names.SERVER_CLIENTS_CURRENT: len(clients),
            names.SERVER_CLIENTS_UNAUTH_MAX: anonymous,
            names.SERVER_CLIENTS_UNAUTH_CURRENT: clients.anonymous,
        }
        return admin.ServerGetClientLimitsRet(params=numbers(values))

    async def _set_limits(self, args: admin.ServerSetClientLimitsArgs) -> None:
        server = self._server_to_change(args.srv.name)
        _no_flags(args.flags, "adminServerSetClientLimits")
        values, (most, anonymous) = given(args.params, _LIMITS), server.clients.limits
        most = values.get(names.SERVER_CLIENTS_MAX, most)
        anonymous = values.get(names.SERVER_CLIENTS_UNAUTH_MAX, anonymous)
        if anonymous > most:
            problem = (
                "The overall maximum number of clients must not be less than the number of clients "
                "waiting for authentication"
            )
            raise errors.invalid_arg(problem, ErrorDomain.RPC)
        server.clients.limits = most, anonymous
        said = "the server {server} now takes {most} clients, {anonymous} of them not authenticated (0: any number)"
        self._told(said, server, most=most, anonymous=anonymous)

    async def _update_tls(self, args: admin.ServerUpdateTlsFilesArgs) -> None:
        server = self._servers.server(args.srv.name)
        _no_flags(args.flags, "adminServerUpdateTlsFiles")
        if server.certificates is None:
            raise errors.internal("no tls service found, unable to update tls files")
        await server.certificates.reload_tls()
        if server.certificates.refused is not None:
            problem = f"the TLS files are not taken over: {server.certificates.refused}"
            raise errors.internal(problem, ErrorDomain.ADMIN)

    # Clients

    async def _list_clients(self, args: admin.ServerListClientsArgs) -> admin.ServerListClientsRet:
        server = self._servers.server(args.srv.name)
        _no_flags(args.flags, "adminServerListClients")
        found = [_shown(server, client) for client in server.present.values()]
        return admin.ServerListClientsRet(clients=found if args.need_results else [], ret=len(found))

    async def _lookup_client(self, args: admin.ServerLookupClientArgs) -> admin.ServerLookupClientRet:
        server = self._servers.server(args.srv.name)
        _no_flags(args.flags, "adminServerLookupClient")
        return admin.ServerLookupClientRet(clnt=_shown(server, server.client(args.id)))

    async def _client_info(self, args: admin.ClientGetInfoArgs) -> admin.ClientGetInfoRet:
        client = self._server_to_change(args.clnt.srv.name).present.get(args.clnt.id)
        if client is None:
            problem = f"no client with matching id '{args.clnt.id}' found"
            raise VirtError.of(ErrorCode.NO_CLIENT, problem, domain=ErrorDomain.ADMIN)
        _no_flags(args.flags, "adminClientGetInfo")
        return admin.ClientGetInfoRet(params=client_info(client))

    async def _close_client(self, args: admin.ClientCloseArgs) -> None:
        server = self._servers.server(args.clnt.srv.name)
        client = server.client(args.clnt.id)
        _no_flags(args.flags, "adminClientClose")
        self._told("the client {client} of the server {server} is disconnected", server, client=client.number)
        client.end("an administrator disconnected it")

    # The daemon

    async def _outputs(self, args: admin.ConnectGetLoggingOutputsArgs) -> admin.ConnectGetLoggingOutputsRet:
        _no_flags(args.flags, "adminConnectGetLoggingOutputs")
        text = self._daemon_log().outputs
        return admin.ConnectGetLoggingOutputsRet(outputs=text, noutputs=len(text.split()))

    async def _filters(self, args: admin.ConnectGetLoggingFiltersArgs) -> admin.ConnectGetLoggingFiltersRet:
        _no_flags(args.flags, "adminConnectGetLoggingFilters")
        text = self._daemon_log().filters
        return admin.ConnectGetLoggingFiltersRet(filters=f"{text} " if text else None, nfilters=len(text.split()))

    async def _set_outputs(self, args: admin.ConnectSetLoggingOutputsArgs) -> None:
        _no_flags(args.flags, "adminConnectSetLoggingOutputs")
        log, text = self._daemon_log(), args.outputs or ""
        check_outputs(text)
        log.set_outputs(text)

    async def _set_filters(self, args: admin.ConnectSetLoggingFiltersArgs) -> None:
        _no_flags(args.flags, "adminConnectSetLoggingFilters")
        log, text = self._daemon_log(), args.filters or ""
        check_filters(text)
        log.set_filters(text)

    async def _set_timeout(self, args: admin.ConnectSetDaemonTimeoutArgs) -> None:
        _no_flags(args.flags, "adminConnectSetDaemonTimeout")
        try:
            self._life.idle.seconds = args.timeout
        except ValueError as problem:
            raise errors.invalid_arg(str(problem), ErrorDomain.ADMIN) from None
        self._told("the daemon now ends after {seconds} s without anything to do (0: never)", seconds=args.timeout)

    async def _shut_down(self, args: admin.ConnectDaemonShutdownArgs) -> None:
        _no_flags(args.flags & ~int(AdmConnectDaemonShutdownFlags.PRESERVE), "adminConnectDaemonShutdown")
        self._told("the daemon is to end")
        self._life.shut_down()

    def _daemon_log(self) -> DaemonLog:
        if self._life.log is None:
            raise errors.internal("this daemon's log is not its own to show or change", ErrorDomain.ADMIN)
        return self._life.log

    def _server_to_change(self, name: str) -> Server:
        """The server of a name, with the error that libvirt has for calls that change it."""
        if name not in self._servers.names:
            problem = f"no server with matching name '{name}' found"
            raise VirtError.of(ErrorCode.NO_SERVER, problem, domain=ErrorDomain.ADMIN)
        return self._servers.server(name)

    def _told(self, text: str, server: Server | None = None, **values: object) -> None:
        self._log.info(f"an administrator asked: {text}", server=None if server is None else server.name, **values)


def _shown(server: Server, client: Present[Any]) -> admin.NonnullClient:
    transport = ClientTransport[client.transport.upper()]
    srv = admin.NonnullServer(name=server.name)
    return admin.NonnullClient(srv=srv, id=client.number, timestamp=client.since, transport=transport)


def _no_flags(flags: int, function: str) -> None:
    """Refuse flags that a call does not know, in libvirt's words."""
    if flags:
        text = f"unsupported flags ({flags:#x}) in function {function}"
        raise VirtError(
            ErrorCode.INVALID_ARG, text, domain=ErrorDomain.ADMIN, str1=function, str2="flags", int1=0, int2=0
        )
