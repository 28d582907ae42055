# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pretended host says of itself in XML: capabilities and system information.

A host of two NUMA cells with eight CPUs each, as clients know it from libvirt's own test driver.
"""

from __future__ import annotations

_CELL_SIZES = ((2097152, 4), (4194304, 8))
_PAGES = (4, 8, 2048, 1048576)
_CPUS_IN_CELL = 8


def _cpu(cell: int, core: int) -> str:
    id = cell * _CPUS_IN_CELL + core
    place = f"socket_id='{cell}' die_id='0' cluster_id='0' core_id='{core}'"
    return f"            <cpu id='{id}' {place} siblings='{id}'/>"


def _cell(number: int, kib: int, page: int) -> str:
    cpus = "\n".join(_cpu(number, core) for core in range(_CPUS_IN_CELL))
    return f"""\
        <cell id='{number}'>
          <memory unit='KiB'>{kib}</memory>
          <pages unit='KiB' size='{page}'>{kib // page}</pages>
          <pages unit='KiB' size='2048'>0</pages>
          <pages unit='KiB' size='1048576'>0</pages>
          <cpus num='{_CPUS_IN_CELL}'>
{cpus}
          </cpus>
        </cell>"""


def _guest(os_type: str) -> str:
    return f"""
  <guest>
    <os_type>{os_type}</os_type>
    <arch name='i686'>
      <wordsize>32</wordsize>
      <emulator>/usr/bin/test-hv</emulator>
      <domain type='test'/>
    </arch>
    <features>
      <pae/>
      <nonpae/>
    </features>
  </guest>
"""


def _capabilities() -> str:
    pages = "\n".join(f"      <pages unit='KiB' size='{size}'/>" for size in _PAGES)
    cells = "\n".join(_cell(number, *size) for number, size in enumerate(_CELL_SIZES))
    return f"""\
<capabilities>

  <host>
    <cpu>
      <arch>i686</arch>
      <features>
        <pae/>
        <nonpae/>
      </features>
{pages}
    </cpu>
    <power_management/>
    <iommu support='no'/>
    <topology>
      <cells num='{len(_CELL_SIZES)}'>
{cells}
      </cells>
    </topology>
    <secmodel>
      <model>testSecurity</model>
      <doi></doi>
    </secmodel>
  </host>
{_guest("hvm")}{_guest("xen")}
</capabilities>
"""


CAPABILITIES = _capabilities()

SYSINFO = """\
<sysinfo type='smbios'>
  <bios>
    <entry name='vendor'>LENOVO</entry>
    <entry name='version'>G4ETA1WW (2.61 )</entry>
    <entry name='date'>05/07/2014</entry>
    <entry name='release'>2.61</entry>
  </bios>
</sysinfo>
"""

DOMAIN_CAPABILITIES = """\
<domainCapabilities>
  <domain>test</domain>
  <arch>i686</arch>
  <cpu>
    <mode name='host-passthrough' supported='no'/>
    <mode name='maximum' supported='no'/>
    <mode name='host-model' supported='no'/>
    <mode name='custom' supported='no'/>
  </cpu>
  <devices>
  </devices>
  <features>
    <sev supported='no'/>
    <sgx supported='no'/>
  </features>
</domainCapabilities>
"""
