# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the test driver's answers about domains differ from the C driver's, by section and call, with the reason.

The comparing tests fail when anything else differs, and when something listed does not. docs/differences.md tells
the same to people.
"""

from __future__ import annotations

PARSER = "the text is the XML parser's own, and ours is another parser"
POLLING = "the C driver fails without a reason for an I/O thread that was defined, and knows only those added later"
EMPTY = "an element without anything in it is written shorter"
STARTED = "the C driver says that it has started the domain, and has not"
SECRET = "the C driver shows the passwords in a saved image without the flag that asks for them"
TWICE = "the C driver takes one device of the host twice"
CPU_MODELS = "which model fits several CPUs is not computed"

CALLS = {
    'iothreads: x.setIOThreadParams(2, {"poll_max_ns": 5, "poll_grow": 4, "poll_shrink": 3}, 1)': POLLING,
    'iothreads: x.setIOThreadParams(2, {"poll_max_ns": 1 << 40}, 1)': POLLING,
    'iothreads: x.setIOThreadParams(2, {"poll_max": 5}, 1)': POLLING,
    'iothreads: x.setIOThreadParams(2, {"poll_max_ns": 7})': POLLING,
    'iothreads: x.setIOThreadParams(2, {"thread_pool_min": 1, "thread_pool_max": 4}, 1)': POLLING,
    "iothreads: sorted(conn.domainListGetStats([x], 0, 0)[0][1].items())": POLLING,
    "iothreads: sorted(conn.domainListGetStats([x], 128, 0)[0][1].items())": POLLING,
    "interface and block tuning: dom.XMLDesc(0)'": EMPTY,
    "devices and tuning again: dom.XMLDesc(0)": EMPTY,
    """metadata: x.setMetadata(2, "<a x='1'", "m", "urn:m", 2)""": PARSER,
    'metadata: x.setMetadata(2, "text", "m", "urn:m", 2)': PARSER,
    'snapshots: dom.snapshotCreateXML("<domainsnapshot")': PARSER,
    'checkpoints: dom.checkpointCreateXML("<domaincheckpoint")': PARSER,
    "guest agent: contents(s0)": "the picture is another one",
    'start and stop: conn.baselineCPU(["<cpu><arch>x86_64</arch><model>Penryn</model></cpu>"], 0)': CPU_MODELS,
    'start and stop: conn.baselineCPU(["<cpu/>"], 0)': CPU_MODELS,
    "devices: x.attachDeviceFlags(HOSTDEV, 1)": TWICE,
    "devices: x.XMLDesc()'": TWICE,
    "reverting to a stopped moment: dom.state()": STARTED,
    "reverting to a stopped moment: dom.state()'": STARTED,
    "reverting to a stopped moment: reverting to a stopped moment events": STARTED,
    'passwords in documents: conn.saveImageGetXMLDesc("<tmp>/x", 0)': SECRET,
    "devices: x.attachDeviceFlags(MDEV, 1)": "the C driver has no word for the type",
}

# The lab's libvirtd has its own list of CPU models; ours reads that of the system.
CALLS_OF_11_3 = {
    'start and stop: conn.getCPUModelNames("x86_64")': "the list is that of the libvirt that is installed",
    'start and stop: conn.getCPUModelNames("i686")': "the list is that of the libvirt that is installed",
}
# What changed between 9.0.0 and 11.3.0, whose interface is presented.
NEWER_SECTIONS = {"notes on networks", "devices", "devices and tuning again", "iothreads", "polling of iothreads"}
CALLS_OF_9_0 = {
    'start and stop: conn.getCPUModelNames("riscv64")': "libvirt knows the architecture now",
    "guest agent: dom.securityLabelList()": "libvirtd 9.0.0 fails without a reason",
    "guest agent: dom.messages(4)": "there is a third kind of messages",
}

# The same for virsh's commands.
COMMANDS: dict[str, str] = {
    "notes on networks: net-desc default --config --new-desc later": "C fails without a reason while it runs",
    "notes on networks: net-desc default --config": "C fails without a reason while it runs",
    "notes on networks: net-metadata default u:x'": "C sets elements without text on lines of their own",
    "notes on networks: net-dumpxml default": "C sets elements without text on lines of their own",
}
COMMANDS_OF_9_0: dict[str, str] = {}

# The same for networks, interfaces, pools, volumes and devices.
JUDGE = "the words are those of libxml2, of which lxml brings another version"
NAMED = "errors in documents named the kind of document"
NOT_YET = "new since then"
OBJECT_CALLS = {
    'devices: conn.nodeDeviceCreateXML(device("scsi_host1", more=PORT.format(WWNN, WWPN)), 1)': JUDGE,
    'devices: conn.nodeDeviceLookupSCSIHostByWWN("2000000012341234", "1000000012341234")': "the C driver has none",
}
OBJECT_CALLS_OF_9_0 = {
    'devices: conn.nodeDeviceCreateXML("")': NAMED,
    "devices: d.XMLDesc(1)": NOT_YET,
    "devices: d.isActive()": NOT_YET,
    "devices: d.isPersistent()": NOT_YET,
    "devices: p.isActive()": NOT_YET,
    "devices: p.isPersistent()": NOT_YET,
    'interfaces: conn.interfaceDefineXML("")': NAMED,
    'networks made and defined: conn.networkDefineXML("")': NAMED,
    """networks updated: n.update(1, 10, -1, "<host ip='10.0.0.5'><hostname>x</hostname></host>")""": NOT_YET,
    """networks updated: n.update(1, 11, -1, "<txt name='q' value='y'/>")""": NOT_YET,
    'networks updated: n.update(3, 11, -1, "")': NAMED,
    'pools made and defined: conn.storagePoolDefineXML("")': NAMED,
    'volumes: p.createXML("")': NAMED,
}
