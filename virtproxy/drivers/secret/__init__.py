# SPDX-License-Identifier: LGPL-2.1-or-later
"""The secret driver, what virtsecretd serves: passwords and keys of storage and guests, in libvirt's own files."""

from __future__ import annotations

from virtproxy.drivers.secret.driver import SecretDriver

__all__ = ["SecretDriver"]
