# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cyrus libsasl2, loaded at run time: what this room uses of it, declared as its documentation has it.

`library()` loads it once; ``server`` and ``connection`` call it. Nothing is compiled and nothing imported before it
is needed, so that the core runs without cffi and without SASL.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cffi import FFI

# Results of libsasl2's functions (sasl_errors(3)).
OK, CONTINUE = 0, 1
# What a callback is for (sasl_callbacks(3)).
CALLBACK_END, CALLBACK_LOG, CALLBACK_USER, CALLBACK_NAME, CALLBACK_PASSWORD = 0, 2, 0x4001, 0x4002, 0x4004
# Properties of a connection (sasl_getprop(3), sasl_setprop(3)).
USERNAME, SSF, MAXOUTBUF, MECHNAME = 0, 1, 2, 15
SSF_EXTERNAL, SEC_PROPS = 100, 101
# Security flags, and the flag that lets the last data travel with the success.
NO_PLAINTEXT, NO_ANONYMOUS = 0x0001, 0x0010
SUCCESS_DATA = 0x0004

_DECLARATIONS = """
typedef struct sasl_conn sasl_conn_t;
typedef struct { unsigned long id; void *proc; void *context; } sasl_callback_t;
typedef struct {
    unsigned min_ssf; unsigned max_ssf; unsigned maxbufsize; unsigned security_flags;
    const char **property_names; const char **property_values;
} sasl_security_properties_t;
void sasl_set_mutex(void *alloc, void *lock, void *unlock, void *free);
int sasl_server_init(const sasl_callback_t *callbacks, const char *appname);
const char *sasl_config_getstring(const char *key, const char *fallback);
const char **sasl_global_listmech(void);
int sasl_server_new(const char *service, const char *serverFQDN, const char *user_realm, const char *iplocalport,
                    const char *ipremoteport, const sasl_callback_t *callbacks, unsigned flags, sasl_conn_t **conn);
int sasl_listmech(sasl_conn_t *conn, const char *user, const char *prefix, const char *sep, const char *suffix,
                  const char **result, unsigned *len, int *count);
int sasl_server_start(sasl_conn_t *conn, const char *mech, const char *in, unsigned inlen,
                      const char **out, unsigned *outlen);
int sasl_server_step(sasl_conn_t *conn, const char *in, unsigned inlen, const char **out, unsigned *outlen);
typedef struct { unsigned long len; unsigned char data[]; } sasl_secret_t;
int sasl_client_init(const sasl_callback_t *callbacks);
int sasl_client_new(const char *service, const char *serverFQDN, const char *iplocalport, const char *ipremoteport,
                    const sasl_callback_t *callbacks, unsigned flags, sasl_conn_t **conn);
int sasl_client_start(sasl_conn_t *conn, const char *mechs, void **prompts, const char **out, unsigned *outlen,
                      const char **mech);
int sasl_client_step(sasl_conn_t *conn, const char *in, unsigned inlen, void **prompts,
                     const char **out, unsigned *outlen);
int sasl_setprop(sasl_conn_t *conn, int property, const void *value);
int sasl_getprop(sasl_conn_t *conn, int property, const void **value);
int sasl_encode(sasl_conn_t *conn, const char *in, unsigned inlen, const char **out, unsigned *outlen);
int sasl_decode(sasl_conn_t *conn, const char *in, unsigned inlen, const char **out, unsigned *outlen);
const char *sasl_errdetail(sasl_conn_t *conn);
const char *sasl_errstring(int error, const char *languages, const char **used);
void sasl_dispose(sasl_conn_t **conn);
"""
# What tells the whole name of a Kerberos user (RFC 2744): the plugin takes the realm off if it is the host's own.
_GSSAPI = """
typedef struct { size_t length; void *value; } gss_buffer_desc;
typedef struct { unsigned length; void *elements; } gss_OID_desc;
unsigned gss_import_name(unsigned *minor, gss_buffer_desc *input, gss_OID_desc *type, void **name);
unsigned gss_canonicalize_name(unsigned *minor, void *name, gss_OID_desc *mechanism, void **canonical);
unsigned gss_display_name(unsigned *minor, void *name, gss_buffer_desc *output, gss_OID_desc **type);
unsigned gss_release_name(unsigned *minor, void **name);
unsigned gss_release_buffer(unsigned *minor, gss_buffer_desc *buffer);
"""
# A user's name (1.2.840.113554.1.2.1.1), and Kerberos 5 (1.2.840.113554.1.2.2).
_USER_NAME = bytes.fromhex("2a864886f71201020101")
_KERBEROS = bytes.fromhex("2a864886f712010202")
_LIBC = """
int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);
"""


