# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks, controllers, file systems and leases, as a table.

Read by `grammar`, which says what the notation means.
"""

from __future__ import annotations

STORAGE = """
&iotune
  total_bytes_sec #nz
  read_bytes_sec #nz
  write_bytes_sec #nz
  total_iops_sec #nz
  read_iops_sec #nz
  write_iops_sec #nz
  total_bytes_sec_max #nz
  read_bytes_sec_max #nz
  write_bytes_sec_max #nz
  total_iops_sec_max #nz
  read_iops_sec_max #nz
  write_iops_sec_max #nz
  size_iops_sec #nz
  group_name? #
  total_bytes_sec_max_length #nz
  read_bytes_sec_max_length #nz
  write_bytes_sec_max_length #nz
  total_iops_sec_max_length #nz
  read_iops_sec_max_length #nz
  write_iops_sec_max_length #nz

&cache
  metadata_cache?
    max_size unit #mem @scale::bytes:bytes

&chain
  backingStore/.type=file,block,dir,network,volume,nvme,vhostuser,vhostvdpa type index:index @chain
    format type!
      &cache
    &source
    &chain
  backingStore/.type= type:sourcetype index:index

&disk
  disk* type:sourcetype=file device:disk|cdrom|floppy|lun=disk model:virtiomodel rawio:yesno \
      sgio:filtered|unfiltered snapshot:no|internal|external|manual @disk
    driver? name type cache:default|none|writethrough|writeback|directsync|unsafe \
        error_policy:~default|stop|report|ignore|enospace rerror_policy:~default|stop|report|ignore \
        io:~default|native|threads|io_uring ioeventfd:onoff event_idx:onoff copy_on_read:onoff \
        discard:~default|unmap|ignore iothread:positive detect_zeroes:~default|off|on|unmap discard_no_unref:onoff \
        queues:positive queue_size:u &virtio
      &cache
      iothreads?
        iothread* id:positive!
          queue* id:u!
    &auth
    &source
    &chain
    mirror @gone
    privateData @gone
    backenddomain name!
    geometry cyls:u! heads:u! secs:u! trans:none|auto|lba
    blockio? logical_block_size:u physical_block_size:u discard_granularity:u
    target dev bus tray:~closed|open removable:onoff rotation_rate:positive @target
    iotune? @iotune
      &iotune
    throttlefilters?
      throttlefilter* group!
    readonly
    shareable
    transient shareBacking:yes|~no
    serial? #
    wwn? #wwn
    vendor? #vendor
    product? #product
    &encryption
    &bootable
    &device

&controller
  controller* type:controllertype! index:U model ports:u vectors:u maxGrantFrames:u maxEventChannels:u @controller
    serial #
    driver? iothread:nz queues:u cmd_per_lun:u max_sectors:u ioeventfd:onoff &virtio
      iothreads?
        iothread* id:positive!
          queue* id:u!
    alias name @alias
    acpi? index:u
    model? name
    target? chassisNr:U chassis:U port:x busNr:U index:U hotplug:onoff memReserve:u
      node #u
    pcihole64 unit #mem @scale::KiB:KiB
    master startport:u!
    &address

&lease
  lease*
    lockspace #
    key #
    target path! offset:u

&filesystem
  filesystem* type:fstype=mount accessmode:passthrough|mapped|squash model:virtiomodel \
      multidevs:~default|remap|forbid|warn fmode:mode dmode:mode @filesystem
    driver? type:path|handle|loop|nbd|ploop|virtiofs|mtp format wrpolicy:immediate queue:u &virtio
    binary? path xattr:onoff
      cache? mode:none|always
      sandbox? mode:namespace|chroot
      lock? posix:onoff flock:onoff
      thread_pool? size:i
      openfiles? max:u
    source/type=mount dir socket
    source/type=bind dir
    source/type=block dev
    source/type=file file
    source/type=template name
    source/type=ram usage units=KiB @usage
    source/type=volume pool volume
    idmap?
      uid* start:u! target:u! count:u!
      gid* start:u! target:u! count:u!
    target dir
    readonly
    &bootable
    &device
    space_hard_limit unit #mem @scale::bytes:bytes
    space_soft_limit unit #mem @scale::bytes:bytes
"""
