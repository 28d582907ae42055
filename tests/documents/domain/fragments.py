# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain documents written by hand, as fragments: what people write, and what is wrong in ways people get it wrong.

`DEVICES` go between <devices> and </devices>, `MACHINE` directly into a small domain.
"""

from __future__ import annotations

# One document a line, however long.
# ruff: noqa: E501

DEVICES = """
<controller type='usb'/><controller type='usb'/><controller type='scsi' model='lsilogic'/>
<controller type='usb' index='0'/><controller type='virtio-serial' ports='4'/><controller type='pci' model='pcie-root'/>
<controller type='usb' model='ich9-ehci1'/><controller type='usb' model='bogus'/>
<controller type='bogus'/>
<controller type='scsi' index='2'/><controller type='scsi' index='0' model='virtio-scsi'><driver queues='4' iothread='0'/></controller>
<controller type='scsi' index='3'/><controller type='scsi' index='1'/><controller type='ide' index='0'/><controller type='scsi'/>
<input type='mouse'/><input type='keyboard'/><input type='tablet'/>
<input type='mouse' bus='usb'/><input type='keyboard' bus='virtio'/><input type='evdev'><source dev='/dev/x'/></input>
<input type='passthrough' bus='virtio'><source evdev='/x'/></input>
<input type='tablet' bus='ps2'/>
<input type='bogus'/>
<input type='mouse' bus='bogus'/>
<disk device='cdrom'><target dev='hdc'/></disk><disk device='cdrom'><target dev='sdb'/></disk><disk><source file='/x'/><target dev='sdac'/></disk><disk device='floppy'><target dev='fdb'/></disk>
<disk><source file='/x'/><target dev='vdc'/></disk><disk><source file='/y'/><target dev='vda'/></disk><disk><source file='/z'/><target dev='sda' bus='usb'/></disk><disk><source file='/w'/><target dev='sdb' bus='usb'/></disk>
<disk><source file='/x'/><target dev='sda' bus='sata'/></disk><disk><source file='/y'/><target dev='sda' bus='usb'/></disk>
<disk><source file='/x'/><target dev='vda' bus='virtio'/></disk><disk><source file='/x'/><target dev='vda'/></disk>
<disk><source file='/x'/></disk>
<disk><source file='/x'/><target dev='zz'/></disk>
<disk><source file='/x'/><target dev='fda'/></disk>
<disk device='floppy'><source file='/x'/><target dev='vda'/></disk>
<disk><target dev='vda'/></disk>
<disk type='bogus'><target dev='vda'/></disk>
<disk device='bogus'><target dev='vda'/></disk>
<disk><source file='/x'/><target dev='vda' bus='bogus'/></disk>
<disk><source file='/x'/><target/></disk>
<disk type='network'><source protocol='gluster' name='vol/img'><host name='h'/></source><target dev='vda'/></disk><disk type='network'><source protocol='rbd' name='a/b'><host name='h'/></source><target dev='vdb'/></disk>
<disk type='network'><source protocol='nfs' name='/a'><host name='h'/></source><target dev='vdc'/></disk><disk type='network'><source protocol='nbd'><host transport='unix' socket='/s'/></source><target dev='vdd'/></disk>
<disk type='network'><source protocol='iscsi' name='iqn/1'><host name='h'/></source><target dev='vde'/></disk>
<disk type='network'><source protocol='https' name='a' query='b'><host name='h'/><ssl verify='no'/><cookies><cookie name='c'>v</cookie></cookies><readahead size='5'/><timeout seconds='9'/></source><target dev='vda'/></disk>
<disk type='network'><source protocol='bogus' name='a'/><target dev='vdb'/></disk>
<disk type='network'><source name='a'/><target dev='vdb'/></disk>
<disk type='network'><source protocol='rbd' name='a/b'/><target dev='vdb'/></disk>
<disk type='network'><source protocol='gluster' name='a'><host name='h'/></source><target dev='vdb'/></disk>
<disk type='network'><auth username='u'><secret type='ceph' usage='k'/></auth><source protocol='rbd' name='p/i'><host name='a' port='1'/><host name='b'/></source><target dev='vda'/></disk>
<disk type='volume'><source pool='p' volume='v'/><target dev='vdb'/></disk><disk><source file='/a' startupPolicy='optional'><seclabel model='dac' relabel='no'/></source><target dev='vdc'/></disk>
<disk type='volume'><source pool='p'/><target dev='vdb'/></disk>
<disk device='lun'><source file='/a'/><target dev='sda'/></disk>
<disk type='block' device='lun'><source dev='/a'/><target dev='sda'/></disk>
<disk><driver type='qcow2'/><source file='/a'/><backingStore type='file'><format type='raw'/><source file='/b'/></backingStore><target dev='sda'/></disk>
<disk><driver type='qcow2'/><source file='/a'/><backingStore type='file'><format type='qcow2'/><source file='/b'/><backingStore type='block'><format type='raw'/><source dev='/c'/><backingStore/></backingStore></backingStore><target dev='sda'/></disk>
<disk><driver name='qemu' type='qcow2' cache='none'/><source file='/a'/><backingStore type='file'><source file='/b'/></backingStore><target dev='sda'/></disk>
<disk><driver name='qemu' type='raw' discard='unmap'/><source file='/x'/><target dev='vda'/><iotune><total_bytes_sec>5</total_bytes_sec><read_bytes_sec>4</read_bytes_sec></iotune></disk>
<disk><driver name='qemu' type='raw' discard='unmap' detect_zeroes='off'/><source file='/x'/><target dev='vda'/><iotune><total_bytes_sec>5</total_bytes_sec><total_iops_sec>0</total_iops_sec></iotune></disk>
<disk><driver name='qemu' type='bogus'/><source file='/x'/><target dev='vda'/></disk>
<disk><driver cache='bogus'/><source file='/x'/><target dev='vda'/></disk>
<disk><source file='/x'/><target dev='vda'/><serial>a b</serial><wwn>zz</wwn></disk>
<disk><source file='/x'/><target dev='sda'/><vendor>SEAGATE</vendor><product>ST1</product><serial>S1</serial><wwn>5000c50015ea71ad</wwn></disk>
<disk><source file='/x'/><target dev='sda'/><vendor>more than eight</vendor></disk>
<disk><source file='/x'/><target dev='sda'/><product>more than sixteen letters</product></disk>
<disk type='block' device='cdrom'><target dev='hda' tray='open'/></disk><disk device='cdrom'><source startupPolicy='optional'/><target dev='hdb'/></disk>
<disk><source file='/x'/><target dev='vda' tray='open'/></disk>
<disk><source file='/x'/><target dev='vda'/><address type='pci' slot='4'/><boot order='1'/></disk>
<disk><source file='/x'/><target dev='vda'/><boot order='0'/></disk>
<disk><source file='/x'/><target dev='vda'/><address type='bogus'/></disk>
<disk><source file='/x'/><target dev='vda'/><address type='pci' slot='bogus'/></disk>
<disk><source file='/x'/><target dev='vda'/><readonly/><shareable/><transient/></disk>
<disk><source file='a &amp; b &lt;c&gt; "d"'/><target dev='vda'/></disk>
<disk><source file='/x'/><target dev='vda'/><geometry cyls='1' heads='2' secs='3'/><blockio logical_block_size='512' physical_block_size='4096'/></disk>
<disk><source file='/x'/><target dev='vda'/><geometry cyls='a' heads='2' secs='3'/></disk>
<disk><source file='/x'/><target dev='vda'/><encryption format='luks'><secret type='passphrase' uuid='3b0d2f0c-6a2e-4f1e-9d43-4a5f0c2f1b11'/></encryption></disk>
<disk><source file='/x'/><target dev='vda'/><encryption format='bogus'/></disk>
<disk type='nvme'><source type='pci' managed='yes' namespace='1'><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source><target dev='vde'/></disk>
<disk type='vhostuser'><source type='unix' path='/p'><reconnect enabled='yes' timeout='1'/></source><target dev='vda'/></disk>
<serial type='unix'><source path='/p'/></serial><serial type='stdio'/><serial type='null'/><serial type='vc'/><serial type='nmdm'><source master='/a' slave='/b'/></serial><serial type='pty' tty='/x'><source path='/dev/pts/3'/></serial>
<serial type='tcp'><source mode='bind' host='0' service='1'/><protocol type='telnet'/><target port='4'/></serial><serial type='udp'><source mode='connect' host='h' service='1'/><source mode='bind' host='g' service='2'/></serial>
<serial type='unix'><source mode='bind' path='/p'><reconnect enabled='yes' timeout='3'/></source></serial>
<serial type='unix'><source mode='connect' path='/p'><reconnect enabled='yes' timeout='3'/></source></serial>
<serial type='tcp'><source host='h' service='s'/></serial>
<serial type='tcp'><source service='s'/></serial>
<serial type='tcp'><source host='h'/></serial>
<serial type='udp'/>
<serial type='unix'><source mode='bind'/></serial>
<serial type='file'/>
<serial/>
<serial type='bogus'/>
<serial type='file'><source path='/f' append='on'/><log file='/l' append='off'/></serial>
<serial type='pty'><target type='isa-serial'/></serial><serial type='pty'><target type='usb-serial' port='5'/></serial><serial type='pty'><target type='isa-serial'><model name='isa-serial'/></target></serial>
<serial type='pty'/><serial type='pty'/><console type='pty'/><parallel type='pty'/>
<console type='pty'/>
<console type='pty'><target type='xen'/></console>
<console type='pty'><target type='virtio'/></console><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<console type='pty'/><console type='pty'><target type='virtio'/></console><console type='pty'><target type='virtio'/></console>
<channel type='pty'><target type='guestfwd' address='10.0.2.1' port='4600'/></channel><channel type='spicevmc'><target type='virtio'/></channel><channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/><mouse mode='client'/></source><target type='virtio'/></channel><channel type='dbus'><source channel='org.q'/><target type='virtio'/></channel>
<channel type='pty'/>
<channel type='unix'><target type='virtio'/></channel><channel type='unix'><source mode='bind'/><target type='virtio' name='a' state='connected'/></channel>
<channel type='unix'><source mode='bind' path='/s'/><target type='virtio' name='a'/><address type='virtio-serial' controller='1' bus='0' port='2'/></channel>
<smartcard mode='host'/>
<smartcard mode='host-certificates'><certificate>a</certificate><certificate>b</certificate><certificate>c</certificate></smartcard><smartcard mode='passthrough' type='spicevmc'/>
<smartcard mode='host-certificates'><certificate>a</certificate></smartcard>
<smartcard mode='bogus'/>
<smartcard/>
<rng model='virtio'><backend model='random'/></rng><rng model='virtio'><backend model='egd' type='udp'><source mode='connect' host='h' service='5'/><source mode='bind' service='6'/></backend></rng><rng model='virtio'><backend model='builtin'/></rng>
<rng model='virtio'><rate bytes='1024' period='1000'/><backend model='random'>/dev/hwrng</backend></rng>
<rng model='virtio'><rate bytes='5'/></rng>
<rng model='bogus'><backend model='random'/></rng>
<rng><backend model='random'/></rng>
<tpm><backend type='emulator'/></tpm>
<tpm model='tpm-crb'><backend type='passthrough'/></tpm>
<tpm model='tpm-tis'><backend type='emulator' version='2.0' persistent_state='yes'><active_pcr_banks><sha256/></active_pcr_banks></backend></tpm>
<tpm/>
<panic/><watchdog model='itco'/><memballoon model='none'/><sound model='ich9'><codec type='micro'/></sound>
<panic model='pvpanic'/><watchdog model='i6300esb' action='poweroff'/><memballoon model='virtio'><stats period='10'/></memballoon>
<watchdog model='bogus'/>
<watchdog model='itco' action='bogus'/>
<memballoon model='bogus'/>
<sound model='bogus'/>
<sound model='ich6'/><audio id='1' type='spice'/>
<audio id='1' type='pulseaudio' serverName='/s'><input mixingEngine='yes' fixedSettings='yes' voices='3'><settings frequency='44100' channels='2' format='s16'/></input></audio>
<audio id='0' type='none'/>
<hostdev mode='subsystem' type='pci'><source><address bus='1' slot='2'/></source></hostdev><hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='2'/></source></hostdev>
<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source><address domain='0x0000' bus='0x06' slot='0x02' function='0x1'/></source><rom bar='off'/><address type='pci' domain='0' bus='0' slot='5' function='0'/></hostdev>
<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/></source></hostdev>
<hostdev type='usb'><source><address bus='1' device='3'/></source></hostdev><hostdev type='mdev' model='vfio-pci'><source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev><hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>
<hostdev type='scsi'><source protocol='iscsi' name='iqn.1/0'><host name='h' port='3'/></source></hostdev>
<hostdev mode='capabilities' type='net'><source><interface>eth0</interface></source></hostdev><hostdev mode='capabilities' type='misc'><source><char>/dev/x</char></source></hostdev><hostdev mode='capabilities' type='storage'><source><block>/dev/x</block></source></hostdev>
<hostdev mode='bogus' type='pci'/>
<hostdev type='bogus'/>
<hostdev type='pci'/>
<graphics type='vnc'/>
<graphics type='vnc' port='5901' listen='1.2.3.4' passwd='x'/>
<graphics type='vnc' port='-1' autoport='yes'><listen type='network' network='default'/></graphics>
<graphics type='spice'/><graphics type='sdl'/><graphics type='rdp'/><graphics type='egl-headless'/><graphics type='desktop'/>
<graphics type='vnc' autoport='yes' port='5'/><video><model type='vga'/></video><video><model type='virtio' heads='2'><acceleration accel3d='yes'/></model></video><video><model type='qxl'/></video>
<graphics type='spice' port='5900' tlsPort='5901' autoport='no'><listen type='address' address='::1'/></graphics><graphics type='vnc' socket='/s'/>
<graphics type='spice' autoport='yes' passwd='a' passwdValidTo='2030-01-01T00:00:00' connected='fail'/><graphics type='vnc' sharePolicy='ignore' websocket='-1'/>
<graphics type='dbus'/><graphics type='dbus' address='unix:path=/x'/>
<graphics type='sdl' display=':0' xauth='/x' fullscreen='yes'/>
<graphics type='vnc' listen='1.2.3.4'><listen type='address' address='1.2.3.5'/></graphics>
<graphics type='vnc' passwd='a' passwdValidTo='tomorrow'/>
<graphics type='vnc' port='bogus'/>
<graphics type='bogus'/>
<graphics/>
<graphics type='spice' autoport='yes'><listen type='address' address='0.0.0.0'/><image compression='off'/><streaming mode='off'/><gl enable='no'/></graphics>
<video/>
<video><model type='bogus'/></video>
<video><model type='vga' ram='5'/></video>
<video><model type='none'/></video>
<video><model type='vga'/></video><video><model type='none'/></video>
<video><model type='qxl' ram='65536' vram='32768' vgamem='16384' heads='2' primary='yes'/></video>
<filesystem><source dir='/a'/><target dir='b'/></filesystem><filesystem type='ram'><source usage='5' units='MiB'/><target dir='b'/></filesystem>
<filesystem><driver type='virtiofs'/><source dir='/a'/><target dir='b'/><binary path='/b' xattr='on'/></filesystem>
<filesystem><driver type='virtiofs'/><source socket='/a'/><target dir='b'/></filesystem>
<filesystem type='mount' accessmode='mapped' fmode='644' dmode='755'><driver type='path' wrpolicy='immediate'/><source dir='/a'/><target dir='b'/><readonly/></filesystem>
<filesystem type='bogus'/>
<hub type='usb'/><redirdev bus='usb' type='spicevmc'/>
<controller type='usb' model='none'/><input type='tablet' bus='usb'/>
<controller type='usb' index='0'/><redirdev bus='usb' type='spicevmc'/><redirfilter><usbdev class='0x08' vendor='0x1234' product='0xBEEF' version='2.56' allow='yes'/><usbdev allow='no'/></redirfilter>
<interface type='user'/><interface type='network'><source network='default'/></interface>
<interface type='network'><source network='default'/><virtualport type='802.1Qbh'><parameters profileid='p'/></virtualport><bandwidth><inbound average='5' floor='3'/><outbound average='1' peak='2' burst='3'/></bandwidth><model type='virtio'/><driver name='vhost' queues='4'><host csum='off'/></driver><link state='down'/><mtu size='1500'/></interface>
<interface type='direct'><source dev='eth0'/></interface><interface type='vhostuser'><source type='unix' path='/p' mode='client'/></interface><interface type='hostdev'><source><address type='pci' bus='1' slot='0'/></source></interface><interface type='ethernet'><target dev='tap0'/></interface>
<interface type='server'><source port='5'/></interface>
<interface type='vhostuser'><source type='unix' path='/p' mode='server'/><model type='virtio'/></interface><interface type='udp'><source address='1.2.3.4' port='5'><local address='1.2.3.5' port='6'/></source></interface>
<interface type='bogus'/>
<interface/>
<interface type='direct'><source/></interface>
<interface type='network'/>
<interface type='bridge'><source bridge='br0'/><target dev='vnet3'/><mac address='aa:bb'/></interface>
<interface type='bridge'><source bridge='br0'/><mac address='01:00:00:00:00:00'/></interface>
<interface type='bridge'><source bridge='br0'/><mac address='52:54:0:A:B:C'/></interface>
<interface type='bridge'><source bridge='b'/><model type='virtio'/><backend tap='/a' vhost='/b'/><driver iommu='on'/></interface>
<interface type='bridge'><source bridge='b'/><virtualport type='openvswitch'/></interface>
<interface type='bridge'><source bridge='b'/><virtualport type='midonet'/></interface>
<interface type='bridge'><source bridge='b'/><virtualport/></interface>
<interface type='bridge'><source bridge='b'/><vlan><tag id='42'/></vlan><filterref filter='clean-traffic'><parameter name='IP' value='10.0.0.1'/></filterref></interface>
<interface type='bridge'><source bridge='b'/><vlan trunk='yes'><tag id='42'/><tag id='43' nativeMode='untagged'/></vlan></interface>
<interface type='bridge'><source bridge='b'/><link state='bogus'/></interface>
<interface type='bridge'><source bridge='b'/><ip address='192.0.2.1' prefix='24'/><route address='192.0.2.0' prefix='24' gateway='192.0.2.254'/></interface>
<interface type='direct'><source dev='b'/><virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport></interface>
<interface type='direct'><source dev='b'/><virtualport type='802.1Qbg'/></interface>
<interface type='user'><source dev='eth0'/><backend type='passt' logFile='/l'/><portForward proto='tcp' address='1.2.3.4'><range start='5'/></portForward></interface>
<memory model='nvdimm'><source><path>/a</path></source><target><size>5</size></target></memory>
<memory model='bogus'><target><size>5</size></target></memory>
<shmem name='a'/>
<shmem name='a' role='peer'><model type='ivshmem-plain'/></shmem><shmem name='b' role='master'><model type='ivshmem-doorbell'/><server path='/s'/></shmem><shmem name='c' role='master'><model type='ivshmem'/><size unit='M'>4</size></shmem>
<shmem/>
<vsock/>
<vsock><cid address='3'/></vsock>
<vsock/><vsock/>
<iommu model='intel'/>
<iommu model='bogus'/>
<lease><lockspace>a</lockspace><key>b</key><target path='/c'/></lease>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
"""

MACHINE = """
<os><type>hvm</type><loader readonly='yes' type='pflash'>/l</loader><nvram template='/t'>/x</nvram></os>
<os><type>hvm</type><nvram>/x</nvram></os>
<os><type>hvm</type><loader/><nvram/></os>
<os><type>hvm</type><loader>/l</loader><nvram type='file'><source file='/f'/></nvram></os>
<os><type>hvm</type><loader>/l</loader><nvram type='block' format='qcow2'><source dev='/f'/></nvram></os>
<os><type>hvm</type><loader>/l</loader><nvram type='block'/></os>
<os><type>hvm</type><loader secure='no'/></os>
<os><type>hvm</type><loader type='bogus'>/l</loader></os>
<os firmware='efi'><type>hvm</type><loader secure='yes'/><nvram template='/t'/></os>
<os firmware='efi'><type>hvm</type><firmware><feature enabled='yes' name='secure-boot'/></firmware></os>
<os><type>hvm</type><firmware><feature enabled='yes' name='secure-boot'/></firmware></os>
<os firmware='bogus'><type>hvm</type></os>
<os><type>hvm</type><boot dev='cdrom'/><boot dev='hd'/><bootmenu enable='yes' timeout='100'/><kernel>/k</kernel></os>
<os><type>hvm</type><boot dev='bogus'/></os>
<os><type>hvm</type><boot/></os>
<os><type>hvm</type><smbios mode='host'/><bios useserial='yes' rebootTimeout='0'/></os>
<os><type>linux</type><kernel>/k</kernel></os>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<os><type>exe</type><init>/sbin/init</init><initarg>a</initarg><initarg>b</initarg><initenv name='E'>v</initenv><initdir>/d</initdir></os>
<bootloader>/usr/bin/pygrub</bootloader>
<bootloader>/usr/bin/pygrub</bootloader><bootloader_args>-q</bootloader_args><os><type>xen</type></os>
<vcpu placement='auto' cpuset='0-2'>4</vcpu><numatune><memory mode='strict' placement='auto'/></numatune>
<vcpu cpuset='0-3,^2'>4</vcpu><iothreads>2</iothreads><iothreadids><iothread id='5'/></iothreadids>
<vcpu>0</vcpu>
<vcpu>bogus</vcpu>
<vcpu current='0'>2</vcpu>
<vcpu current='5'>2</vcpu>
<vcpu placement='bogus'>2</vcpu>
<vcpu cpuset='bogus'>2</vcpu>
<iothreads>2</iothreads>
<iothreads>bogus</iothreads>
<iothreadids><iothread id='3'/><iothread id='3'/></iothreadids>
<iothreadids><iothread id='0'/></iothreadids>
<vcpu current='2'>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no' order='1'/><vcpu id='1' enabled='no' hotpluggable='yes'/></vcpus>
<vcpu>4</vcpu><vcpus><vcpu id='9' enabled='yes'/></vcpus>
<cpu mode='host-model'/>
<cpu mode='host-passthrough' migratable='on'/>
<cpu mode='bogus'/>
<cpu mode='custom'/>
<cpu><model>qemu64</model><feature policy='disable' name='svm'/></cpu>
<cpu><model>qemu64</model><feature policy='bogus' name='svm'/></cpu>
<cpu><feature name='svm'/></cpu>
<cpu><vendor>AMD</vendor></cpu>
<cpu match='exact'><model fallback='forbid'>Opteron</model><vendor>AMD</vendor><topology sockets='1' cores='2' threads='2'/></cpu>
<cpu><topology sockets='1' cores='2' threads='1'/></cpu>
<cpu><topology sockets='0' cores='2' threads='1'/></cpu>
<cpu><topology cores='2' threads='1'/></cpu>
<cpu><numa><cell cpus='0-1' memory='512' unit='MiB'/><cell id='1' cpus='2-3' memory='512000'><distances><sibling id='0' value='21'/></distances></cell></numa></cpu><numatune><memory mode='strict' nodeset='0'/><memnode cellid='0' mode='strict' nodeset='0'/></numatune>
<cpu><numa><cell memory='500'/></numa></cpu>
<cpu><numa><cell memory='500'/><cell memory='600'/></numa></cpu><currentMemory>5000</currentMemory>
<cpu><numa><cell id='3' memory='500'/></numa></cpu>
<cpu><numa><cell/></numa></cpu>
<numatune><memory mode='strict' nodeset='0-1'/></numatune>
<numatune><memory mode='bogus' nodeset='0'/></numatune>
<numatune><memory mode='strict'/></numatune>
<seclabel type='dynamic' model='selinux'/><seclabel type='static' model='dac' relabel='no'><label>0:0</label></seclabel><seclabel type='none' model='apparmor'/>
<seclabel type='none'/>
<seclabel type='dynamic'/>
<seclabel type='bogus'/>
<seclabel><label>x</label></seclabel>
<seclabel model='a'/><seclabel type='static'><label>x</label></seclabel>
<cputune><vcpupin vcpu='0' cpuset='0-1'/><vcpupin vcpu='7' cpuset='2'/></cputune>
<cputune><vcpupin vcpu='1' cpuset='0-1'/><vcpupin vcpu='0' cpuset='2'/><vcpupin vcpu='1' cpuset='3'/></cputune>
<cputune><vcpupin vcpu='2' cpuset='0-1'/><vcpupin vcpu='0' cpuset='2'/><emulatorpin cpuset='1-3'/></cputune>
<cputune><vcpupin cpuset='2'/></cputune>
<cputune><vcpusched vcpus='0-1' scheduler='fifo' priority='1'/><vcpusched vcpus='2' scheduler='fifo' priority='1'/></cputune>
<cputune><vcpusched vcpus='0-1' scheduler='fifo'/></cputune>
<cputune><quota>0</quota><period>0</period></cputune>
<cputune><quota>5</quota></cputune>
<cputune><quota>-1</quota><period>1000000</period></cputune>
<cputune><period>5</period></cputune>
<cputune><shares>0</shares></cputune>
<cputune><shares>bogus</shares></cputune>
<iothreads>1</iothreads><cputune><iothreadpin iothread='1' cpuset='0'/></cputune>
<cputune><iothreadpin iothread='1' cpuset='0'/></cputune>
<cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' size='3' unit='MiB'/></cachetune></cputune>
<clock offset='localtime'><timer name='rtc' tickpolicy='catchup' track='guest'><catchup threshold='123' slew='120' limit='10000'/></timer><timer name='pit' tickpolicy='delay'/></clock>
<clock offset='variable'/>
<clock offset='utc' adjustment='reset'/>
<clock offset='utc' adjustment='3600'/>
<clock offset='timezone' timezone='Europe/Berlin'/>
<clock offset='timezone'/>
<clock offset='absolute' start='5'/>
<clock offset='bogus'/>
<clock><timer name='bogus'/></clock>
<clock><timer name='hpet' present='no'/><timer name='tsc' frequency='3504000000' mode='paravirt'/></clock>
<memoryBacking><hugepages><page size='2' unit='M' nodeset='0'/></hugepages></memoryBacking><cpu><numa><cell cpus='0-3' memory='512' unit='MiB'/></numa></cpu>
<memoryBacking><hugepages/><locked/><nosharepages/><access mode='shared'/><allocation mode='immediate'/><discard/></memoryBacking>
<memoryBacking><access mode='bogus'/></memoryBacking>
<maxMemory slots='16' unit='GiB'>4</maxMemory><cpu><numa><cell cpus='0-3' memory='512' unit='MiB'/></numa></cpu>
<maxMemory unit='GiB'>4</maxMemory>
<memory unit='bogus'>4</memory>
<memory unit='b'>1025</memory>
<memory unit='GB'>1</memory><currentMemory unit='MB'>1</currentMemory>
<memory>bogus</memory>
<memory>-5</memory>
<memory>0</memory>
<memory dumpCore='on'>5</memory>
<memory dumpCore='bogus'>5</memory>
<currentMemory>99999999</currentMemory>
<features><acpi/><apic eoi='on'/><kvm><hidden state='on'/></kvm><smm state='on'><tseg unit='MiB'>48</tseg></smm><gic/></features>
<features><hyperv><vendor_id state='on' value='abc'/><spinlocks state='on' retries='4096'/><stimer state='on'><direct state='on'/></stimer></hyperv></features>
<features><hyperv><spinlocks state='on' retries='5'/></hyperv></features>
<features><hyperv><vendor_id state='on' value='far too long a name'/></hyperv></features>
<features><hyperv><relaxed/></hyperv></features>
<features><hyperv/></features>
<features><capabilities policy='allow'/></features>
<features><apic eoi='bogus'/></features>
<features><pmu state='off'/><vmport state='off'/><ioapic driver='qemu'/><vmcoreinfo/></features>
<pm><suspend-to-mem enabled='no'/></pm><perf><event name='cmt' enabled='yes'/></perf><on_lockfailure>default</on_lockfailure>
<on_reboot>bogus</on_reboot>
<on_crash>coredump-restart</on_crash><on_poweroff>preserve</on_poweroff><on_lockfailure>pause</on_lockfailure>
<keywrap><cipher name='aes' state='off'/></keywrap><launchSecurity type='sev'><policy>0x1</policy><cbitpos>47</cbitpos><reducedPhysBits>1</reducedPhysBits></launchSecurity>
<launchSecurity type='bogus'/>
<metadata><a:b xmlns:a='urn:a' c='d'><a:e/></a:b></metadata><title>a b</title><description>two words</description>
<title>it's &lt;1&gt; &amp; "2"</title>
<memtune><hard_limit unit='G'>1</hard_limit><swap_hard_limit>9007199254740991</swap_hard_limit></memtune><blkiotune><weight>800</weight><device><path>/dev/sda</path><weight>500</weight></device></blkiotune>
<memtune><hard_limit>bogus</hard_limit></memtune>
<blkiotune><weight>bogus</weight></blkiotune>
<resource><partition>/a</partition></resource><idmap><uid start='0' target='1000' count='10'/><gid start='0' target='1000' count='10'/></idmap>
<throttlegroups><throttlegroup><group_name>a</group_name><total_bytes_sec>5</total_bytes_sec></throttlegroup></throttlegroups>
<sysinfo type='smbios'><bios><entry name='vendor'>a</entry><entry name='date'>01/02/2020</entry></bios><system><entry name='manufacturer'>f</entry><entry name='product'>p</entry></system><oemStrings><entry>x</entry></oemStrings></sysinfo>
<sysinfo type='smbios'><bios><entry name='date'>yesterday</entry></bios></sysinfo>
<sysinfo type='fwcfg'><entry name='opt/a'>text</entry><entry name='opt/b' file='/f'/></sysinfo>
<sysinfo type='bogus'/>
<uuid>bogus</uuid>
<uuid>6695EB01F6A4830479AA97F2502E1930</uuid>
<genid>3b0d2f0c-6a2e-4f1e-9d43-4a5f0c2f1b11</genid>
<genid/>
"""

_AROUND = "<domain type='test'><name>sample</name>{memory}{vcpu}{os}{machine}<devices>{devices}</devices></domain>"


def _whole(machine: str, devices: str) -> str:
    memory = (
        "" if "<memory" in machine.replace("<memoryBacking", "").split("<numatune>")[0] else "<memory>65536</memory>"
    )
    vcpu = (
        ""
        if "<vcpu " in machine.split("<vcpus", maxsplit=1)[0] or "<vcpu>" in machine.split("<vcpus", maxsplit=1)[0]
        else "<vcpu>4</vcpu>"
    )
    os = "" if "<os" in machine or "<bootloader>" in machine else "<os><type>hvm</type></os>"
    return _AROUND.format(memory=memory, vcpu=vcpu, os=os, machine=machine, devices=devices)


def documents() -> dict[str, str]:
    """The documents, by their fragment."""
    inside = {line: _whole("", line) for line in DEVICES.strip().splitlines()}
    return inside | {line: _whole(line, "") for line in MACHINE.strip().splitlines()}
