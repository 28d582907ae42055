# SPDX-License-Identifier: LGPL-2.1-or-later
"""The remaining devices as a table, and the order of all kinds of devices.

Read by `grammar`, which says what the notation means.
"""

from __future__ import annotations

OTHERS = """
&watchdog
  watchdog* model:i6300esb|ib700|diag288|itco! action:reset|shutdown|poweroff|pause|dump|none|inject-nmi=reset
    &device

&memballoon
  memballoon model:virtio|xen|none|virtio-transitional|virtio-non-transitional! autodeflate:onoff \
      freePageReporting:onoff
    stats? period:u
    &device
    driver? &virtio

&nvram
  nvram
    &device

&panic
  panic*? model:~default|isa|pseries|hyperv|s390|pvpanic
    &device

&shmem
  shmem* name! role:peer|master @shmem
    model? type:ivshmem|ivshmem-plain|ivshmem-doorbell
    size unit #mem @megabytes
    server? path
    msi vectors:u ioeventfd:onoff
    &device

&memory
  memory* model:dimm|nvdimm|virtio-pmem|virtio-mem|sgx-epc! access:shared|private discard:yesno @memory
    uuid/model=nvdimm,virtio-pmem #uuid
    uuid/model= @gone
    source?/model=dimm,virtio-mem,sgx-epc
      nodemask #cpuset
      pagesize unit #mem @scale::KiB:KiB
    source?/model=nvdimm,virtio-pmem
      path #
      alignsize unit #mem @scale::KiB:KiB
      pmem
    target/model=dimm,sgx-epc
      &size
    target/model=virtio-pmem
      &size
      address base:x!
    target/model=nvdimm
      &size
      label?
        size unit #mem @scale::KiB:KiB
      readonly
    target/model=virtio-mem dynamicMemslots:yesno
      &size
      block unit #mem @scale::KiB:KiB
      requested unit #mem @scale::KiB:KiB
      current @gone
      address base:x!
    &device

&size
  size unit #mem @scale::KiB:KiB
  node #u

&crypto
  crypto* model:virtio! type:qemu!
    backend model:builtin|lkcf! queues:positive
    driver? &virtio
    &device

&iommu
  iommu model:intel|smmuv3|virtio! @iommu
    driver? intremap:onoff caching_mode:onoff eim:onoff iotlb:onoff aw_bits:nz dma_translation:onoff
    &device

&vsock
  vsock* model:virtiomodel @vsock
    cid auto:yesno address:u
    driver? &virtio @virtio
    &device

&pstore
  pstore* backend:acpi-erst! @pstore
    path #
    size unit #mem @scale::KiB:KiB
    &device

&devices
  &disk
  &controller
  &lease
  &filesystem
  &interface
  &smartcard
  &serial
  &parallel
  &console
  &channel
  &input
  &tpm
  &graphics
  &sound
  &audio
  &video
  &hostdev
  &redirdev
  &redirfilter
  &hub
  &watchdog
  &memballoon
  &rng
  &nvram
  &panic
  &shmem
  &memory
  &crypto
  &iommu
  &vsock
  &pstore
"""
