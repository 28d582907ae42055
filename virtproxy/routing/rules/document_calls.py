# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which calls lay claim to things of the host, and where in their arguments; and why the others do not.

The document stage reads CALLS. Every procedure with a text among its arguments is in CALLS or in HARMLESS: a test
holds the tables to the protocol. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from virtproxy.access.claims.reader import GUEST_DEVICE

# A cookie of a migration: a document in which whole guests may be.
COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Call:
    """What a call names.

    `documents` and `words`: by argument, the kind of document and the kind of claim. `typed`: the same for typed
    parameters, "xml:domain" for a document. `always`: claims (kind, value) that the call itself is. `opens`: what it
    takes up that lies with the daemon already, whose images and links are looked at again (`documents_kept`).
    `volume`: the argument that is a volume, which must not be a link to something else.
    `special`: something that only a function of `document_claims` can tell.
    """

    documents: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    always: tuple[tuple[str, str], ...] = ()
    opens: str = ""
    special: str = ""
    volume: str = ""


def _xml(argument: str, kind: str) -> Call:
    return Call({argument: kind})


_GUEST, _NETWORK = "domain", "network"
_MIGRATION = {
    "migrate_uri": "migration_uri",
    "disks_uri": "migration_uri",
    "graphics_uri": "migration_uri",
    "listen_address": "listen",
    "destination_xml": "xml:domain",
    "persistent_xml": "xml:domain",
}
_SAVING = {"file": "save_file", "dxml": "xml:domain"}
_EMULATOR = Call(words={"emulator": "emulator"})

