# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network interfaces and host devices, as a table.

Read by `grammar`, which says what the notation means.
"""

from __future__ import annotations

NETWORK = """
&addresses
  ip* address! family prefix:u peer @ip
  route* family address netmask prefix:u gateway! metric:u

&hostpci
  address type:pci|usb domain:x4 bus slot:x2 function:x1 device:u -multifunction @netaddress

&bandwidth
  bandwidth? classID @bandwidth
    inbound? average:u peak:u burst:u floor:u
    outbound? average:u peak:u burst:u

&vlan
  vlan? trunk:yesno
    tag* id:u! nativeMode:tagged|untagged

&nic
  mac address:mac! type:generated|static check:yesno currentAddress:currentmac
  &net
  &vlan
  virtualport? type @virtualport
    parameters? managerid:U typeid:U typeidversion:U instanceid:uuid interfaceid:uuid profileid vlan:u
  &bandwidth
  port? isolated:yesno
  &addresses
  portForward* proto:tcp|udp! address dev
    range* start:u end:u to:u exclude:yesno
  script? path!
  downscript? path!
  backenddomain name!
  target? dev managed:yesno
  guest? dev actual
  model? type
  driver? name model txmode:iothread|timer ioeventfd:onoff event_idx:onoff queues:positive \
      rx_queue_size:u tx_queue_size:u rss:onoff rss_hash_report:onoff &virtio
    host? csum:onoff gso:onoff tso4:onoff tso6:onoff ecn:onoff ufo:onoff mrg_rxbuf:onoff
    guest? csum:onoff tso4:onoff tso6:onoff ecn:onoff ufo:onoff
  backend? type:~default|passt|vhost tap vhost logFile hostname fqdn
  filterref filter!
    parameter* name! value!
  tune?
    sndbuf #u
  teaming? type:persistent|transient! persistent
  link? state:~default|up|down
  mtu? size:nz
  coalesce?
    rx?
      frames? max:u
  &bootable
  alias name @alias
  &rom
  acpi? index:u
  &address

&net
  source/type=network network! portgroup -bridge -portid
  source/type=bridge bridge! -macTableManager
    &nosource
  source/type=ethernet
    &addresses
  source/type=vhostuser type=unix path mode:client|server=client
    &reconnect
  source/type=vdpa dev!
  source/type=server,client,mcast address port:u!
    &nosource
  source/type=udp address port:u!
    local address port:i
  source/type=internal name!
  source/type=direct dev! mode:vepa|private|bridge|passthrough
  source/type=hostdev -missing
    vendor id:x4!
    product id:x4!
    &hostpci
  source/type=user dev
  source/type=null
  source/type=vds switchid:uuid! portid:U=0 portgroupid connectionid:U=0

&nosource

&interface
  interface* type:nettype=user managed:yesno trustGuestRxFilters:yesno @interface
    &nic

&hostdev
  hostdev* mode:capabilities|subsystem type:usb|pci|scsi|scsi_host|mdev|storage|misc|net! managed:yesno \
      sgio:filtered|unfiltered rawio:yesno model display:onoff ramfb:onoff @hostdev
    driver? name:~default|kvm|vfio|xen model
    source/type=pci writeFiltering:yesno startupPolicy:startup guestReset:off|uninitialized|on
      &hostpci
    source/type=usb startupPolicy:startup guestReset:off|uninitialized|on
      vendor id:x4!
      product id:x4!
      address bus:u device:u type:usb|pci port
    source/type=scsi protocol:adapter|iscsi name startupPolicy:startup
      host* name port @scsihost
      adapter name -type -managed -parent -parent_wwnn -parent_wwpn -parent_fabric_wwn -wwnn -wwpn
      address bus:u target:u unit:u
      initiator?
        iqn name!
      &auth
    source/type=scsi_host protocol wwpn
    source/type=mdev
      address uuid:uuid!
    source/type=storage
      block #
    source/type=misc
      char #
    source/type=net
      interface #
    teaming? type:persistent|transient! persistent
    &addresses
    readonly
    shareable
    &bootable
    alias name @alias
    &rom
    acpi? index:u
    &address
"""
