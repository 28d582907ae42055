# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests and other documents, and the claims that they make, for the tests of the reader."""

from __future__ import annotations

from tests.access.claims.device_cases import QEMU, UUID

# What stands directly in a guest.
GUESTS = [
    (
        "<os><kernel>/k</kernel><initrd>/i</initrd><dtb>/d</dtb><cmdline>root=/dev/x</cmdline></os>",
        ["boot_file /k", "boot_file /i", "boot_file /d"],
    ),
    (
        '<os><loader readonly="yes" type="pflash">/l</loader><nvram template="/t">/n</nvram></os>',
        ["boot_file /l", "boot_file /n", "boot_file /t"],
    ),
    ('<os><nvram type="file"><source file="/n"/></nvram></os>', ["file /n"]),
    ('<os><acpi><table type="slic">/s</table></acpi></os>', ["boot_file /s"]),
    ("<os><kernel>/allowed<!-- -->/../../etc/shadow</kernel></os>", ["boot_file /etc/shadow"]),
    ("<os><kernel> /k</kernel></os>", ["boot_file  /k"]),
    (
        "<bootloader>/bin/sh</bootloader><bootloader_args>-c</bootloader_args>",
        ["emulator /bin/sh", "native bootloader_args:-c"],
    ),
    ('<sysinfo type="fwcfg"><entry name="opt/x" file="/etc/shadow"/></sysinfo>', ["host_file /etc/shadow"]),
    ("<resource><partition>/machine/x</partition></resource>", ["isolation partition:/machine/x"]),
    ('<seclabel type="none"/>', ["isolation seclabel:none"]),
    (
        '<seclabel type="static" model="selinux"><label>l</label></seclabel>',
        ["isolation seclabel:static", "isolation seclabel:label:l"],
    ),
    (
        '<seclabel type="dynamic" relabel="no"><baselabel>b</baselabel></seclabel>',
        ["isolation seclabel:relabel:no", "isolation seclabel:baselabel:b"],
    ),
    (
        '<seclabel type="dynamic" model="dac" relabel="yes"><label>+1:+1</label><imagelabel>x</imagelabel></seclabel>',
        [],
    ),
    (
        '<features><capabilities policy="allow"><mknod state="on"/></capabilities></features>',
        ["isolation capabilities:policy:allow", "isolation capabilities:mknod:on"],
    ),
    ("<memoryBacking><locked/></memoryBacking>", ["isolation memory:locked"]),
    ('<cputune><vcpusched vcpus="0" scheduler="fifo" priority="99"/></cputune>', ["isolation scheduler:fifo"]),
    ('<idmap><uid start="0" target="0" count="1"/></idmap>', ["isolation idmap:uid:start=0,target=0,count=1"]),
    ("<blkiotune><device><path>/dev/sda</path><weight>1</weight></device></blkiotune>", ["block /dev/sda"]),
    ('<metadata><x:y xmlns:x="u"><source file="/etc/shadow"/></x:y></metadata>', []),
    ('<x:metadata xmlns:x="u"><disk/></x:metadata>', ["unknown domain/metadata", "unknown domain/metadata/disk"]),
    (f'<q:commandline xmlns:q="{QEMU}"><q:arg value="-device"/></q:commandline>', ["native qemu:commandline"]),
    (f'<q:capabilities xmlns:q="{QEMU}"><q:add capability="x"/></q:capabilities>', ["native qemu:capabilities"]),
    (f'<q:override xmlns:q="{QEMU}"/>', ["native qemu:override"]),
    (f'<q:surprise xmlns:q="{QEMU}"/>', ["unknown domain/surprise"]),
    (
        '<l:namespace xmlns:l="http://libvirt.org/schemas/domain/lxc/1.0"><l:sharenet type="pid" value="1"/>'
        "</l:namespace>",
        ["native lxc:namespace"],
    ),
]

