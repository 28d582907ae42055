# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that name something of the host in each way there is, and what their refusals say."""

from __future__ import annotations

from typing import Any

from virtproxy.protocol import common, qemu, remote

GUEST = remote.NonnullDomain(name="g", uuid=bytes(15) + b"\1", id=-1)
POOL = remote.NonnullStoragePool(name="p", uuid=bytes(16))
VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/k")


def disk(path: object, kind: str = "raw") -> str:
    return f"<disk><driver type='{kind}'/><source file='{path}'/></disk>"


SHADOW = disk("/etc/shadow")
DOMAIN = f"<domain><devices>{SHADOW}</devices></domain>"


def text(name: str, value: str) -> common.TypedParam:
    return common.TypedParam(field=name, value=common.TypedParamValue(7, value))


DENIED: list[tuple[Any, Any, str]] = [
    (remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=DOMAIN), "disk source /etc/shadow"),
    (remote.DOMAIN_DEFINE_XML_FLAGS, remote.DomainDefineXmlFlagsArgs(xml=DOMAIN, flags=0), "disk source /etc/shadow"),
    (remote.DOMAIN_CREATE_XML, remote.DomainCreateXmlArgs(xml_desc=DOMAIN, flags=0), "disk source /etc/shadow"),
    (remote.DOMAIN_ATTACH_DEVICE, remote.DomainAttachDeviceArgs(dom=GUEST, xml=SHADOW), "disk source /etc/shadow"),
    (
        remote.DOMAIN_ATTACH_DEVICE_FLAGS,
        remote.DomainAttachDeviceFlagsArgs(dom=GUEST, xml=SHADOW, flags=2),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_UPDATE_DEVICE_FLAGS,
        remote.DomainUpdateDeviceFlagsArgs(dom=GUEST, xml=SHADOW, flags=2),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_BLOCK_COPY,
        remote.DomainBlockCopyArgs(dom=GUEST, path="vda", destxml=SHADOW, params=[], flags=0),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_BLOCK_REBASE,
        remote.DomainBlockRebaseArgs(dom=GUEST, path="vda", base="/etc/shadow", bandwidth=0, flags=8),
        "disk source /etc/shadow at argument base",
    ),
    (
        remote.DOMAIN_BLOCK_REBASE,
        remote.DomainBlockRebaseArgs(dom=GUEST, path="vda", base="/dev/sda", bandwidth=0, flags=8 | 32),
        "disk device /dev/sda",
    ),
    (
        remote.DOMAIN_SNAPSHOT_CREATE_XML,
        remote.DomainSnapshotCreateXmlArgs(
            dom=GUEST, xml_desc=f"<domainsnapshot><disks>{SHADOW}</disks></domainsnapshot>", flags=0
        ),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_BACKUP_BEGIN,
        remote.DomainBackupBeginArgs(
            dom=GUEST,
            backup_xml="<domainbackup><disks><disk name='vda'><target file='/etc/shadow'/></disk></disks>"
            "</domainbackup>",
            checkpoint_xml=None,
            flags=0,
        ),
        "disk source /etc/shadow",
    ),
    (remote.DOMAIN_SAVE, remote.DomainSaveArgs(dom=GUEST, to="/x/../etc/shadow"), "save file /etc/shadow (as /x/../"),
    (
        remote.DOMAIN_SAVE_FLAGS,
        remote.DomainSaveFlagsArgs(dom=GUEST, to="/save/a", dxml=DOMAIN, flags=0),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_SAVE_PARAMS,
        remote.DomainSaveParamsArgs(dom=GUEST, params=[text("file", "/etc/shadow")], flags=0),
        "save file /etc/shadow at argument file",
    ),
    (remote.DOMAIN_RESTORE, remote.DomainRestoreArgs(from_="/etc/shadow"), "save file /etc/shadow at argument from"),
    (
        remote.DOMAIN_SAVE_IMAGE_DEFINE_XML,
        remote.DomainSaveImageDefineXmlArgs(file="/save/a", dxml=DOMAIN, flags=0),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC,
        remote.DomainSaveImageGetXmlDescArgs(file="/etc/shadow", flags=0),
        "save file /etc/shadow",
    ),
    (
        remote.DOMAIN_MANAGED_SAVE_DEFINE_XML,
        remote.DomainManagedSaveDefineXmlArgs(dom=GUEST, dxml=DOMAIN, flags=0),
        "disk source /etc/shadow",
    ),
    (remote.DOMAIN_CORE_DUMP, remote.DomainCoreDumpArgs(dom=GUEST, to="/etc/x", flags=0), "dump file /etc/x"),
    (
        remote.CONNECT_DOMAIN_XML_FROM_NATIVE,
        remote.ConnectDomainXmlFromNativeArgs(native_format="qemu-argv", native_config="-hda /etc/shadow", flags=0),
        "hypervisor's own interface from-native:qemu-argv",
    ),
    (
        remote.DOMAIN_MIGRATE_PREPARE3,
        remote.DomainMigratePrepare3Args(
            cookie_in=b"", uri_in=None, flags=0, dname=None, resource=0, dom_xml=DOMAIN
        ),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_MIGRATE_PREPARE3_PARAMS,
        remote.DomainMigratePrepare3ParamsArgs(params=[text("destination_xml", DOMAIN)], cookie_in=b"", flags=0),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_MIGRATE_FINISH3,
        remote.DomainMigrateFinish3Args(
            dname="g",
            cookie_in=f"<qemu-migration>{DOMAIN}</qemu-migration>\0".encode(),
            dconnuri=None,
            uri=None,
            flags=0,
            cancelled=0,
        ),
        "disk source /etc/shadow",
    ),
    (
        remote.DOMAIN_MIGRATE_PERFORM3,
        remote.DomainMigratePerform3Args(
            dom=GUEST, xmlin=None, cookie_in=b"", dconnuri="qemu+tls://evil/system", uri=None, flags=2, dname=None,
            resource=0,
        ),
        "destination qemu+tls://evil/system at argument dconnuri",
    ),
    (
        remote.DOMAIN_MIGRATE_PERFORM3_PARAMS,
        remote.DomainMigratePerform3ParamsArgs(
            dom=GUEST, dconnuri=None, params=[text("migrate_uri", "tcp://evil")], cookie_in=b"", flags=0
        ),
        "destination tcp://evil",
    ),
    (
        qemu.DOMAIN_MONITOR_COMMAND,
        qemu.DomainMonitorCommandArgs(dom=GUEST, cmd="info block", flags=1),
        "hypervisor's own interface qemu:monitor-command",
    ),
    (qemu.DOMAIN_ATTACH, qemu.DomainAttachArgs(pid_value=1, flags=0), "qemu:attach"),
    (
        remote.CONNECT_GET_DOMAIN_CAPABILITIES,
        remote.ConnectGetDomainCapabilitiesArgs(
            emulatorbin="/home/me/evil", arch=None, machine=None, virttype=None, flags=0
        ),
        "program /home/me/evil",
    ),
    (
        remote.DOMAIN_SET_BLKIO_PARAMETERS,
        remote.DomainSetBlkioParametersArgs(dom=GUEST, params=[text("device_weight", "/dev/sda,500")], flags=0),
        "disk device /dev/sda",
    ),
    (
        remote.NETWORK_DEFINE_XML,
        remote.NetworkDefineXmlArgs(xml="<network><bridge name='br0'/></network>"),
        "bridge br0",
    ),
    (
        remote.NETWORK_UPDATE,
        remote.NetworkUpdateArgs(
            net=remote.NonnullNetwork(name="n", uuid=bytes(16)), command=1, section=4, parent_index=0,
            xml="<interface dev='eth0'/>", flags=0,
        ),
        "network interface of the host eth0",
    ),
    (
        remote.STORAGE_POOL_DEFINE_XML,
        remote.StoragePoolDefineXmlArgs(xml="<pool type='dir'><target><path>/etc</path></target></pool>", flags=0),
        "target of a pool /etc",
    ),
    (
        remote.STORAGE_VOL_CREATE_XML,
        remote.StorageVolCreateXmlArgs(
            pool=POOL, xml="<volume><backingStore><path>/etc/shadow</path></backingStore></volume>", flags=0
        ),
        "disk source /etc/shadow",
    ),
    (
        remote.CONNECT_FIND_STORAGE_POOL_SOURCES,
        remote.ConnectFindStoragePoolSourcesArgs(type="netfs", src_spec="<source><host name='h'/></source>", flags=0),
        "source of a pool host:h",
    ),
    (
        remote.NODE_DEVICE_DEFINE_XML,
        remote.NodeDeviceDefineXmlArgs(xml_desc="<device><parent>pci_1</parent></device>", flags=0),
        "parent of a node device pci_1",
    ),
    (
        remote.INTERFACE_DEFINE_XML,
        remote.InterfaceDefineXmlArgs(xml="<interface type='ethernet' name='eth0'/>", flags=0),
        "network interface of the host eth0",
    ),
    (remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml="<domain"), "line 1"),
    (remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml="<disk/>"), "begins with <disk>"),
]  # fmt: skip