class SaslSetupError(Exception):
    """SASL cannot work as it is set up here; the message says what to install or to change."""


class Library:
    """The loaded library: `ffi` to talk to it, `sasl` its functions."""

    def __init__(self, ffi: FFI, sasl: Any, libc: Any) -> None:
        self.ffi = ffi
        self.sasl = sasl
        self._mutexes: dict[int, Any] = {}
        self._make = ffi.callback("void *(void)", self._new_mutex)
        self._free = ffi.callback("void (void *)", self._drop_mutex)
        # Logins run in threads; libsasl2 locks nothing unless it is told how.
        lock, unlock = (ffi.cast("void *", ffi.addressof(libc, name)) for name in _MUTEX_CALLS)
        sasl.sasl_set_mutex(self._make, lock, unlock, self._free)

    def _new_mutex(self) -> Any:
        # Zeros are an unlocked mutex in every C library of Linux; none is larger than this.
        mutex = self.ffi.new("char[128]")
        address = self.ffi.cast("void *", mutex)
        self._mutexes[int(self.ffi.cast("uintptr_t", address))] = mutex
        return address

    def _drop_mutex(self, mutex: Any) -> None:
        self._mutexes.pop(int(self.ffi.cast("uintptr_t", mutex)), None)

    def text(self, pointer: Any) -> str | None:
        """A string of C; None for NULL. What is not UTF-8 is shown, not dropped."""
        if pointer == self.ffi.NULL:
            return None
        raw = self.ffi.string(pointer)
        return raw if isinstance(raw, str) else raw.decode("utf-8", "backslashreplace")

    @functools.cached_property
    def gssapi(self) -> Any:
        """The functions of the GSSAPI that libsasl2's plugin uses; None if it is no library known here."""
        for name in ("libgssapi_krb5.so.2", "libgssapi.so.3"):
            try:
                return self.ffi.dlopen(name)
            except OSError:
                continue
        return None

    def principal(self, user: str) -> str | None:
        """The whole name of a user whom Kerberos proved (``joe@REALM`` of ``joe``); None if it cannot be told."""
        if self.gssapi is None:
            return None
        minor, plain, whole = self.ffi.new("unsigned *"), self.ffi.new("void **"), self.ffi.new("void **")
        given = self.ffi.from_buffer(user.encode())
        buffer = self.ffi.new("gss_buffer_desc *", (len(given), self.ffi.cast("void *", given)))
        gssapi, oid = self.gssapi, self._oid
        if gssapi.gss_import_name(minor, buffer, oid(_USER_NAME), plain):
            return None
        failed = gssapi.gss_canonicalize_name(minor, plain[0], oid(_KERBEROS), whole)
        gssapi.gss_release_name(minor, plain)
        return None if failed else self._display(whole)

    def _oid(self, encoded: bytes) -> Any:
        kept = self.ffi.from_buffer(encoded)
        return self.ffi.new("gss_OID_desc *", (len(encoded), self.ffi.cast("void *", kept)))

    def _display(self, name: Any) -> str | None:
        """A name as text; it is released."""
        minor = self.ffi.new("unsigned *")
        shown: Any = self.ffi.new("gss_buffer_desc *")
        failed = self.gssapi.gss_display_name(minor, name[0], shown, self.ffi.NULL)
        self.gssapi.gss_release_name(minor, name)
        if failed:
            return None
        text = bytes(self.ffi.buffer(shown.value, shown.length)).decode("utf-8", "backslashreplace")
        self.gssapi.gss_release_buffer(minor, shown)
        return text

    def problem(self, code: int, connection: Any = None) -> str:
        """What a result means, with what the connection knows of it; for the log only."""
        plain = self.text(self.sasl.sasl_errstring(code, self.ffi.NULL, self.ffi.NULL)) or f"error {code}"
        detail = self.text(self.sasl.sasl_errdetail(connection)) if connection is not None else None
        return f"{plain} ({detail})" if detail else plain


_MUTEX_CALLS = ("pthread_mutex_lock", "pthread_mutex_unlock")


@functools.cache
def library() -> Library:
    """Load libsasl2. Raises SaslSetupError that says what to install."""
    try:
        from cffi import FFI
    except ImportError:
        raise SaslSetupError(
            "SASL needs Python's cffi: run pip install 'virtproxy[sasl]' (Debian: apt install python3-cffi)"
        ) from None
    ffi = FFI()
    ffi.cdef(_DECLARATIONS + _GSSAPI + _LIBC)
    try:
        sasl = ffi.dlopen("libsasl2.so.2")
    except OSError:
        raise SaslSetupError("SASL needs the library libsasl2.so.2 (Debian: apt install libsasl2-2)") from None
    return Library(ffi, sasl, ffi.dlopen(None))
