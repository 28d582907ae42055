# SPDX-License-Identifier: LGPL-2.1-or-later
"""Filters, bindings, ports of networks and capabilities, at a real libvirtd: documents and errors are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lab import Lab, lab
from virtproxy.documents import attached, capabilities, nwfilter
from virtproxy.drivers.test.capabilities import CAPABILITIES
from virtproxy.errors import VirtError

UUID = "<uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>"
OWNER = "<owner><name>g</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>"
MAC, DEVICE, REF = "<mac address='52:54:00:7B:35:93'/>", "<portdev name='v'/>", "<filterref filter='root'/>"
RULES = (
    "<rule action='accept' direction='in' priority='5' statematch='0'>"
    "<mac match='no' srcmacaddr='1:02:3:04:5:06' protocolid='arp' comment=\"it's\"/></rule>",
    "<rule action='drop' direction='inout'/>",
    "<rule action='reject' direction='out'><tcp srcipaddr='10.1.2.3' srcipmask='255.255.255.0' dscp='2' "
    "state='NEW,ESTABLISHED' dstportstart='0x100' dstportend='1111' flags='SYN/ALL'/></rule>",
    "<rule action='accept' direction='in' priority='9999'><ipv6 srcipaddr='::1' protocol='udp'/></rule>",
    "<filterref filter='root'><parameter name='IP' value='1.2.3.4'/></filterref>",
)
FILTERS = [
    "<filter name='root'/>", "<filter name='p' chain='root' priority='3'/>", "<filter name='q' chain='arp'/>",
    "<filter name='s' chain='ipv4-x'/>", f"<filter name='rules' chain='mac' priority='-5'>{''.join(RULES)}</filter>",
    "<filter/>", "<filter name='a' chain='x'/>", "<filter name='a' priority='x'/>",
    "<filter name='a' priority='5000'/>", "<filter name='a'><rule direction='in'/></filter>",
    "<filter name='a'><rule action='drop'/></filter>", "<filter name='a'><rule action='x' direction='in'/></filter>",
    "<filter name='a'><rule action='drop' direction='x'/></filter>", "<filter name='a'><filterref/></filter>", "<x/>",
    "<filter name='a'><uuid>zz</uuid></filter>",
]  # fmt: skip
BINDINGS = [
    OWNER + REF + MAC + DEVICE, "", DEVICE + MAC + REF, f"<owner/>{DEVICE}{MAC}{REF}",
    f"<owner><name>a</name></owner>{DEVICE}{MAC}{REF}", OWNER.replace("d54", "zz") + DEVICE + MAC + REF,
    OWNER + MAC + REF, OWNER + DEVICE + REF, f"{OWNER}{DEVICE}<mac address='x'/>{REF}", OWNER + DEVICE + MAC,
]  # fmt: skip
PORTS = [
    f"<plug type='none'/>{MAC}{OWNER}{UUID}<rxfilters trustGuest='yes'/>", "", UUID, f"{UUID}<owner/>",
    f"{UUID}<owner><name>a</name></owner>", UUID + OWNER, f"{UUID}{OWNER}<mac address='x'/>", "<uuid>zz</uuid>",
    *(f"{UUID}{OWNER}{MAC}<plug type='{kind}'/>" for kind in ("x", "bridge", "network", "direct", "hostdev-pci")),
    f"{UUID}{OWNER}{MAC}<rxfilters trustGuest='x'/>", UUID + OWNER.replace("d54", "zz"),
]  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    with lab() as made:
        made.libvirtd()
        yield made


def virsh(host: Lab, *words: str | Path) -> tuple[str, str]:
    """What a command writes, and the last of its errors."""
    done = host.run("virsh", "-q", "-c", "qemu:///system", *words, check=False)
    errors = done.stderr.strip().splitlines()
    return done.stdout, errors[-1].removeprefix("error: ") if errors else ""


def message(error: pytest.ExceptionInfo[VirtError]) -> str:
    return error.value.message or ""


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("libvirtd", "virsh")
def test_filters_are_libvirts(host: Lab) -> None:
    for xml in FILTERS:
        _, complaint = virsh(host, "nwfilter-define", host.write("f.xml", xml))
        if complaint:
            with pytest.raises(VirtError) as refused:
                nwfilter.parse(xml)
            assert message(refused) == complaint
            continue
        document = nwfilter.parse(xml)
        theirs = virsh(host, "nwfilter-dumpxml", document.name)[0].rstrip("\n") + "\n"
        assert nwfilter.parse(theirs).format() == theirs
        assert re.sub("<uuid>.*<", "<", document.format()) == re.sub("<uuid>.*<", "<", theirs)


@pytest.mark.programs("libvirtd")
def test_the_filters_that_libvirt_brings_are_read_and_written() -> None:
    files = list(Path("/etc/libvirt/nwfilter").glob("*.xml"))
    assert files
    for file in files:
        document = nwfilter.parse(file.read_text())
        assert nwfilter.parse(document.format()).format() == document.format()
        assert set(document.references) == set(re.findall("filterref filter='(.*?)'", file.read_text()))


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("libvirtd", "virsh")
def test_bindings_are_libvirts(host: Lab) -> None:
    virsh(host, "nwfilter-define", host.write("f.xml", "<filter name='root'/>"))
    for inside in BINDINGS:
        xml = f"<filterbinding>{inside}</filterbinding>"
        _, complaint = virsh(host, "nwfilter-binding-create", host.write("b.xml", xml))
        if complaint:
            with pytest.raises(VirtError) as refused:
                attached.parse_binding(xml)
            assert message(refused) == complaint
            continue
        document = attached.parse_binding(xml)
        assert document.format() == virsh(host, "nwfilter-binding-dumpxml", document.port_device)[0].rstrip("\n") + "\n"
        assert (document.port_device, document.owner[0]) == ("v", "g")


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("libvirtd", "virsh")
def test_ports_of_networks_are_libvirts(host: Lab) -> None:
    network = "<network><name>b</name><forward mode='bridge'/><bridge name='lo'/></network>"
    virsh(host, "net-define", host.write("n.xml", network))
    virsh(host, "net-start", "b")
    for inside in PORTS:
        xml = f"<networkport>{inside}</networkport>"
        _, complaint = virsh(host, "net-port-create", "b", host.write("p.xml", xml))
        if complaint:
            with pytest.raises(VirtError) as refused:
                attached.parse_port(xml)
            assert message(refused) == complaint
            continue
        theirs = virsh(host, "net-port-dumpxml", "b", "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d")[0].rstrip("\n") + "\n"
        assert attached.parse_port(theirs).format() == theirs
        assert attached.parse_port(xml).uuid == attached.parse_port(theirs).uuid


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("libvirtd", "virsh")
def test_capabilities_are_written_as_they_were(host: Lab) -> None:
    theirs = virsh(host, "capabilities")[0].rstrip("\n") + "\n"
    document = capabilities.parse(theirs)
    assert document.copy().format() == theirs
    assert ("hvm", "x86_64") in [guest[:2] for guest in document.guests]
    theirs = virsh(host, "domcapabilities")[0].rstrip("\n") + "\n"
    emulator = capabilities.parse_domain(theirs)
    assert emulator.copy().format() == theirs
    assert emulator.supports("os/loader")
    assert emulator.values("os/loader", "type") == ["rom", "pflash"]


def test_the_pretended_hosts_capabilities_are_written_as_they_were() -> None:
    document = capabilities.parse(CAPABILITIES)
    assert document.format() == CAPABILITIES
    assert document.guests == [("hvm", "i686", ["test"]), ("xen", "i686", ["test"])]


def test_what_a_rule_says_of_a_packet_is_kept() -> None:
    xml = "<filter name='a'><rule action='drop' direction='in'><udp srcipmask='255.0.255.0' odd='1'/></rule></filter>"
    assert "<udp srcipmask='255.0.255.0' odd='1'/>" in nwfilter.parse(xml).format()
