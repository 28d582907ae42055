# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices of guests and the claims that they make, for the tests of the reader: one of each thing of the host."""

from __future__ import annotations

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
UUID = "6b3e0a9c-8d0a-4a33-9a5e-0c5a4f9d7b11"

# A device of a guest, and the claims that it makes.
DEVICES = [
    ('<disk type="file"><source file="/a.img"/><target dev="vda"/></disk>', ["file /a.img"]),
    ('<disk><source file="/images/../etc/shadow"/></disk>', ["file /etc/shadow"]),
    ('<disk><source file="/images//a/./b/"/></disk>', ["file /images/a/b"]),
    ('<disk><source file="//etc/shadow"/></disk>', ["file /etc/shadow"]),
    ('<disk><source file="etc/shadow"/></disk>', ["file etc/shadow"]),
    ('<disk><source file="nbd:host:1"/></disk>', ["file nbd:host:1"]),
    ('<disk><source file="~/a%2fb"/></disk>', ["file ~/a%2fb"]),
    ('<disk type="block"><source dev="/dev/sdb"/></disk>', ["block /dev/sdb"]),
    ('<disk device="cdrom"><source file="/a.iso"/></disk>', ["readonly_file /a.iso"]),
    ('<disk type="block"><source dev="/dev/sr0"/><readonly/></disk>', ["readonly_file /dev/sr0"]),
    (
        '<disk device="cdrom"><source file="/a"/><mirror><source file="/b"/></mirror></disk>',
        ["readonly_file /a", "file /b"],
    ),
    ('<disk type="dir"><source dir="/srv/f"/></disk>', ["directory /srv/f"]),
    # Whatever the type says: another version of libvirt may look at the others.
    (
        '<disk type="file"><source file="/a" dev="/dev/b" dir="/c" path="/d"/></disk>',
        ["file /a", "block /dev/b", "directory /c", "unix_socket /d"],
    ),
    ('<disk><source file="/a"/><source file="/b"/></disk>', ["file /a", "file /b"]),
    ('<disk type="vhostuser"><source type="unix" path="/run/v.sock"/></disk>', ["unix_socket /run/v.sock"]),
    ('<disk type="vhostvdpa"><source dev="/dev/vhost-vdpa-0"/></disk>', ["host_device char:/dev/vhost-vdpa-0"]),
    ('<disk type="volume"><source pool="default" volume="v"/></disk>', ["volume default/v"]),
    (
        '<disk type="nvme"><source type="pci" managed="yes" namespace="1"><address domain="0x0" bus="0x1" slot="0x2" '
        'function="0x3"/></source></disk>',
        ["host_device pci:0000:01:02.3"],
    ),
    ('<disk type="network"><source protocol="rbd" name="pool/i"/></disk>', ["network_disk rbd:pool/i"]),
    (
        '<disk type="network"><driver type="qcow2"/><source protocol="rbd" name="pool/i"/></disk>',
        ["network_disk rbd:pool/i", "isolation remote-header:qcow2"],
    ),
    (
        '<disk type="network"><driver type="raw"/><source protocol="rbd" name="pool/i"/></disk>',
        ["network_disk rbd:pool/i"],
    ),
    (
        '<disk type="network"><source protocol="rbd" name="pool/i"><host name="m1" port="6789"/><host name="m2"/>'
        '<config file="/etc/ceph.conf"/></source></disk>',
        ["network_disk rbd:m1:6789/pool/i", "network_disk rbd:m2/pool/i", "host_file /etc/ceph.conf"],
    ),
    (
        '<disk><source protocol="nbd" name="x"><host name="h" port="1"/></source></disk>',
        ["network_disk nbd:h:1/x"],
    ),
    (
        '<disk><source protocol="nbd"><host transport="unix" socket="/run/n"/></source></disk>',
        ["unix_socket /run/n", "network_disk nbd:unix/"],
    ),
    (
        '<disk><source protocol="https" name="/i.iso" query="a=b"><host name="h"/></source></disk>',
        ["network_disk https:h:443/i.iso?a=b"],
    ),
    (
        '<disk><source protocol="nbd" name="x"><host name="good:1/x#" port="9"/></source></disk>',
        ["unknown domain/devices/disk/source/host/@name", "network_disk nbd:good:1/x#:9/x"],
    ),
    (
        '<disk><source protocol="gluster" name="vol/../other"><host name="h"/></source></disk>',
        ["unknown domain/devices/disk/source/@name", "network_disk gluster:h:24007/vol/../other"],
    ),
    (
        '<disk><source protocol="ssh" name="/i"><host name="h"/><knownHosts path="/k"/><identity user="u" '
        'keyfile="/id" agentsock="/a.sock"/></source></disk>',
        ["network_disk ssh:h:22/i", "host_file /k", "host_file /id", "unix_socket /a.sock"],
    ),
    (
        '<disk><source file="/a"/><backingStore type="file"><format type="qcow2"/><source file="/b"/>'
        '<backingStore type="block"><source file="/c"/></backingStore></backingStore></disk>',
        ["file /a", "readonly_file /b", "readonly_file /c"],
    ),
    (
        '<disk><source file="/a"><dataStore type="file"><source file="/d"/></dataStore></source></disk>',
        ["file /a", "file /d"],
    ),
    ('<disk><mirror file="/m" type="file"><source file="/n"/></mirror></disk>', ["file /m", "file /n"]),
    (
        f'<disk><auth username="u"><secret type="ceph" uuid="{UUID}"/></auth></disk>',
        [f"secret {UUID}"],
    ),
    (
        '<disk><source file="/a"><encryption format="luks"><secret type="passphrase" usage="u"/></encryption>'
        '<reservations managed="no"><source type="unix" path="/r"/></reservations></source></disk>',
        ["file /a", "secret usage:passphrase:u", "unix_socket /r"],
    ),
    (
        '<disk device="lun" rawio="yes" sgio="unfiltered"/>',
        ["isolation rawio:yes", "isolation sgio:unfiltered", "isolation disk:lun"],
    ),
    (
        '<disk><source file="/a"><seclabel relabel="yes"><label>l</label></seclabel></source></disk>',
        ["file /a", "isolation seclabel:label:l"],
    ),
    ('<filesystem type="mount"><source dir="/srv"/><target dir="x"/></filesystem>', ["shared_directory /srv"]),
    ('<filesystem type="file"><source file="/f"/></filesystem>', ["file /f"]),
    ('<filesystem type="block"><source dev="/dev/f"/></filesystem>', ["block /dev/f"]),
    ('<filesystem type="template"><source name="t"/></filesystem>', ["template template:t"]),
    (
        '<filesystem type="mount"><binary path="/usr/libexec/virtiofsd"><sandbox mode="none"/></binary>'
        '<source socket="/v.sock"/></filesystem>',
        ["emulator /usr/libexec/virtiofsd", "isolation virtiofs-sandbox:none", "unix_socket /v.sock"],
    ),
    (
        '<hostdev mode="subsystem" type="pci"><source><address bus="0x06" slot="0x12" function="0x5"/>'
        "</source></hostdev>",
        ["host_device pci:0000:06:12.5"],
    ),
    # Octal for C, decimal for others.
    (
        '<hostdev mode="subsystem" type="pci"><source><address bus="010" slot="1"/></source></hostdev>',
        ["host_device pci:0000:08:01.0", "host_device pci:0000:0a:01.0"],
    ),
    (
        '<hostdev mode="subsystem" type="usb"><source><vendor id="0x1234"/><product id="0xbeef"/></source></hostdev>',
        ["host_device usb:1234:beef"],
    ),
    (
        '<hostdev mode="subsystem" type="usb"><source><address bus="1" device="2"/></source></hostdev>',
        ["host_device usb:bus:1.2"],
    ),
    (
        '<hostdev mode="subsystem" type="scsi"><source><adapter name="scsi_host0"/>'
        '<address bus="0" target="1" unit="2"/>'
        "</source></hostdev>",
        ["host_device scsi:scsi_host0:0:1:2"],
    ),
    (
        '<hostdev mode="subsystem" type="scsi"><source protocol="iscsi" name="iqn/1">'
        '<host name="h" port="3260"/></source>'
        "</hostdev>",
        ["network_disk iscsi:h:3260/iqn/1"],
    ),
    (
        '<hostdev mode="subsystem" type="scsi_host"><source protocol="vhost" wwpn="naa.5"/></hostdev>',
        ["host_device scsi_host:naa.5"],
    ),
    (
        f'<hostdev mode="subsystem" type="mdev" model="vfio-pci"><source><address uuid="{UUID}"/></source></hostdev>',
        [f"host_device mdev:{UUID}"],
    ),
    (
        '<hostdev mode="capabilities" type="storage"><source><block>/dev/sdb</block></source></hostdev>',
        ["host_device block:/dev/sdb"],
    ),
    (
        '<hostdev mode="capabilities" type="misc"><source><char>/dev/../dev/kvm</char></source></hostdev>',
        ["host_device char:/dev/kvm"],
    ),
    (
        '<hostdev mode="capabilities" type="net"><source><interface>eth0</interface></source></hostdev>',
        ["host_device net:eth0"],
    ),
    ("<hostdev/>", ["host_device :unspecified"]),
    ('<hostdev type="pci"><rom file="/rom"/></hostdev>', ["host_device pci:unspecified", "boot_file /rom"]),
    ('<interface type="network"><source network="default"/></interface>', ["network default"]),
    (
        '<interface type="network"><source network="n" portgroup="p"/></interface>',
        ["network n", "vlan portgroup:p"],
    ),
    ('<interface type="bridge"><source bridge="br0"/></interface>', ["bridge br0"]),
    ('<interface type="direct"><source dev="eth0" mode="vepa"/></interface>', ["host_interface eth0"]),
    ('<interface type="vdpa"><source dev="/dev/vhost-vdpa-0"/></interface>', ["host_device char:/dev/vhost-vdpa-0"]),
    ('<interface type="vhostuser"><source type="unix" path="/s" mode="client"/></interface>', ["unix_socket /s"]),
    ('<interface type="internal"><source name="i"/></interface>', ["network internal:i"]),
    ('<interface type="user"/>', ["host_interface user"]),
    (
        '<interface type="ethernet"><target dev="tap0"/><script path="/s"/><downscript path="/d"/></interface>',
        ["host_interface tap:tap0", "script /s", "script /d"],
    ),
    ('<interface type="bridge"><source bridge="b"/><target dev="vnet7"/></interface>', ["bridge b"]),
    ('<interface type="server"><source address="0.0.0.0" port="5558"/></interface>', ["listen 0.0.0.0:5558"]),
    ('<interface type="client"><source address="h" port="5558"/></interface>', ["connect h:5558"]),
    (
        '<interface type="udp"><source address="h" port="1"><local address="l" port="2"/></source></interface>',
        ["connect h:1", "listen l:2"],
    ),
    (
        '<interface type="hostdev"><source><address type="pci" domain="0" bus="1" slot="2" function="3"/></source>'
        "</interface>",
        ["host_device pci:0000:01:02.3"],
    ),
    (
        '<interface type="user"><backend type="passt" logFile="/l"/><portForward proto="tcp" address="1.2.3.4" dev="e">'
        '<range start="22" to="2"/></portForward></interface>',
        ["host_interface user", "host_file /l", "host_interface e", "listen 1.2.3.4:22"],
    ),
    (
        '<interface type="bridge" trustGuestRxFilters="yes"><source bridge="b"/><vlan trunk="yes"><tag id="42"/></vlan>'
        '<virtualport type="802.1Qbh"><parameters profileid="x"/></virtualport>'
        '<backend tap="/t" vhost="/v"/></interface>',
        [
            "isolation trustGuestRxFilters:yes",
            "bridge b",
            "vlan trunk:yes",
            "vlan 42",
            "vlan profile:x",
            "host_device char:/t",
            "host_device char:/v",
        ],
    ),
    (
        '<interface type="ethernet"><source><ip address="1.2.3.4"/><route address="5.6.7.8"/></source></interface>',
        ["host_interface ip:1.2.3.4", "host_interface route:5.6.7.8"],
    ),
    ('<serial type="dev"><source path="/dev/ttyS0"/></serial>', ["host_device char:/dev/ttyS0"]),
    ('<serial type="file"><source path="/f"/><log file="/l"/></serial>', ["host_file /f", "host_file /l"]),
    ('<parallel type="pipe"><source path="/p"/></parallel>', ["host_file /p"]),
    (
        '<channel type="unix"><source mode="bind" path="/c"/><target type="virtio" name="n"/></channel>',
        ["unix_socket /c"],
    ),
    ('<serial type="tcp"><source mode="bind" host="0.0.0.0" service="2445"/></serial>', ["listen 0.0.0.0:2445"]),
    ('<serial type="tcp"><source mode="connect" host="h" service="2445"/></serial>', ["connect h:2445"]),
    (
        '<serial type="udp"><source mode="bind" host="a" service="1"/>'
        '<source mode="connect" host="b" service="2"/></serial>',
        ["listen a:1", "connect b:2"],
    ),
    ('<console type="pty" tty="/dev/pts/3"><source path="/dev/pts/3"/></console>', []),
    (
        '<console type="pty" tty="/dev/sda"><source path="/dev/pts/../sda"/></console>',
        ["host_device char:/dev/sda", "host_device char:/dev/sda"],
    ),
    (
        '<serial type="nmdm"><source master="/dev/nmdm0A" slave="/dev/nmdm0B"/></serial>',
        ["host_device char:/dev/nmdm0A", "host_device char:/dev/nmdm0B"],
    ),
    ('<serial type="shiny"><source path="/s"/></serial>', ["unknown domain/devices/serial/source/@path"]),
    ('<redirdev bus="usb" type="tcp"><source mode="connect" host="h" service="4000"/></redirdev>', ["connect h:4000"]),
    ('<smartcard mode="host"/>', ["host_device smartcard:host"]),
    (
        '<smartcard mode="host-certificates"><certificate>c</certificate><database>/etc/pki</database></smartcard>',
        ["host_device smartcard:host-certificates", "host_file /etc/pki"],
    ),
    ('<rng model="virtio"><backend model="random">/dev/urandom</backend></rng>', ["host_device char:/dev/urandom"]),
    (
        '<rng model="virtio"><backend model="egd" type="udp"><source mode="bind" service="1234"/>'
        '<source mode="connect" host="h" service="5"/></backend></rng>',
        ["listen *:1234", "connect h:5"],
    ),
    (
        '<tpm model="tpm-tis"><backend type="passthrough"><device path="/dev/tpm0"/></backend></tpm>',
        ["host_device char:/dev/tpm0"],
    ),
    (
        '<tpm><backend type="emulator"><source type="dir" path="/state"/><encryption secret="s"/></backend></tpm>',
        ["host_file /state", "secret s"],
    ),
    (
        '<tpm><backend type="external"><source type="unix" mode="connect" path="/t"/></backend></tpm>',
        ["unix_socket /t"],
    ),
    ('<graphics type="vnc" port="-1" autoport="yes"/>', []),
    ('<graphics type="vnc" port="5901"/>', ["listen default:5901"]),
    (
        '<graphics type="vnc" autoport="yes" listen="0.0.0.0"><listen type="address" address="::"/></graphics>',
        ["listen 0.0.0.0:*", "listen :::*"],
    ),
    ('<graphics type="spice" port="1" tlsPort="2" listen="h"/>', ["listen h:1", "listen h:2"]),
    (
        '<graphics type="vnc" socket="/v"><listen type="socket" socket="/w"/>'
        '<listen type="network" network="n"/></graphics>',
        ["unix_socket /v", "unix_socket /w", "network n"],
    ),
    (
        '<graphics type="sdl" display=":0" xauth="/root/.Xauthority"/>',
        ["host_file /root/.Xauthority", "host_device display::0"],
    ),
    (
        '<graphics type="egl-headless"><gl rendernode="/dev/dri/renderD128"/></graphics>',
        ["host_device char:/dev/dri/renderD128"],
    ),
    ('<graphics type="dbus" address="unix:path=/x"/>', ["connect dbus:unix:path=/x"]),
    (
        '<video><model type="virtio"><acceleration rendernode="/dev/dri/r"/></model></video>',
        ["host_device char:/dev/dri/r"],
    ),
    ('<audio id="1" type="none"/>', []),
    (
        '<audio id="1" type="alsa"><input dev="/dev/snd"/></audio>',
        ["host_device audio:alsa", "host_device char:/dev/snd"],
    ),
    ('<audio id="1" type="file" path="/a.wav"/>', ["host_file /a.wav"]),
    ('<audio id="1" type="pulseaudio" serverName="h"/>', ["host_device audio:pulseaudio", "connect audio:h"]),
    ('<audio id="1" type="pipewire" runtimeDir="/run/p"/>', ["host_device audio:pipewire", "unix_socket /run/p"]),
    (
        '<input type="passthrough" bus="virtio"><source evdev="/dev/input/event1"/></input>',
        ["host_device char:/dev/input/event1"],
    ),
    ('<input type="evdev"><source dev="/dev/input/event2"/></input>', ["host_device char:/dev/input/event2"]),
    ('<shmem name="s"><server path="/sh"/></shmem>', ["shared_memory s", "unix_socket /sh"]),
    (
        '<memory model="nvdimm"><source><path>/nv</path></source><target><size unit="KiB">1</size></target></memory>',
        ["memory_file /nv"],
    ),
    ('<lease><lockspace>l</lockspace><key>k</key><target path="/lease"/></lease>', ["host_file /lease"]),
    ('<pstore backend="acpi-erst"><path>/p</path></pstore>', ["host_file /p"]),
    ("<emulator>/bin/sh</emulator>", ["emulator /bin/sh"]),
    # Known things in the wrong places, foreign names, other spellings.
    ('<disk><source teleport="/x"/></disk>', ["unknown domain/devices/disk/source/@teleport"]),
    ("<teleporter/>", ["unknown domain/devices/teleporter"]),
    (
        '<disk xmlns:x="u"><source x:file="/etc/shadow"/></disk>',
        ["unknown domain/devices/disk/source/@{u}file", "file /etc/shadow"],
    ),
    (
        '<disk xmlns:x="u"><x:source file="/etc/shadow"/></disk>',
        ["unknown domain/devices/disk/source", "file /etc/shadow"],
    ),
    (
        '<Disk><source file="/a"/></Disk>',
        [
            "unknown domain/devices/Disk",
            "unknown domain/devices/Disk/source",
            "unknown domain/devices/Disk/source/@file",
        ],
    ),
    (f'<disk xmlns:q="{QEMU}"><q:commandline/></disk>', ["unknown domain/devices/disk/commandline"]),
    ("<memballoon model='none'/><panic model='isa'/><watchdog model='i6300esb'/><vsock><cid auto='yes'/></vsock>", []),
]
