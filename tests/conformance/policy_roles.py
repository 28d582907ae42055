# SPDX-License-Identifier: LGPL-2.1-or-later
"""What each ready-made role may do, as commands of virsh: the table of docs/policy.md, and the host it is tried on.

`test_policy_roles.py` runs every command as a holder of every role. A row is: who may (the letters of ROLES, "-" where
one may not), a "?" if the host's drivers may be unable to do it, and the command. Commands run in this order; what they
are about is there whoever made it: for an owner, the owner.
"""

from __future__ import annotations

from dataclasses import dataclass

ROLES = {"v": "viewer", "o": "operator", "w": "owner", "a": "admin"}
UIDS = {"viewer": 61001, "operator": 61002, "owner": 61003, "admin": 61004, "stranger": 61005}
SECRET = "11111111-2222-4333-8444-555555555531"
NEW_SECRET = "11111111-2222-4333-8444-555555555532"

_TABLE = f"""
vowa  uri
vowa  hostname
vowa  version
vowa  nodeinfo
vowa  capabilities
vowa  maxvcpus
vowa  freecell
vowa  nodecpustats
vowa? sysinfo
---a  domcapabilities
---a  node-memory-tune --shm-pages-to-scan 100
---a? find-storage-pool-sources logical
vowa  list --all
vowa  domstats web
vowa  dominfo web
vowa  domstate web
vowa  domid web
vowa  domuuid web
vowa  dumpxml web
--wa  dumpxml --security-info web
vowa  domblklist web
vowa  domblkinfo web vda
vowa  domblkstat web vda
vowa  domiflist web
vowa  vcpuinfo web
vowa  vcpucount web
vowa  dommemstat web
vowa  domjobinfo web
-owa  suspend web
-owa  resume web
-owa  reset web
-owa  send-key web KEY_A
-owa  inject-nmi web
-owa  screenshot web /dev/null
-owa  reboot web
-owa  shutdown web
--wa? set-user-password web root secret
--wa? domtime web
--wa  setmem web 32M --live
--wa  setvcpus web 1 --config
--wa  autostart web
--wa  autostart --disable web
--wa  desc web --config changed
--wa  update-device web medium.xml
vowa  snapshot-list web
vowa  snapshot-dumpxml web old
--wa  snapshot-revert web old
--wa  snapshot-delete web old
--wa  blockresize web vda 8M
--wa  snapshot-create-as web new
-owa  start idle
-owa  managedsave idle
--wa  managedsave-dumpxml --security-info idle
-owa  destroy web
vowa  net-list --all
vowa  net-info lab
vowa  net-dumpxml lab
vowa  net-dhcp-leases lab
vowa  net-port-list lab
--wa  net-autostart lab
--wa  net-update lab add ip-dhcp-host medium-host.xml --config
-owa  net-destroy lab
-owa  net-start lab
vowa  pool-list --all
vowa  pool-info store
vowa  pool-dumpxml store
-owa  pool-refresh store
--wa  pool-autostart store
vowa  vol-list store
vowa  vol-info a.img --pool store
vowa  vol-dumpxml a.img --pool store
vowa  vol-path a.img --pool store
--wa  vol-create-as store b.img 1M
--wa  vol-clone a.img c.img --pool store
--wa  vol-resize a.img 2M --pool store
--wa  vol-download a.img /dev/null --pool store
--wa  vol-upload a.img /etc/hostname --pool store
--wa  vol-wipe a.img --pool store
--wa  vol-delete a.img --pool store
-owa  pool-destroy store
-owa  pool-start store
vowa  secret-list
vowa  secret-dumpxml {SECRET}
--wa  secret-set-value {SECRET} --file policy.toml --plain
--wa  secret-get-value {SECRET}
vowa  nwfilter-list
vowa  nwfilter-dumpxml calm
vowa  nodedev-list
vowa  nodedev-dumpxml computer
---a? nodedev-reset computer
vowa? iface-list
--wa  define new-guest.xml
--wa  create passing-guest.xml
--wa  net-define new-network.xml
--wa  pool-define new-pool.xml
--wa  secret-define new-secret.xml
--wa  nwfilter-define new-filter.xml
--wa  undefine web --snapshots-metadata
--wa  net-undefine lab
--wa  nwfilter-undefine calm
--wa  secret-undefine {SECRET}
"""


@dataclass(frozen=True)
class Row:
    """A command, the roles that may, and whether this host may be unable to do it."""

    command: str
    roles: frozenset[str]
    shaky: bool


