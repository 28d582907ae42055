# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names of typed parameters about host, connection and network.

String macros of libvirt's public headers, without their ``VIR_``. Where a name ends in PREFIX and another in SUFFIX,
a number goes between them.
"""

from __future__ import annotations

NODE_CPU_STATS_KERNEL = "kernel"
NODE_CPU_STATS_USER = "user"
NODE_CPU_STATS_IDLE = "idle"
NODE_CPU_STATS_IOWAIT = "iowait"
NODE_CPU_STATS_INTR = "intr"
NODE_CPU_STATS_UTILIZATION = "utilization"

NODE_MEMORY_STATS_TOTAL = "total"
NODE_MEMORY_STATS_FREE = "free"
NODE_MEMORY_STATS_BUFFERS = "buffers"
NODE_MEMORY_STATS_CACHED = "cached"
NODE_MEMORY_SHARED_PAGES_TO_SCAN = "shm_pages_to_scan"
NODE_MEMORY_SHARED_SLEEP_MILLISECS = "shm_sleep_millisecs"
NODE_MEMORY_SHARED_PAGES_SHARED = "shm_pages_shared"
NODE_MEMORY_SHARED_PAGES_SHARING = "shm_pages_sharing"
NODE_MEMORY_SHARED_PAGES_UNSHARED = "shm_pages_unshared"
NODE_MEMORY_SHARED_PAGES_VOLATILE = "shm_pages_volatile"
NODE_MEMORY_SHARED_FULL_SCANS = "shm_full_scans"
NODE_MEMORY_SHARED_MERGE_ACROSS_NODES = "shm_merge_across_nodes"

NODE_SEV_PDH = "pdh"
NODE_SEV_CERT_CHAIN = "cert-chain"
NODE_SEV_CPU0_ID = "cpu0-id"
NODE_SEV_CBITPOS = "cbitpos"
NODE_SEV_REDUCED_PHYS_BITS = "reduced-phys-bits"
NODE_SEV_MAX_GUESTS = "max-guests"
NODE_SEV_MAX_ES_GUESTS = "max-es-guests"

CONNECT_IDENTITY_USER_NAME = "user-name"
CONNECT_IDENTITY_UNIX_USER_ID = "unix-user-id"
CONNECT_IDENTITY_GROUP_NAME = "group-name"
CONNECT_IDENTITY_UNIX_GROUP_ID = "unix-group-id"
CONNECT_IDENTITY_PROCESS_ID = "process-id"
CONNECT_IDENTITY_PROCESS_TIME = "process-time"
CONNECT_IDENTITY_SASL_USER_NAME = "sasl-user-name"
CONNECT_IDENTITY_X509_DISTINGUISHED_NAME = "x509-distinguished-name"
CONNECT_IDENTITY_SELINUX_CONTEXT = "selinux-context"

NETWORK_PORT_BANDWIDTH_IN_AVERAGE = "inbound.average"
NETWORK_PORT_BANDWIDTH_IN_PEAK = "inbound.peak"
NETWORK_PORT_BANDWIDTH_IN_BURST = "inbound.burst"
NETWORK_PORT_BANDWIDTH_IN_FLOOR = "inbound.floor"
NETWORK_PORT_BANDWIDTH_OUT_AVERAGE = "outbound.average"
NETWORK_PORT_BANDWIDTH_OUT_PEAK = "outbound.peak"
NETWORK_PORT_BANDWIDTH_OUT_BURST = "outbound.burst"

THREADPOOL_WORKERS_MIN = "minWorkers"
THREADPOOL_WORKERS_MAX = "maxWorkers"
THREADPOOL_WORKERS_PRIORITY = "prioWorkers"
THREADPOOL_WORKERS_FREE = "freeWorkers"
THREADPOOL_WORKERS_CURRENT = "nWorkers"

THREADPOOL_JOB_QUEUE_DEPTH = "jobQueueDepth"

CLIENT_INFO_READONLY = "readonly"
CLIENT_INFO_SOCKET_ADDR = "sock_addr"
CLIENT_INFO_SASL_USER_NAME = "sasl_user_name"
CLIENT_INFO_X509_DISTINGUISHED_NAME = "tls_x509_dname"
CLIENT_INFO_UNIX_USER_ID = "unix_user_id"
CLIENT_INFO_UNIX_USER_NAME = "unix_user_name"
CLIENT_INFO_UNIX_GROUP_ID = "unix_group_id"
CLIENT_INFO_UNIX_GROUP_NAME = "unix_group_name"
CLIENT_INFO_UNIX_PROCESS_ID = "unix_process_id"
CLIENT_INFO_SELINUX_CONTEXT = "selinux_context"

SERVER_CLIENTS_MAX = "nclients_max"
SERVER_CLIENTS_CURRENT = "nclients"
SERVER_CLIENTS_UNAUTH_MAX = "nclients_unauth_max"
SERVER_CLIENTS_UNAUTH_CURRENT = "nclients_unauth"
