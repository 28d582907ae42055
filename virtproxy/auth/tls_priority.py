# SPDX-License-Identifier: LGPL-2.1-or-later
"""GnuTLS priority strings (the key tls_priority, the URI parameter of the same name) in OpenSSL's terms.

Administrators have written GnuTLS priority strings for libvirt for years, but this implementation's TLS is
OpenSSL's. What can be said in both languages is translated, what only ever allowed more than OpenSSL
allows anyway is accepted, and what would have to be dropped silently is refused.

Understood: one keyword of `_KEYWORDS` (or `@NAME` for the system's policy), then parts separated by ":":
`-VERS-TLS1.2`, `-VERS-ALL`, `+VERS-TLS1.3` and the like, `-` or `!` with an item of `_REMOVABLE`, and the
options of `_HARMLESS`. TLS 1.0 and 1.1 are never spoken, whatever the string says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from OpenSSL import SSL

from virtproxy.auth.tls_settings import TlsSetupError

# Authenticated ciphers with forward secrecy first; plain RSA key exchange and CBC last, as GnuTLS's NORMAL.
_NORMAL = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:kRSA+AESGCM:kRSA+AES"
_ALWAYS_OUT = "!aNULL:!eNULL:!PSK:!SRP:!aDSS:!3DES:!RC4:!MD5:!AESCCM8"
_SUITES_13 = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")


@dataclass(frozen=True, slots=True)
class Priority:
    """What one TLS end may negotiate.

    `security_level` is OpenSSL's (SSL_CTX_set_security_level(3): 2 is 112 bits, 3 is 128, 4 is 192, 5 is 256).
    """

    ciphers: str = _NORMAL
    suites_13: tuple[str, ...] = _SUITES_13
    out: tuple[str, ...] = ()
    security_level: int = 2
    tls_1_2: bool = True
    tls_1_3: bool = True

    @property
    def cipher_list(self) -> str:
        """For Context.set_cipher_list: the ciphers of TLS 1.2 and the security level."""
        removed = "".join(f":!{name}" for name in self.out)
        return f"{self.ciphers}:{_ALWAYS_OUT}{removed}:@SECLEVEL={self.security_level}"

    @property
    def versions(self) -> tuple[int, int]:
        """The lowest and the highest version to speak, as OpenSSL numbers them."""
        return (
            SSL.TLS1_2_VERSION if self.tls_1_2 else SSL.TLS1_3_VERSION,
            SSL.TLS1_3_VERSION if self.tls_1_3 else SSL.TLS1_2_VERSION,
        )


_STRONG_13 = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_DEFAULT = Priority()
_SECURE128 = Priority("ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AESCCM:DHE+AESGCM:DHE+CHACHA20:kRSA+AESGCM")
_SECURE192 = Priority("ECDHE+AES256:ECDHE+CHACHA20:DHE+AES256:DHE+CHACHA20", _STRONG_13, security_level=3)

_KEYWORDS = {
    "NORMAL": _DEFAULT,
    "PERFORMANCE": _DEFAULT,
    "PFS": replace(_DEFAULT, out=("kRSA",)),
    "SECURE128": _SECURE128,
    "SECURE192": _SECURE192,
    "SECURE256": _SECURE192,
    "SUITEB128": Priority("ECDHE+ECDSA+AESGCM", ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")),
    "SUITEB192": Priority("ECDHE+ECDSA+AES256+AESGCM", ("TLS_AES_256_GCM_SHA384",), security_level=3),
}

# "@NAME" asks for the administrator's system-wide policy of that name; OpenSSL's is in its own file, which it
# applies by itself, so what is left to us is the default.
_SYSTEM_NAMES = frozenset({"LIBVIRT", "SYSTEM"})

# What "-ITEM" or "!ITEM" takes away, in OpenSSL's words; nothing where it is never there.
_REMOVABLE: dict[str, tuple[str, ...]] = {
    "RSA": ("kRSA",),
    "DHE-RSA": ("kDHE",),
    "ECDHE-RSA": ("kECDHE+aRSA",),
    "ECDHE-ECDSA": ("kECDHE+aECDSA",),
    "AES-128-GCM": ("AES128+AESGCM",),
    "AES-256-GCM": ("AES256+AESGCM",),
    "AES-128-CBC": ("AES128+SHA1", "AES128+SHA256"),
    "AES-256-CBC": ("AES256+SHA1", "AES256+SHA256", "AES256+SHA384"),
    "AES-128-CCM": ("AES128+AESCCM",),
    "AES-256-CCM": ("AES256+AESCCM",),
    "CHACHA20-POLY1305": ("CHACHA20",),
    "SHA1": ("SHA1",),
    "3DES-CBC": (),
    "ARCFOUR-128": (),
    "CAMELLIA-128-CBC": (),
    "CAMELLIA-256-CBC": (),
    "MD5": (),
    "DHE-DSS": (),
    "ANON-DH": (),
    "ANON-ECDH": (),
    "COMP-DEFLATE": (),
    "VERS-SSL3.0": (),
    "VERS-TLS1.0": (),
    "VERS-TLS1.1": (),
    "VERS-DTLS-ALL": (),
    "VERS-DTLS1.0": (),
    "VERS-DTLS1.2": (),
}

_SUITES_WITHOUT = {
    "AES-128-GCM": "TLS_AES_128_GCM_SHA256",
    "AES-256-GCM": "TLS_AES_256_GCM_SHA384",
    "CHACHA20-POLY1305": "TLS_CHACHA20_POLY1305_SHA256",
}

# Options that say what OpenSSL does anyway, or that concern clients and versions nobody speaks here.
_HARMLESS = frozenset({"%SAFE_RENEGOTIATION", "%SERVER_PRECEDENCE", "%COMPAT", "%NO_TICKETS", "%LATEST_RECORD_VERSION"})


def parse_priority(text: str | None) -> Priority:
    """Translate a priority string; None is the default. TlsSetupError names the part that cannot be said."""
    if not text:
        return _DEFAULT
    keyword, *parts = text.strip().split(":")
    priority = _base(keyword, text)
    for part in parts:
        if part:
            priority = _apply(priority, part, text)
    if not (priority.tls_1_2 or priority.tls_1_3):
        raise TlsSetupError(f'tls_priority = "{text}" leaves no version: at least TLS 1.2 or TLS 1.3 must stay')
    if priority.tls_1_3 and not priority.suites_13:
        raise TlsSetupError(f'tls_priority = "{text}" leaves no cipher for TLS 1.3: add -VERS-TLS1.3 to do without it')
    return priority


def _base(keyword: str, text: str) -> Priority:
    if keyword.startswith("@"):
        names = keyword[1:].split(",")
        for name in names:
            if name in _SYSTEM_NAMES:
                return _DEFAULT
            if name in _KEYWORDS:
                return _KEYWORDS[name]
    elif keyword in _KEYWORDS:
        return _KEYWORDS[keyword]
    raise _refusal(keyword, text, f"begin with one of {', '.join(_KEYWORDS)}, @LIBVIRT,SYSTEM or @SYSTEM")


def _apply(priority: Priority, part: str, text: str) -> Priority:
    if part in _HARMLESS:
        return priority
    sign, item = part[:1], part[1:]
    if sign in "+-!" and item in ("VERS-TLS1.2", "VERS-TLS1.3", "VERS-ALL", "VERS-TLS-ALL"):
        return _with_version(priority, item, sign == "+")
    if sign in "-!" and item in _REMOVABLE:
        return _without(priority, item)
    raise _refusal(
        part, text, "leave it out; what can be changed is +VERS-TLS1.2, +VERS-TLS1.3, and taking away with - or !"
    )


def _with_version(priority: Priority, item: str, spoken: bool) -> Priority:
    if item == "VERS-TLS1.2":
        return replace(priority, tls_1_2=spoken)
    if item == "VERS-TLS1.3":
        return replace(priority, tls_1_3=spoken)
    return replace(priority, tls_1_2=spoken, tls_1_3=spoken)


def _without(priority: Priority, item: str) -> Priority:
    suites = tuple(suite for suite in priority.suites_13 if suite != _SUITES_WITHOUT.get(item))
    return replace(priority, out=priority.out + _REMOVABLE[item], suites_13=suites)


def _refusal(part: str, text: str, instead: str) -> TlsSetupError:
    return TlsSetupError(
        f'tls_priority = "{text}": "{part}" cannot be said to OpenSSL, which does the TLS here: {instead}'
    )
