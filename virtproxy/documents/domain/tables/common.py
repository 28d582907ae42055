# SPDX-License-Identifier: LGPL-2.1-or-later
"""What several devices share, as a table: addresses, alias, virtio options, ROM, security labels and storage sources.

Read by `grammar`, which says what the notation means.
"""

from __future__ import annotations

COMMON = """
&virtio iommu:onoff ats:onoff packed:onoff page_per_vq:onoff

&device
  alias name @alias
  acpi? index:u
  &address

&bootable
  boot? order:positive loadparm:upper

&address
  address/.type=pci type! domain:x4 bus:x2 slot:x2 function:x1 multifunction:onoff @pci
    zpci? uid:x4 fid:x8
  address/.type=drive type! controller:u=0 bus:u=0 target:u=0 unit:u=0
  address/.type=virtio-serial type! controller:u=0 bus:u=0 port:u
  address/.type=ccid type! controller:u=0 slot:u=0
  address/.type=usb type! bus:u=0 port
  address/.type=spapr-vio type! reg:x8
  address/.type=virtio-mmio type!
  address/.type=ccw type! cssid:x2 ssid:x1 devno:x4 @ccw
  address/.type=isa type! iobase:x irq:x
  address/.type=dimm type! slot:u base:x
  address/.type=unassigned type! @unassigned
  address/.type= type:pci|drive|virtio-serial|ccid|usb|spapr-vio|ccw|virtio-mmio|isa|dimm|unassigned!

&rom
  rom? enabled:yesno bar:onoff file @rom

&label
  seclabel* model relabel:yesno -labelskip @label
    label #

&reconnect
  reconnect? enabled:yesno timeout:u -delay

&auth
  auth username!
    secret type! uuid:uuid usage

&encryption
  encryption format:default|qcow|luks|luks2|luks-any! engine:qemu|librbd
    secret* type:passphrase! uuid:uuid usage
    cipher/format=luks,luks2 name! size:u! mode hash
    cipher/format= @gone
    ivgen/format=luks,luks2 name! hash
    ivgen/format= @gone

&inside
  privateData @gone
  slices?
    slice* type:storage! offset:u! size:u!
  &label
  &auth
  &encryption
  reservations managed:yesno! @reservations
    source/.type=unix type! path mode
  dataStore type! @datastore
    format type!
    &source

&source
  source/type=file file fdgroup startupPolicy:startup index:index
    &inside
  source/type=block dev startupPolicy:startup index:index
    &inside
  source/type=dir dir startupPolicy:startup index:index
    &inside
  source/type=network protocol:protocol! name query tls:yesno tlsHostname startupPolicy:startup index:index @netsource
    host* name transport:~tcp|unix|rdma port socket @host
    snapshot? name
    config? file
    initiator?
      iqn name
    ssl? verify:yesno
    cookies?
      cookie* name! #
    readahead? size:u @unlessssh
    timeout? seconds:u @unlessssh
    reconnect? delay:u -enabled -timeout
    identity? user group username keyfile agentsock
    knownHosts? path
    &inside
  source/type=volume pool! volume! mode:host|direct startupPolicy:startup index:index
    &inside
  source/type=nvme type:pci! managed:yesno namespace:u! startupPolicy:startup index:index
    address domain:x4=0x0000 bus:x2=0x00 slot:x2=0x00 function:x1=0x0 -multifunction -type
    &inside
  source/type=vhostuser type:unix! path! startupPolicy:startup index:index
    reconnect? enabled:yesno timeout:u -delay
    &inside
  source/type=vhostvdpa dev startupPolicy:startup index:index
    &inside
"""
