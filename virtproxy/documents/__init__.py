# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's XML documents as the drivers share them: parse, check, complete, format.

One module a kind of document, all on `markup`, which knows no element's meaning. Drivers and the SDK read and write
documents through it; nothing here knows a connection, a caller or a file of the host.
"""

from __future__ import annotations
