# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit: who did what, one line each, chained by hashes, written before the answer leaves the daemon.

``chain`` and ``text`` make lines, ``arguments`` and ``documents`` say what of a call may be in one, ``logfile`` writes
the file and ``recorder`` decides what happens when it cannot; ``files``, ``verify`` and ``choose`` read it. The stage
that sees the calls is ``routing.rules.audit``, the daemon's part ``daemon.audit_log``.
"""

from __future__ import annotations