CALLS: Mapping[str, Call] = {
    # Guests
    "DOMAIN_DEFINE_XML": _xml("xml", _GUEST),
    "DOMAIN_DEFINE_XML_FLAGS": _xml("xml", _GUEST),
    "DOMAIN_CREATE_XML": _xml("xml_desc", _GUEST),
    "DOMAIN_CREATE_XML_WITH_FILES": _xml("xml_desc", _GUEST),
    "DOMAIN_CREATE": Call(opens="guest"),
    "DOMAIN_CREATE_WITH_FLAGS": Call(opens="guest"),
    "DOMAIN_CREATE_WITH_FILES": Call(opens="guest"),
    "DOMAIN_SET_AUTOSTART": Call(opens="autostart"),
    "DOMAIN_SET_AUTOSTART_ONCE": Call(opens="autostart"),
    "DOMAIN_ATTACH_DEVICE": _xml("xml", GUEST_DEVICE),
    "DOMAIN_ATTACH_DEVICE_FLAGS": _xml("xml", GUEST_DEVICE),
    "DOMAIN_UPDATE_DEVICE_FLAGS": _xml("xml", GUEST_DEVICE),
    "CONNECT_DOMAIN_XML_TO_NATIVE": _xml("domain_xml", _GUEST),
    "CONNECT_DOMAIN_XML_FROM_NATIVE": Call(words={"native_format": "native:from-native"}),
    # Saved guests and dumps
    "DOMAIN_SAVE": Call(words={"to": "save_file"}),
    "DOMAIN_SAVE_FLAGS": Call({"dxml": _GUEST}, {"to": "save_file"}),
    "DOMAIN_SAVE_PARAMS": Call(typed=_SAVING),
    "DOMAIN_RESTORE": Call(words={"from_": "save_file"}, opens="saved"),
    "DOMAIN_RESTORE_FLAGS": Call({"dxml": _GUEST}, {"from_": "save_file"}, opens="saved"),
    "DOMAIN_RESTORE_PARAMS": Call(typed=_SAVING, opens="saved"),
    "DOMAIN_SAVE_IMAGE_GET_XML_DESC": Call(words={"file": "save_file"}),
    "DOMAIN_SAVE_IMAGE_DEFINE_XML": Call({"dxml": _GUEST}, {"file": "save_file"}),
    "DOMAIN_MANAGED_SAVE_DEFINE_XML": _xml("dxml", _GUEST),
    "DOMAIN_CORE_DUMP": Call(words={"to": "dump_file"}),
    "DOMAIN_CORE_DUMP_WITH_FORMAT": Call(words={"to": "dump_file"}),
    # Disks of running guests, snapshots, backups
    "DOMAIN_BLOCK_COPY": Call({"destxml": GUEST_DEVICE}, special="copy"),
    "DOMAIN_BLOCK_COMMIT": Call(opens="commit"),
    "DOMAIN_BLOCK_REBASE": Call(special="rebase"),
    "DOMAIN_SNAPSHOT_CREATE_XML": _xml("xml_desc", "domainsnapshot"),
    "DOMAIN_REVERT_TO_SNAPSHOT": Call(opens="snapshot"),
    "DOMAIN_CHECKPOINT_CREATE_XML": _xml("xml_desc", "domaincheckpoint"),
    "DOMAIN_BACKUP_BEGIN": Call({"backup_xml": "domainbackup", "checkpoint_xml": "domaincheckpoint"}),
    "DOMAIN_SET_BLKIO_PARAMETERS": Call(special="throttle"),
    # Migration: what comes in, and where a guest is sent
    # The first version says nowhere which guest it will be.
    "DOMAIN_MIGRATE_PREPARE": Call(words={"uri_in": "migration_uri"}, always=(("native", "migration:version1"),)),
    "DOMAIN_MIGRATE_PREPARE2": Call({"dom_xml": _GUEST}, {"uri_in": "migration_uri"}),
    "DOMAIN_MIGRATE_PREPARE3": Call({"dom_xml": _GUEST, "cookie_in": COOKIE}, {"uri_in": "migration_uri"}),
    "DOMAIN_MIGRATE_PREPARE3_PARAMS": Call({"cookie_in": COOKIE}, typed=_MIGRATION),
    "DOMAIN_MIGRATE_PREPARE_TUNNEL": _xml("dom_xml", _GUEST),
    "DOMAIN_MIGRATE_PREPARE_TUNNEL3": Call({"dom_xml": _GUEST, "cookie_in": COOKIE}),
    "DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS": Call({"cookie_in": COOKIE}, typed=_MIGRATION),
    "DOMAIN_MIGRATE_BEGIN3": _xml("xmlin", _GUEST),
    "DOMAIN_MIGRATE_BEGIN3_PARAMS": Call(typed=_MIGRATION),
    "DOMAIN_MIGRATE_PERFORM": Call({"cookie": COOKIE}, {"uri": "migration_uri"}),
    "DOMAIN_MIGRATE_PERFORM3": Call(
        {"xmlin": _GUEST, "cookie_in": COOKIE}, {"dconnuri": "migration_uri", "uri": "migration_uri"}
    ),
    "DOMAIN_MIGRATE_PERFORM3_PARAMS": Call({"cookie_in": COOKIE}, {"dconnuri": "migration_uri"}, _MIGRATION),
    "DOMAIN_MIGRATE_FINISH": Call({"cookie": COOKIE}),
    "DOMAIN_MIGRATE_FINISH2": Call({"cookie": COOKIE}),
    "DOMAIN_MIGRATE_FINISH3": Call({"cookie_in": COOKIE}),
    "DOMAIN_MIGRATE_FINISH3_PARAMS": Call({"cookie_in": COOKIE}, typed=_MIGRATION),
    "DOMAIN_MIGRATE_CONFIRM3": Call({"cookie_in": COOKIE}),
    "DOMAIN_MIGRATE_CONFIRM3_PARAMS": Call({"cookie_in": COOKIE}, typed=_MIGRATION),
    # A program that libvirt starts to ask it what it can do
    "CONNECT_GET_DOMAIN_CAPABILITIES": Call(words={"emulatorbin": "emulator"}),
    "CONNECT_COMPARE_HYPERVISOR_CPU": _EMULATOR,
    "CONNECT_BASELINE_HYPERVISOR_CPU": _EMULATOR,
    # The hypervisors' own interfaces: whoever has them has everything that the hypervisor has
    "DOMAIN_MONITOR_COMMAND": Call(always=(("native", "qemu:monitor-command"),)),
    "DOMAIN_MONITOR_COMMAND_WITH_FILES": Call(always=(("native", "qemu:monitor-command"),)),
    "CONNECT_DOMAIN_MONITOR_EVENT_REGISTER": Call(always=(("native", "qemu:monitor-events"),)),
    "DOMAIN_ATTACH": Call(always=(("native", "qemu:attach"),)),
    "DOMAIN_OPEN_NAMESPACE": Call(always=(("native", "lxc:open-namespace"),)),
    # Networks
    "NETWORK_CREATE_XML": _xml("xml", _NETWORK),
    "NETWORK_CREATE_XML_FLAGS": _xml("xml", _NETWORK),
    "NETWORK_DEFINE_XML": _xml("xml", _NETWORK),
    "NETWORK_DEFINE_XML_FLAGS": _xml("xml", _NETWORK),
    "NETWORK_UPDATE": _xml("xml", "network-part"),
    "NETWORK_PORT_CREATE_XML": _xml("xml", "networkport"),
    "NWFILTER_DEFINE_XML": _xml("xml", "filter"),
    "NWFILTER_DEFINE_XML_FLAGS": _xml("xml", "filter"),
    "NWFILTER_BINDING_CREATE_XML": _xml("xml", "filterbinding"),
    "INTERFACE_DEFINE_XML": _xml("xml", "interface"),
    # Devices of the node, secrets
    "NODE_DEVICE_CREATE_XML": _xml("xml_desc", "device"),
    "NODE_DEVICE_DEFINE_XML": _xml("xml_desc", "device"),
    "NODE_DEVICE_UPDATE": _xml("xml_desc", "device"),
    "NODE_DEVICE_DETACH_FLAGS": Call(words={"driver_name": "native:node-driver"}),
    "SECRET_DEFINE_XML": _xml("xml", "secret"),
    # Storage
    "CONNECT_FIND_STORAGE_POOL_SOURCES": Call({"src_spec": "pool-source"}, {"type": "pool_source:discover"}),
    "STORAGE_POOL_CREATE_XML": _xml("xml", "pool"),
    "STORAGE_POOL_DEFINE_XML": _xml("xml", "pool"),
    "STORAGE_POOL_CREATE": Call(opens="pool"),
    "STORAGE_POOL_BUILD": Call(opens="pool"),
    "STORAGE_VOL_CREATE_XML": _xml("xml", "volume"),
    "STORAGE_VOL_CREATE_XML_FROM": Call({"xml": "volume"}, special="clone", volume="clonevol"),
    "STORAGE_POOL_SET_AUTOSTART": Call(opens="pool-autostart"),
    **dict.fromkeys(
        (
            "STORAGE_VOL_UPLOAD",
            "STORAGE_VOL_DOWNLOAD",
            "STORAGE_VOL_WIPE",
            "STORAGE_VOL_WIPE_PATTERN",
            "STORAGE_VOL_RESIZE",
        ),
        Call(volume="vol"),
    ),
}