def rows() -> list[Row]:
    """The table."""
    return [_row(line) for line in _TABLE.strip().splitlines()]


def _row(line: str) -> Row:
    cells, command = line[:5], line[5:].strip()
    return Row(command, frozenset(ROLES[letter] for letter in cells if letter in ROLES), "?" in cells)


def as_markdown() -> str:
    """The table as docs/policy.md has it."""
    heads = ["command of virsh", *ROLES.values()]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in rows():
        command = row.command.replace(SECRET, "UUID")
        cells = ["yes" if role in row.roles else "-" for role in ROLES.values()]
        lines.append(f"| `{command}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


POLICY = f"""
[[grant]]
to = "uid:{UIDS["viewer"]}"
roles = "viewer"
[[grant]]
to = "uid:{UIDS["operator"]}"
roles = "operator"
[[grant]]
to = ["uid:{UIDS["owner"]}", "uid:{UIDS["stranger"]}"]
roles = "owner"
# What belongs to nobody and is only looked at.
[[grant]]
to = "uid:{UIDS["owner"]}"
permissions = ["node_device:getattr", "node_device:read", "interface:getattr", "network_port:getattr"]
[[grant]]
to = "uid:{UIDS["admin"]}"
roles = "admin"
[[documents]]
to = "uid:{UIDS["owner"]}"
disks = "/var/lib/libvirt/store/*"
networks = "lab"
bridges = "virbr*"
host_interfaces = "ip:192.168.*/255.255.255.0"
pool_targets = ["/var/lib/libvirt/store", "/var/lib/libvirt/other"]
"""


def _guest(name: str, number: int, devices: str = "") -> str:
    return f"""
<domain type='qemu'>
  <name>{name}</name>
  <uuid>11111111-2222-4333-8444-5555555556{number:02}</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu current='1'>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>{devices}</devices>
</domain>
"""


_DEVICES = """
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/libvirt/store/web.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
    <interface type='network'><source network='lab'/><model type='virtio'/></interface>
    <serial type='pty'/>
    <video><model type='vga'/></video>
"""


def _network(name: str, number: int) -> str:
    return f"""
<network>
  <name>{name}</name>
  <bridge name='virbr{number}'/>
  <ip address='192.168.{number}.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.{number}.100' end='192.168.{number}.199'/></dhcp>
  </ip>
</network>
"""


FILES = {
    "policy.toml": POLICY,
    "web.xml": _guest("web", 1, _DEVICES),
    "idle.xml": _guest("idle", 4),
    "new-guest.xml": _guest("new", 2),
    "passing-guest.xml": _guest("passing", 3),
    "lab.xml": _network("lab", 77),
    "new-network.xml": _network("new", 78),
    "store.xml": "<pool type='dir'><name>store</name><target><path>/var/lib/libvirt/store</path></target></pool>",
    "new-pool.xml": "<pool type='dir'><name>new</name><target><path>/var/lib/libvirt/other</path></target></pool>",
    "secret-old.xml": f"<secret><uuid>{SECRET}</uuid><usage type='volume'><volume>/one</volume></usage></secret>",
    "new-secret.xml": f"<secret><uuid>{NEW_SECRET}</uuid><usage type='volume'><volume>/two</volume></usage></secret>",
    "calm.xml": "<filter name='calm'><rule action='accept' direction='inout'/></filter>",
    "new-filter.xml": "<filter name='new'><rule action='accept' direction='inout'/></filter>",
    "medium.xml": "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>",
    "medium-host.xml": "<host mac='52:54:00:aa:bb:09' ip='192.168.77.9'/>",
}

# Makes everything that the table is about.
MAKE = """
pool-define store.xml
pool-start store
vol-create-as store web.qcow2 4M --format qcow2
vol-create-as store a.img 1M
net-define lab.xml
net-start lab
secret-define secret-old.xml
nwfilter-define calm.xml
define web.xml
start web
snapshot-create-as web old
define idle.xml
"""

# Takes everything away again, whether it is there or not.
CLEAR = f"""
destroy web
undefine web --snapshots-metadata
destroy idle
undefine idle --managed-save
undefine new
destroy passing
net-destroy lab
net-undefine lab
net-undefine new
vol-delete a.img --pool store
vol-delete b.img --pool store
vol-delete c.img --pool store
vol-delete web.qcow2 --pool store
pool-destroy store
pool-undefine store
pool-undefine new
secret-undefine {SECRET}
secret-undefine {NEW_SECRET}
nwfilter-undefine calm
nwfilter-undefine new
"""
