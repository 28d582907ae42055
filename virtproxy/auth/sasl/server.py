# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server side of libsasl2 in this process: initialised once, as the administrator's libvirt.conf says.

The daemon's plan calls `server()`; ``connection`` makes one negotiation each from it. libsasl2 itself reads
/etc/sasl2/libvirt.conf, or the directories of SASL_CONF_PATH, and loads the plugins.
"""

from __future__ import annotations

import functools
from typing import Any

from twisted.logger import Logger, LogLevel

from virtproxy.auth.sasl import library as c
from virtproxy.auth.sasl.config import APPLICATION
from virtproxy.auth.sasl.library import Library, SaslSetupError, library

# Part of the Kerberos principal (libvirt/host@REALM), as libvirt's clients ask for it.
SERVICE = "libvirt"
_log = Logger(namespace="virtproxy.auth.sasl")

# sasl_callbacks(3): error, failed login, warning, note, debug. Deeper levels show secrets and are left out.
_LEVELS = {1: LogLevel.warn, 2: LogLevel.info, 3: LogLevel.warn, 4: LogLevel.info, 5: LogLevel.debug}


class Said(list[tuple[Any, str]]):
    """What libsasl2 said, by level, until it is logged; it may speak in a thread."""

    def log(self) -> None:
        """Log it, from the reactor's thread."""
        while self:
            level, text = self.pop(0)
            _log.emit(level, "libsasl2: {text}", text=text.strip())


class Server:
    """libsasl2 as a server, ready to make connections."""

    def __init__(self, loaded: Library) -> None:
        self.lib = loaded
        self.ffi: Any = loaded.ffi
        self._log = self.ffi.callback("int (void *, int, const char *)", self._logged)
        # What libsasl2 says of what belongs to nobody, its plugins for one.
        self.said = Said()
        self.callbacks, self._kept = self.log_to(self.said)
        code = loaded.sasl.sasl_server_init(self.callbacks, APPLICATION.encode())
        self.said.log()
        if code != c.OK:
            raise SaslSetupError(f"libsasl2 cannot start: {loaded.problem(code)}")

    def log_to(self, lines: Said) -> tuple[Any, Any]:
        """Callbacks that collect what libsasl2 says in `lines`; keep both values as long as it may call."""
        handle = self.ffi.new_handle(lines)
        entries = [
            (c.CALLBACK_LOG, self.ffi.cast("void *", self._log), handle),
            (c.CALLBACK_END, self.ffi.NULL, handle),
        ]
        return self.ffi.new("sasl_callback_t[]", entries), handle

    def _logged(self, context: Any, level: int, message: Any) -> int:
        """libsasl2 has something to say; perhaps in a thread, so it is only kept."""
        if level in _LEVELS and context != self.ffi.NULL:
            self.ffi.from_handle(context).append((_LEVELS[level], self.lib.text(message) or ""))
        return c.OK

    def option(self, name: str) -> str | None:
        """A setting of libvirt.conf of SASL; None if it is not there."""
        return self.lib.text(self.lib.sasl.sasl_config_getstring(name.encode(), self.ffi.NULL))

    def installed(self) -> list[str]:
        """Every mechanism whose plugin is installed and works, in capitals."""
        names = self.lib.sasl.sasl_global_listmech()
        found: list[str] = []
        while names != self.ffi.NULL and names[len(found)] != self.ffi.NULL:
            found.append((self.lib.text(names[len(found)]) or "").upper())
        return found


@functools.cache
def server() -> Server:
    """libsasl2 as a server; it can be that once in a process. Raises SaslSetupError."""
    return Server(library())