_NAMES = "it is the name of a thing, about which the access rules decide"
_OWN_DISK = "it is a disk of the guest itself, by its target or a path that the guest has already"
_IN_GUEST = "it is something within the guest"
_NUMBERS = "its parameters are numbers, or names within the guest"
_LOOKS = "it only looks"

HARMLESS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "DOMAIN_LOOKUP_BY_NAME", "DOMAIN_RENAME", "DOMAIN_SNAPSHOT_LOOKUP_BY_NAME",
            "DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", "NETWORK_LOOKUP_BY_NAME", "NODE_DEVICE_LOOKUP_BY_NAME",
            "NODE_DEVICE_GET_XML_DESC", "NODE_DEVICE_GET_PARENT", "NODE_DEVICE_NUM_OF_CAPS", "NODE_DEVICE_LIST_CAPS",
            "NODE_DEVICE_DETTACH", "NODE_DEVICE_RE_ATTACH", "NODE_DEVICE_RESET", "NODE_DEVICE_DESTROY",
            "NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN", "NODE_DEVICE_UNDEFINE", "NODE_DEVICE_CREATE",
            "NODE_DEVICE_GET_AUTOSTART", "NODE_DEVICE_SET_AUTOSTART", "NODE_DEVICE_IS_PERSISTENT",
            "NODE_DEVICE_IS_ACTIVE", "SECRET_LOOKUP_BY_USAGE", "STORAGE_POOL_LOOKUP_BY_NAME",
            "STORAGE_VOL_LOOKUP_BY_NAME", "STORAGE_VOL_LOOKUP_BY_KEY", "STORAGE_VOL_LOOKUP_BY_PATH",
            "STORAGE_POOL_LOOKUP_BY_TARGET_PATH", "INTERFACE_LOOKUP_BY_NAME", "INTERFACE_LOOKUP_BY_MAC_STRING",
            "NWFILTER_LOOKUP_BY_NAME", "NWFILTER_BINDING_LOOKUP_BY_PORT_DEV",
        ),
        _NAMES,
    ),
    **dict.fromkeys(
        (
            "DOMAIN_BLOCK_STATS", "DOMAIN_BLOCK_STATS_FLAGS", "DOMAIN_BLOCK_PEEK", "DOMAIN_GET_BLOCK_INFO",
            "DOMAIN_BLOCK_JOB_ABORT", "DOMAIN_GET_BLOCK_JOB_INFO", "DOMAIN_BLOCK_JOB_SET_SPEED", "DOMAIN_BLOCK_PULL",
            "DOMAIN_BLOCK_RESIZE", "DOMAIN_SET_BLOCK_IO_TUNE", "DOMAIN_GET_BLOCK_IO_TUNE",
            "DOMAIN_SET_BLOCK_THRESHOLD",
        ),
        _OWN_DISK,
    ),
    **dict.fromkeys(
        (
            "DOMAIN_INTERFACE_STATS", "DOMAIN_OPEN_CONSOLE", "DOMAIN_OPEN_CHANNEL", "DOMAIN_FSTRIM",
            "DOMAIN_FSFREEZE", "DOMAIN_FSTHAW", "DOMAIN_SET_USER_PASSWORD", "DOMAIN_AUTHORIZED_SSH_KEYS_GET",
            "DOMAIN_AUTHORIZED_SSH_KEYS_SET", "DOMAIN_GET_INTERFACE_PARAMETERS", "DOMAIN_DETACH_DEVICE_ALIAS",
            "DOMAIN_SET_GUEST_VCPUS", "DOMAIN_SET_VCPU", "DOMAIN_AGENT_COMMAND", "DOMAIN_DEL_THROTTLE_GROUP",
        ),
        _IN_GUEST,
    ),
    **dict.fromkeys(
        (
            "DOMAIN_SET_SCHEDULER_PARAMETERS", "DOMAIN_SET_MEMORY_PARAMETERS",
            "DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", "DOMAIN_SET_NUMA_PARAMETERS", "DOMAIN_SET_INTERFACE_PARAMETERS",
            "DOMAIN_SET_PERF_EVENTS", "DOMAIN_SET_IOTHREAD_PARAMS", "DOMAIN_SET_THROTTLE_GROUP",
            "DOMAIN_SET_LAUNCH_SECURITY_STATE", "NODE_SET_MEMORY_PARAMETERS", "NETWORK_PORT_SET_PARAMETERS",
        ),
        _NUMBERS,
    ),
    **dict.fromkeys(
        (
            "CONNECT_GET_MAX_VCPUS", "CONNECT_COMPARE_CPU", "CONNECT_BASELINE_CPU", "CONNECT_GET_CPU_MODEL_NAMES",
            "NODE_NUM_OF_DEVICES", "NODE_LIST_DEVICES", "NETWORK_GET_DHCP_LEASES",
        ),
        _LOOKS,
    ),
    **dict.fromkeys(("DOMAIN_DETACH_DEVICE", "DOMAIN_DETACH_DEVICE_FLAGS"), "it takes away what the guest has"),
    **dict.fromkeys(
        ("DOMAIN_SET_METADATA", "DOMAIN_GET_METADATA", "NETWORK_SET_METADATA", "NETWORK_GET_METADATA"),
        "libvirt keeps the text and reads nothing in it",
    ),
    "DOMAIN_FD_ASSOCIATE": "the client has opened the files itself",
    "AUTH_SASL_START": "it is a login",
    "CONNECT_OPEN": "the session decides where a URI leads",
    "CONNECT_SET_IDENTITY": "the session decides who may speak for others",
}  # fmt: skip
