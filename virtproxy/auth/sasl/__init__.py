# SPDX-License-Identifier: LGPL-2.1-or-later
"""SASL on Cyrus libsasl2: logins, security layers, and the users of its database."""

from __future__ import annotations
