# SPDX-License-Identifier: LGPL-2.1-or-later
"""A made-up libvirt host for the tests of tools: a virtproxyd of one's own, in a private directory.

    from virtproxy.testing import fake_libvirt

    with fake_libvirt('[[guests]]\\nname = "web-{n}"\\ncount = 20\\n') as host:
        conn = libvirt.open(host.uri)

pytest's fixtures are in `plugin`. docs/fake-libvirt.md says what a scenario may hold.
"""

from __future__ import annotations

from virtproxy.testing.daemon import StartFailed
from virtproxy.testing.fake import FakeLibvirt, RequestRefused, fake_libvirt

__all__ = ["FakeLibvirt", "RequestRefused", "StartFailed", "fake_libvirt"]
