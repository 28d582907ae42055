# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of a domain document's elements, in libvirt's order and with what their values may be."""

from __future__ import annotations

from virtproxy.documents.domain.tables.characters import CHARACTERS
from virtproxy.documents.domain.tables.common import COMMON
from virtproxy.documents.domain.tables.desktop import DESKTOP
from virtproxy.documents.domain.tables.guest import GUEST
from virtproxy.documents.domain.tables.network import NETWORK
from virtproxy.documents.domain.tables.others import OTHERS
from virtproxy.documents.domain.tables.storage import STORAGE

TABLES = (GUEST, COMMON, STORAGE, NETWORK, CHARACTERS, DESKTOP, OTHERS)
