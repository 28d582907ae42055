# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents of pools and volumes: what is read is written again, filled in; the rest is compared with libvirt's own
in tests/drivers/storage.
"""

from __future__ import annotations

import pytest

from virtproxy.documents import storage_pool, storage_volume
from virtproxy.documents.storage import POOL_NUMBERS, POOL_TYPES, unit_factor
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

UUID = "11111111-2222-3333-4444-555555555555"
SECRET = "66666666-2222-3333-4444-555555555555"
FULL = f"""<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'>
  <name>n&amp;</name>
  <uuid>{UUID}</uuid>
  <capacity unit='bytes'>0</capacity>
  <allocation unit='bytes'>0</allocation>
  <available unit='bytes'>0</available>
  <features>
    <cow state='no'/>
  </features>
  <source>
    <host name='h' port='2049'/>
    <dir path='/x'/>
    <format type='nfs'/>
    <protocol ver='4.1'/>
    <vendor name='v'/>
    <product name='p'/>
  </source>
  <target>
    <path>/n</path>
    <permissions>
      <mode>0755</mode>
      <owner>1</owner>
      <group>2</group>
      <label>l</label>
    </permissions>
  </target>
  <fs:mount_opts>
    <fs:option name='sync'/>
  </fs:mount_opts>
</pool>
"""
ISCSI = f"""<pool type='iscsi'><name>i</name><source><host name='h'/><device path='iqn.x'/>
<auth type='chap' username='u'><secret uuid='{SECRET}'/></auth></source><target><path>/t</path></target></pool>"""


def test_a_whole_document_is_written_as_it_was_read() -> None:
    assert storage_pool.parse(FULL).format() == FULL


def test_a_state_is_read_as_it_was_written() -> None:
    document = storage_pool.parse(FULL)
    assert storage_pool.parse_state(document.format_state()) == document


def test_a_login_is_kept() -> None:
    shown = storage_pool.parse(ISCSI).format()
    assert f"<auth type='chap' username='u'>\n      <secret uuid='{SECRET}'/>\n    </auth>" in shown


def test_a_copy_is_another() -> None:
    document = storage_pool.parse(FULL)
    document.copy().source.hosts.clear()
    assert document.source.hosts == [("h", 2049)]


def test_types_have_libvirts_numbers() -> None:
    assert (POOL_NUMBERS["dir"], POOL_NUMBERS["iscsi"], POOL_NUMBERS["zfs"], POOL_NUMBERS["vstorage"]) == (0, 5, 12, 13)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("", 1), ("bytes", 1), ("k", 1024), ("KiB", 1024), ("KB", 1000), ("G", 1024**3), ("TB", 10**12), ("e", 1024**6)],
)
def test_units(unit: str, factor: int) -> None:
    assert unit_factor(unit) == factor


@pytest.mark.parametrize("unit", ["x", "kx", "kibi", "bb"])
def test_no_unit(unit: str) -> None:
    with pytest.raises(VirtError, match=f"unknown suffix '{unit}'"):
        unit_factor(unit)


def test_a_volume_is_filled_in_and_written() -> None:
    text = f"""<volume><name>v</name><capacity unit='MiB'>2</capacity><target><format type='qcow2'/>
    <encryption format='luks'><secret type='passphrase' uuid='{SECRET}'/>
    <cipher name='aes' size='256' mode='xts' hash='sha256'/><ivgen name='plain64'/></encryption>
    <features><lazy_refcounts/></features></target></volume>"""
    volume = storage_volume.parse(text, POOL_TYPES["dir"])
    assert (volume.capacity, volume.allocation, volume.has_allocation) == (2097152, 2097152, False)
    shown = volume.format()
    assert "    <compat>1.1</compat>\n    <features>\n      <lazy_refcounts/>\n    </features>" in shown
    assert "<cipher name='aes' size='256' mode='xts' hash='sha256'/>\n      <ivgen name='plain64'/>" in shown


def test_a_size_over_what_a_message_holds_is_refused() -> None:
    text = "<volume><name>v</name><capacity unit='E'>16</capacity></volume>"
    with pytest.raises(VirtError) as caught:
        storage_volume.parse(text, POOL_TYPES["dir"])
    assert caught.value.code == ErrorCode.OVERFLOW


@pytest.mark.parametrize(
    "text", ["<pool><!DOCTYPE x></pool>", "<pool", "<!DOCTYPE pool [<!ENTITY e 'x'>]><pool>&e;</pool>"]
)
def test_what_is_no_document_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(VirtError, match="at line 1"):
        storage_pool.parse(text)
