# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine itself as a table: identity, memory, vCPUs, tuning, boot, features, CPU, clock and what follows a stop.

Read by `grammar`, which says what the notation means. The order is the order in which libvirt writes.
"""

from __future__ import annotations

GUEST = """
&state state:onoff!
&rate #U
&cap state:onoff

domain type! -id
  name #
  uuid #
  genid #uuid @genid
  title? #
  description? #
  metadata? ...
  maxMemory slots:u unit #mem @scale::KiB:KiB
  memory dumpCore:onoff unit #mem @scale::KiB:KiB
  currentMemory unit #mem @scale::KiB:KiB
  blkiotune?
    weight #weight
    device* @blkdevice
      path #
      weight #weight
      read_iops_sec #positive
      write_iops_sec #positive
      read_bytes_sec #positive
      write_bytes_sec #positive
  memtune?
    hard_limit unit #mem @limit
    soft_limit unit #mem @limit
    min_guarantee unit #mem @limit
    swap_hard_limit unit #mem @limit
  memoryBacking?
    hugepages
      page* size! unit=KiB nodeset:cpuset @scale:size:KiB:KiB
    nosharepages
    locked
    source? type:file|anonymous|memfd
    access? mode:shared|private
    allocation? mode:immediate|ondemand threads:u
    discard
  vcpu placement:static|auto=static cpuset:cpuset current # @vcpu
  vcpus? @vcpus
    vcpu* id:u! enabled:yesno! hotpluggable:yesno order:u
  iothreads #count
  iothreadids? @iothreadids
    iothread* id:positive! thread_pool_min:i thread_pool_max:i
      poll? max:u grow:u shrink:u
  defaultiothread? thread_pool_min:i thread_pool_max:i
  throttlegroups?
    throttlegroup* @throttlegroup
      &iotune
  cputune? @cputune
    shares #U
    period #period
    quota #quota
    global_period #period
    global_quota #quota
    emulator_period #period
    emulator_quota #quota
    iothread_period #period
    iothread_quota #quota
    vcpupin* vcpu:u! cpuset:cpuset!
    emulatorpin cpuset:cpuset!
    iothreadpin* iothread:positive! cpuset:cpuset!
    emulatorsched scheduler:idle|batch|fifo|rr! priority:i @sched
    vcpusched* vcpus:cpuset! scheduler:idle|batch|fifo|rr! priority:i @sched
    iothreadsched* iothreads:cpuset! scheduler:idle|batch|fifo|rr! priority:i @sched
    cachetune* vcpus:cpuset! -id
      cache* id:u! level:u! type:both|code|data! size! unit @scale:size:KiB:auto
      monitor* level:u! vcpus:cpuset!
    memorytune* vcpus:cpuset!
      node* id:u! bandwidth:u!
      monitor* vcpus:cpuset!
  numatune?
    memory mode:numamode=strict nodeset:cpuset placement:static|auto @numatune
    memnode* cellid:u! mode:numamode=strict nodeset:cpuset!
  resource @resource
    partition #
    fibrechannel? appid!
  sysinfo*/.type=smbios type:smbios|fwcfg! @smbios
    bios?
      entry* name! #
    system?
      entry* name! #
    baseBoard*?
      entry* name! #
    chassis?
      entry* name! #
    oemStrings?
      entry* #
  sysinfo*/.type=fwcfg type:smbios|fwcfg!
    entry* name! file #
  sysinfo*/.type= type:smbios|fwcfg!
  bootloader? #
  bootloader_args? #
  os firmware:efi|bios @os
    type arch machine #
    init #
    initarg* #
    initenv* name! #
    initdir? #
    inituser? #
    initgroup? #
    firmware?
      feature* enabled:yesno! name:enrolled-keys|secure-boot!
    loader readonly:yesno secure:yesno type:rom|pflash stateless:yesno format:raw|qcow2 #
    nvram?/.type=file,block,dir,network,volume,nvme,vhostuser,vhostvdpa template templateFormat:raw|qcow2 \
        type:sourcetype format:raw|qcow2 @nvram
      &source
    nvram?/.type= template templateFormat:raw|qcow2 type:sourcetype format:raw|qcow2 #
    kernel? #
    initrd? #
    cmdline? #
    shim? #
    dtb? #
    root? #
    acpi?
      table* type:raw|rawset|slic|msdm! #
    boot* dev:fd|hd|cdrom|network!
    bootmenu? enable:yesno timeout:u @bootmenu
    bios? useserial:yesno rebootTimeout:i
    smbios mode:~none|emulate|host|sysinfo!
  idmap? @idmap
    uid* start:u! target:u! count:u!
    gid* start:u! target:u! count:u!
  features?
    acpi
    apic eoi:onoff
    pae
    hap state:onoff
    viridian
    privnet
    hyperv mode:custom|passthrough=custom
      relaxed &state
      vapic &state
      spinlocks &state retries:u @spinlocks
      vpindex &state
      runtime &state
      synic &state
      stimer &state
        direct &state
      reset &state
      vendor_id &state value @vendorid
      frequencies &state
      reenlightenment &state
      tlbflush &state
        direct &state
        extended &state
      ipi &state
      evmcs &state
      avic &state
      emsr_bitmap &state
      xmm_input &state
    kvm
      hidden &state
      hint-dedicated &state
      poll-control &state
      pv-ipi &state
      dirty-ring &state size:u @dirtyring
    pvspinlock state:onoff=on
    capabilities policy:default|allow|deny=default @capabilities
      audit_control &cap
      audit_write &cap
      block_suspend &cap
      chown &cap
      dac_override &cap
      dac_read_search &cap
      fowner &cap
      fsetid &cap
      ipc_lock &cap
      ipc_owner &cap
      kill &cap
      lease &cap
      linux_immutable &cap
      mac_admin &cap
      mac_override &cap
      mknod &cap
      net_admin &cap
      net_bind_service &cap
      net_broadcast &cap
      net_raw &cap
      setgid &cap
      setfcap &cap
      setpcap &cap
      setuid &cap
      sys_admin &cap
      sys_boot &cap
      sys_chroot &cap
      sys_module &cap
      sys_nice &cap
      sys_pacct &cap
      sys_ptrace &cap
      sys_rawio &cap
      sys_resource &cap
      sys_time &cap
      sys_tty_config &cap
      syslog &cap
      wake_alarm &cap
    pmu state:onoff=on
    vmport state:onoff=on
    gic version:host|2|3
    smm state:onoff=on @smm
      tseg unit #mem @scale::MiB:auto
    ioapic driver:kvm|qemu!
    hpt? resizing:enabled|disabled|required
      maxpagesize unit #mem @scale::B:KiB
    vmcoreinfo state:onoff=on
    htm &state
    nested-hv &state
    msrs unknown:ignore|fault!
    ccf-assist &state
    xen
      e820_host &state
      passthrough &state mode:sync_pt|share_pt @passthrough
    cfpc value:broken|workaround|fixed!
    sbbc value:broken|workaround|fixed!
    ibs value:broken|workaround|fixed|fixed-ibs|fixed-ccd|fixed-na!
    tcg?
      tb-cache unit #mem @scale::KiB:KiB
    async-teardown enabled:yesno=yes
    ras &state
    ps2 &state
    aia value:none|aplic|aplic-imsic!
  cpu mode:custom|host-model|host-passthrough|maximum match:minimum|exact|strict check:none|partial|full \
      migratable:onoff deprecated_features:onoff @cpu
    model fallback:allow|forbid vendor_id # @model
    vendor #
    topology sockets:positive! dies:positive=1 clusters:positive=1 cores:positive! threads:positive!
    cache? level:u mode:emulate|passthrough|disable!
    maxphysaddr mode:emulate|passthrough! bits:u limit:u @maxphysaddr
    feature* policy:force|require|optional|disable|forbid=require name!
    numa? @numa
      cell* id:u cpus:cpuset memory! unit=KiB memAccess:shared|private discard:yesno @scale:memory:KiB:KiB
        distances?
          sibling* id:u! value:u!
        cache* level:u! associativity:none|direct|full! policy:none|writeback|writethrough!
          size value:u! unit:kibibytes!
          line value:u! unit:bytes!
      interconnects?
        latency* initiator:u! target:u! cache:u type:access|read|write! value:u!
        bandwidth* initiator:u! target:u! cache:u type:access|read|write! value:u! unit=KiB @scale:value:KiB:KiB
  clock offset:utc|localtime|variable|timezone|absolute=utc adjustment basis:utc|localtime timezone start:u @clock
    timer* name:timername! present:yesno tickpolicy:delay|catchup|merge|discard track:clocktrack frequency:u \
        mode:auto|native|emulate|paravirt|smpsafe @timer
      catchup? threshold:u slew:u limit:u
  on_poweroff #action
  on_reboot #action
  on_crash #crash
  on_lockfailure #~default|poweroff|restart|pause|ignore
  pm?
    suspend-to-mem? enabled:yesno
    suspend-to-disk? enabled:yesno
  perf?
    event* name! enabled:yesno!
  devices
    emulator #
    &devices
  seclabel* type:none|dynamic|static model relabel:yesno @seclabel
    label #
    imagelabel @gone
    baselabel #
  keywrap?
    cipher* name:aes|dea! state:onoff!
  launchSecurity/.type=sev type:sev|sev-snp|s390-pv! kernelHashes:yesno
    &sev
    policy #hex4
    handle @gone
    dhCert #
    session #
  launchSecurity/.type=sev-snp type:sev|sev-snp|s390-pv! kernelHashes:yesno authorKey:yesno vcek:yesno
    &sev
    policy #hex8
    guestVisibleWorkarounds # @length:16
    idBlock # @length:96
    idAuth # @length:4096
    hostData # @length:32
  launchSecurity/.type=s390-pv type:sev|sev-snp|s390-pv!
  launchSecurity/.type= type:sev|sev-snp|s390-pv!

&sev
  cbitpos #u
  reducedPhysBits #u
"""
