# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files that a client names in a URI, and who may name one.

The daemon reads them with its own rights, and tells in an error what it stumbled over. So nobody may have one read
who could not read it without the daemon: only a local process of the daemon's own user, or of root. It must never
open a file for anyone else, and never block on one.
"""

from __future__ import annotations

import os
import stat

from virtproxy.driver import ErrorCode, ErrorDomain, Identity, VirtError, system_error

# A host of 10,000 guests is 20 MiB.
SIZE_MAX = 64 << 20


def check_reader(identity: Identity) -> None:
    """VirtError ACCESS_DENIED unless the client may read whatever the daemon may."""
    if identity.transport == "unix" and identity.uid is not None and identity.uid in (0, os.geteuid()):
        return
    detail = "a file may only be opened by a process of this host that runs as root or as the daemon's own user"
    raise VirtError.of(ErrorCode.ACCESS_DENIED, detail, domain=ErrorDomain.TEST)


def read_text(path: str) -> str:
    """The text of a plain file; VirtError if there is none that can be read. Blocks on the disk."""
    try:
        # Not blocking: nobody may write to a FIFO.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(SIZE_MAX + 1) if plain else b""
        if plain and len(content) <= SIZE_MAX:
            return content.decode()
    except OSError as error:
        raise system_error(error, f"Failed to open file '{path}'") from None
    except UnicodeDecodeError:
        pass
    raise VirtError.of(ErrorCode.XML_ERROR, f"failed to parse xml document '{path}'", domain=ErrorDomain.TEST)
