# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a network; `NetworkDocument` is its model, and `update` changes a part of it."""

from __future__ import annotations

from virtproxy.documents.network.model import NetworkDocument, parse

__all__ = ["NetworkDocument", "parse"]
