# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents that are meant to harm: refused, or taken, within bounds of time and memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, SIZE_MAX
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

# What any document may take: a client waits as long, and so do the others. Generous, for a busy machine.
SECONDS = 8.0
BYTES = 192 << 20

HEAD = "<domain type='test'><name>h</name><memory>65536</memory><vcpu>4</vcpu><os><type>hvm</type></os>"
NAMES = [f"vd{a}{b}{c}" for a in "abcdefghij" for b in "abcdefghijklmnopqrstuvwxyz" for c in "abcdefghijklmnopqrst"]


def domain(inner: str = "", devices: str = "") -> str:
    """A domain with something in it."""
    return f"{HEAD}{inner}<devices>{devices}</devices></domain>"


def disks(count: int, bus: str = "") -> str:
    """That many disks, in the worst order."""
    target = "<disk><source file='/x'/><target dev='{}'{}/></disk>"
    return "".join(target.format(name, f" bus='{bus}'" if bus else "") for name in reversed(NAMES[:count]))


ENTITIES = "".join(f"<!ENTITY e{at} '&e{at - 1};&e{at - 1};'>" for at in range(1, 40))
MALFORMED = {
    "entities": f"<!DOCTYPE d [<!ENTITY e0 'x'>{ENTITIES}]>" + domain("<title>&e39;</title>"),
    "an entity of a file": "<!DOCTYPE d [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>" + domain("<title>&f;</title>"),
    "a declaration of elsewhere": "<!DOCTYPE d SYSTEM 'http://192.0.2.1/d.dtd'>" + domain(),
    "an entity that is not declared": domain("<title>&nothing;</title>"),
    "depth": domain("<metadata>" + "<a>" * 500_000),
    "size": domain("<description>" + "x" * SIZE_MAX + "</description>"),
    "elements": domain("<metadata>" + "<a/>" * (ELEMENTS_MAX + 1) + "</metadata>"),
    "attributes": domain("<metadata a='1'" + "".join(f" a{at}=''" for at in range(ATTRIBUTES_MAX + 1)) + "/>"),
    "an attribute twice": domain("<metadata a='1' a='2'/>"),
    "two roots": domain() + domain(),
    "a null": domain("<title>\0</title>"),
    "half a character": domain("<title>\udce4</title>"),
    "a lone surrogate": domain("<title>\ud800</title>"),
    "UTF-16 that is none": "<?xml version='1.0' encoding='UTF-16'?>" + domain(),
    "an encoding that is none": "<?xml version='1.0' encoding='no-such'?>" + domain(),
}
IMPOSSIBLE = {
    "threads": domain("<iothreads>4294967295</iothreads>"),
    "vCPUs": domain().replace(">4<", ">4294967295<"),
    "a list of CPUs": domain("<cputune><vcpupin vcpu='0' cpuset='0-99999999999'/></cputune>"),
    "schedulers": domain("<cputune>" + "<vcpusched vcpus='0-16000' scheduler='batch'/>" * 5000 + "</cputune>"),
    "schedulers of many kinds": domain(
        "<cputune>"
        + "".join(f"<vcpusched vcpus='0-{at + 9000}' scheduler='batch'/>" for at in range(5000))
        + "</cputune>"
    ),
    "controllers by address": domain(
        devices="<disk><source file='/x'/><target dev='sda'/><address type='drive' controller='4294967295'/></disk>"
    ),
    "controllers by name": domain(devices="<disk><source file='/x'/><target dev='sdzzzzzzzzzz'/></disk>"),
    "NUMA cells": domain("<cpu><numa>" + "<cell memory='1'><distances/></cell>" * 5000 + "</numa></cpu>"),
    "a number": domain("<memtune><hard_limit>" + "9" * 100_000 + "</hard_limit></memtune>"),
}
HOSTDEV = "<hostdev type='scsi'><source><adapter name='a'/><address bus='0' target='0' unit='0'/></source></hostdev>"
HUGE = {
    "disks": domain(devices=disks(5000)),
    "disks on a bus": domain(devices=disks(5000, "usb")),
    "controllers": domain(devices="".join(f"<controller type='scsi' index='{at}'/>" for at in range(9000, 0, -1))),
    "controllers without a number": domain(devices="<controller type='scsi'/>" * 9000),
    "interfaces": domain(devices="<interface type='user'/>" * 5000),
    "consoles": domain(devices="<console><target type='virtio'/></console>" * 5000),
    "serial ports": domain(devices="<serial><target type='isa-serial'/></serial>" * 5000),
    "host devices": domain(devices=HOSTDEV * 4000),
    "pins": domain("<cputune>" + "".join(f"<vcpupin vcpu='{at}' cpuset='0'/>" for at in range(30_000)) + "</cputune>"),
    "NUMA cells": domain("<cpu><numa>" + "<cell memory='1'><distances/></cell>" * 200 + "</numa></cpu>"),
    "metadata": domain("<metadata>" + "<a b='c'>d</a>" * 40_000 + "</metadata>"),
    "text": domain("<description>" + "&amp;" * 400_000 + "</description>"),
    "text in pieces": domain("<description>" + "a<!-- -->" * 300_000 + "</description>"),
    "boot devices": domain().replace("</type>", "</type>" + "<boot dev='hd'/>" * 20_000),
}


def measured(text: str) -> VirtError | None:
    """Read and write the document within the bounds; the error if it is refused."""
    tracemalloc.start()
    started = time.monotonic()
    error = None
    try:
        DomainDocument(text).format()
    except VirtError as refusal:
        error = refusal
    spent, peak = time.monotonic() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spent < SECONDS
    assert peak < BYTES
    return error


@pytest.mark.parametrize("what", MALFORMED)
def test_what_no_parser_should_take_is_refused(what: str) -> None:
    error = measured(MALFORMED[what])
    assert error is not None
    assert error.code == ErrorCode.XML_DETAIL
    assert len(error.message or "") < 1000


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_no_machine_can_have_is_refused(what: str) -> None:
    assert measured(IMPOSSIBLE[what]) is not None


@pytest.mark.parametrize("what", HUGE)
def test_what_is_merely_large_takes_no_more_than_its_size(what: str) -> None:
    assert measured(HUGE[what]) is None


def test_depth_may_be_used_up() -> None:
    depth = DEPTH_MAX - 2
    text = domain("<metadata>" + "<a>" * depth + "</a>" * depth + "</metadata>")
    assert DomainDocument(text).format().count("<a>") == depth - 1
