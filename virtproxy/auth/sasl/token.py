# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a client's first token of GSSAPI is one that libsasl2's plugin can be given.

``login`` asks. The plugin (2.1.28, with MIT's Kerberos 1.20) crashes on a token of another kind than Kerberos's
request: the library answers it with "go on" and without a context, and the plugin uses the context. So anybody could
end a daemon. Nothing here looks into the request itself.
"""

from __future__ import annotations

# RFC 2743, 3.1: [APPLICATION 0]; then Kerberos 5 (1.2.840.113554.1.2.2) and, of RFC 4121, 4.1, the request's kind.
_TAG = 0x60
_KERBEROS_REQUEST = bytes.fromhex("06092a864886f7120102020100")


def is_kerberos_request(token: bytes) -> bool:
    """Whether `token` is, from end to end, a framed request of Kerberos (AP-REQ)."""
    if len(token) < 2 or token[0] != _TAG:
        return False
    size, start = token[1], 2
    if size & 0x80:
        # DER: as few bytes as will do, and no token has more than the protocol lets through.
        start = 2 + (size & 0x7F)
        size = int.from_bytes(token[2:start], "big")
        if not 3 <= start <= 5 or size < 0x80 or token[2] == 0:
            return False
    return len(token) == start + size and token[start:].startswith(_KERBEROS_REQUEST)