# (kind, document, claims)
OTHERS = [
    (
        "domainsnapshot",
        '<domainsnapshot><memory snapshot="external" file="/m"/><disks><disk name="vda" snapshot="external">'
        '<source file="/s"/></disk></disks><domain><devices><disk><source file="/d"/></disk></devices></domain>'
        '<inactiveDomain><devices><disk><source file="/i"/></disk></devices></inactiveDomain></domainsnapshot>',
        ["save_file /m", "file /s", "file /d", "file /i"],
    ),
    (
        "domainbackup",
        '<domainbackup mode="push"><disks><disk name="vda" type="file"><target file="/t"/><scratch file="/s"/></disk>'
        '<disk name="vdb" type="block"><target dev="sdx"/><scratch dev="/dev/y"/></disk></disks></domainbackup>',
        ["file /t", "file /s", "block sdx", "block /dev/y"],
    ),
    (
        "domainbackup",
        '<domainbackup mode="pull"><server transport="unix" socket="/b"/></domainbackup>',
        ["unix_socket /b"],
    ),
    (
        "domainbackup",
        '<domainbackup mode="pull"><server name="0.0.0.0" port="1"/></domainbackup>',
        ["listen 0.0.0.0:1"],
    ),
    # What stands in a snapshot is written, whatever else stands there.
    (
        "domainsnapshot",
        '<domainsnapshot><disks><disk name="vda"><source file="/s"/><readonly/></disk></disks></domainsnapshot>',
        ["file /s"],
    ),
    ("domaincheckpoint", '<domaincheckpoint><disks><disk name="vda"/></disks></domaincheckpoint>', []),
    (
        "network",
        '<network><name>n</name><bridge name="br1" zone="trusted"/><forward mode="route" dev="eth0">'
        '<interface dev="eth1"/>'
        '<pf dev="eth2"/><address type="pci" domain="0" bus="4" slot="0" function="1"/></forward>'
        '<dns><forwarder addr="8.8.8.8"/></dns><ip address="10.0.0.1" prefix="24"><tftp root="/srv/tftp"/></ip>'
        '<route address="10.1.0.0" prefix="16" gateway="10.0.0.2"/>'
        '<d:options xmlns:d="http://libvirt.org/schemas/network/dnsmasq/1.0"><d:option value="x"/>'
        "</d:options></network>",
        [
            "bridge br1",
            "isolation zone:trusted",
            "host_interface eth0",
            "host_interface eth1",
            "host_interface eth2",
            "host_device pci:0000:04:00.1",
            "connect 8.8.8.8",
            "host_interface ip:10.0.0.1/24",
            "shared_directory /srv/tftp",
            "host_interface route:10.1.0.0",
            "native dnsmasq:options",
        ],
    ),
    ("network-part", "<host mac='52:54:00:00:00:01' name='a' ip='10.0.0.9'/>", []),
    ("network-part", "<interface dev='eth9'/>", ["host_interface eth9"]),
    ("networkport", "<networkport><plug type='bridge' bridge='br0'/></networkport>", ["bridge br0"]),
    ("filter", "<filter name='f'><rule action='drop' direction='in'/></filter>", []),
    ("filterbinding", "<filterbinding><portdev name='eth0'/></filterbinding>", ["host_interface eth0"]),
    (
        "interface",
        "<interface type='bridge' name='br0'><bridge><interface type='ethernet' name='eth0'/></bridge></interface>",
        ["host_interface br0", "host_interface eth0"],
    ),
    (
        "guest-device",
        "<hostdev type='pci'><source><address domain='0' bus='1' slot='0' function='0'/></source></hostdev>",
        ["host_device pci:0000:01:00.0"],
    ),
    (
        "guest-device",
        "<disk><source file='/a'/></disk>",
        ["file /a"],
    ),
    ("secret", f"<secret><uuid>{UUID}</uuid><usage type='volume'><volume>/v</volume></usage></secret>", []),
    (
        "pool",
        "<pool type='netfs'><name>p</name><source><host name='nas'/><dir path='/export/../x'/>"
        "<format type='nfs'/></source>"
        "<target><path>/mnt</path><permissions><mode>0755</mode></permissions></target></pool>",
        ["pool_source host:nas", "pool_source dir:/x", "pool_target /mnt"],
    ),
    (
        "pool",
        "<pool type='scsi'><source><device path='/dev/sdb'/><adapter type='scsi_host' name='h5'/><name>vg</name>"
        "<initiator><iqn name='i'/></initiator></source></pool>",
        ["pool_source device:/dev/sdb", "pool_source name:vg", "pool_source adapter:h5", "pool_source initiator:i"],
    ),
    (
        "pool",
        "<pool xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0' type='fs'><fs:mount_opts>"
        "<fs:option name='suid'/></fs:mount_opts></pool>",
        ["native fs:mount_opts"],
    ),
    ("pool-source", "<source><host name='h'/></source>", ["pool_source host:h"]),
    (
        "volume",
        "<volume><name>v</name><capacity>1</capacity><target><path>/t</path><permissions><mode>04755</mode>"
        "</permissions>"
        "</target><backingStore><path>/etc/shadow</path><format type='raw'/></backingStore></volume>",
        ["file /t", "isolation mode:04755", "readonly_file /etc/shadow"],
    ),
    ("volume", "<volume><backingStore><path>json:{}</path></backingStore></volume>", ["unknown backing store json:{}"]),
    (
        "device",
        "<device><parent>pci_0000_01_00_0</parent><capability type='mdev'><type id='t'/></capability></device>",
        ["nodedev_parent pci_0000_01_00_0"],
    ),
    ("cpu", "<cpu><model>x</model></cpu>", []),
]
