# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvirtd reads out of a document is never more than what the proxy reads out of it.

Documents that are written to be read differently are defined at C libvirtd; whatever it then has of the host must be
among the claims of the document as it was sent.
"""

from __future__ import annotations

import json
from random import Random

import pytest

from tests.conformance.labs import furnished, script
from tests.support.lab import fetched_tree
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.reader import read

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

DOCUMENTS = 1000
GUEST = (
    "<domain type='qemu'{space}><name>g</name><memory>16384</memory><os><type arch='x86_64' machine='pc'>hvm</type>{os}"
    "</os><devices>{devices}</devices>{more}</domain>"
)
# Written once, in a foreign namespace, in pieces, twice, or where it does not belong.
ATTRIBUTES = ("file='/{}'", "dev='/{}'", "f:file='/{}'", "file='&#x2f;{}'", "dir='/{}'", "file='{}'", "file=' /{}'")
SOURCES = (
    "<source {}/>", "<f:source {}/>", "<source xmlns='urn:x' {}/>", "<source {}><!-- x --></source>",
    "<source><source {}/></source>", "<backingStore type='file'><format type='raw'/><source {}/></backingStore>",
    "<mirror type='file'><source {}/></mirror>",
    "<source {}><dataStore type='file'><format type='raw'/></dataStore></source>",
)  # fmt: skip
TYPES = ("file", "block", "dir", "network", "volume")
OTHER = (
    "<serial type='file'><source path='/{0}'/><source path='/{1}'/></serial>",
    "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='7{2}'/></serial>",
    "<serial type='udp'><source mode='connect' host='h{0}' service='7{2}'/>"
    "<source host='i{1}' service='8{2}'/></serial>",
    "<channel type='unix'><source mode='bind' path='/{0}'/><target type='virtio' name='n'/></channel>",
    "<interface type='bridge'><source bridge='b{0}'/><source bridge='c{1}'/><source network='n{2}'/></interface>",
    "<interface type='network'><source bridge='b{0}' network='n{1}'/></interface>",
    "<interface type='direct'><source dev='d{0}'/></interface>",
    "<f:interface type='bridge'><source bridge='b{0}'/></f:interface>",
    "<filesystem><source dir='/{0}'/><target dir='t'/></filesystem>",
    "<rng model='virtio'><backend model='random'>/dev/<!-- -->random</backend></rng>",
    "<hostdev mode='subsystem' type='pci'><source><address bus='0x{2}' slot='{3}' function='0x0'/></source></hostdev>",
    "<hostdev mode='subsystem' type='usb'><source><vendor id='0x{0}'/><product id='{3}'/></source></hostdev>",
    "<graphics type='vnc' port='59{2}' listen='127.0.0.{3}'/>",
    "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm{3}'/></backend></tpm>",
    "<emulator>/usr/bin/qemu-system-x86_64</emulator>",
)
BOOT = ("", "<kernel>/{0}</kernel>", "<f:kernel>/{0}</f:kernel>", "<kernel>/{0}<!-- -->/{1}</kernel>",
        "<kernel><![CDATA[/{0}]]></kernel>", "<kernel>/a</kernel><kernel>/{0}</kernel>", "<dtb>/{0}</dtb>")  # fmt: skip
MORE = ("", "<seclabel type='none'/>", "<sysinfo type='fwcfg'><entry name='opt/x' file='/{0}'/></sysinfo>",
        "<devices><disk><source file='/{0}'/><target dev='vdx'/></disk></devices>",
        "<resource><partition>/{0}</partition></resource>",
        "<metadata><disk><source file='/{0}'/></disk></metadata>")  # fmt: skip
# libvirt adds them itself.
ADDED = {"emulator /usr/bin/qemu-system-x86_64", "listen 127.0.0.1:*"}


def document(random: Random) -> str:
    """A guest that is hard to read."""

    def filled(text: str) -> str:
        words = [f"{random.randrange(16**4):x}" for _ in range(2)]
        return text.format(*words, random.randint(10, 31), random.choice(("1", "7", "0x5", "010")))

    devices = []
    for number in range(random.randint(1, 2)):
        parts = [filled(source.format(filled(random.choice(ATTRIBUTES)))) for source in random.choices(SOURCES, k=2)]
        parts += [f"<target dev='vd{'abc'[number]}' bus='virtio'/>", "<driver name='qemu' type='raw'/>"]
        random.shuffle(parts)
        kind = random.choice(TYPES) if random.random() < 0.2 else "file"
        devices.append(f"<disk type='{kind}'>{''.join(parts[random.random() < 0.5 :])}</disk>")
    devices += [filled(other) for other in random.choices(OTHER, k=random.randint(0, 1))]
    random.shuffle(devices)
    space = " xmlns:f='urn:x'" + (" xmlns='urn:y'" if random.random() < 0.02 else "")
    return GUEST.format(
        space=space, devices="".join(devices), os=filled(random.choice(BOOT)), more=filled(random.choice(MORE))
    )


def claimed(text: str) -> set[str]:
    return {f"{claim.kind} {claim.value}" for claim in read(text, "domain").claims}


@pytest.mark.parametrize("version", ["9.0", "11.3"])
def test_libvirt_reads_no_more_than_the_proxy(version: str) -> None:
    random = Random(f"documents {version}")
    sent = [document(random) for _ in range(DOCUMENTS)]
    with furnished(None if version == "9.0" else fetched_tree()) as lab:
        lab.libvirtd()
        file = lab.write("documents.json", json.dumps(sent))
        argv, environment = script("defining", str(file))
        answers = json.loads(lab.run(*argv, env=environment, timeout=90).stdout)
    understood = 0
    for text, answer in zip(sent, answers, strict=True):
        try:
            ours = claimed(text)
        except DocumentError:
            continue
        if answer is not None:
            understood += 1
            assert claimed(answer) <= ours | ADDED, (text, answer)
    assert understood > DOCUMENTS / 10
