# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is calling: one immutable value, made when a client is accepted or authenticated.

auth/ makes it, the session forwards it to backends, drivers and policies read it from the call.
It never changes in place: a new fact is a new identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known about a caller; None where it is not known. Ids and pid as the kernel gave them.

    `process_start_time` is in clock ticks after boot (field 22 of /proc/PID/stat); `address` is the
    peer's address as text, for logs. `sasl_mechanism` is the one that proved `sasl_user` ("GSSAPI"); `x509_sans` are
    the alternative names of the certificate that `x509_dname` is of ("DNS:host", "email:user@host", "URI:spiffe://...",
    "IP:192.0.2.1").
    `principal` is the whole name of a Kerberos user ("joe@REALM"): `sasl_user` has no realm if it is this host's own.
    `ssf` is how many bits of encryption are between the caller and us (TLS, or a security layer of SASL), which is no
    part of who the caller is.
    `system_token` is that of this host's daemons, if the caller has shown it: it is one of them, speaking for itself.
    """

    transport: str = "unix"
    address: str = ""
    readonly_socket: bool = False
    user_name: str | None = None
    uid: int | None = None
    group_name: str | None = None
    gid: int | None = None
    pid: int | None = None
    process_start_time: int | None = None
    sasl_user: str | None = None
    x509_dname: str | None = None
    selinux_context: str | None = None
    sasl_mechanism: str | None = None
    principal: str | None = None
    x509_sans: tuple[str, ...] = ()
    ssf: int = field(default=0, compare=False)
    system_token: str | None = field(default=None, repr=False)

    @property
    def is_process(self) -> bool:
        """Whether it is a process of this host that is known for good: what polkit can be asked about."""
        return bool(self.pid) and self.process_start_time is not None and self.uid is not None

    @property
    def is_daemon(self) -> bool:
        """Whether it is a daemon of this host that speaks for itself."""
        return self.system_token is not None

    @property
    def subject(self) -> str:
        """Who it is, in the words of a policy: "sasl:joe", "x509:CN=...", "user:joe"; "anonymous" if nobody knows."""
        known = (("sasl", self.sasl_user), ("x509", self.x509_dname), ("user", self.user_name))
        words = [f"{kind}:{name}" for kind, name in known if name is not None]
        if self.uid is not None and self.user_name is None:
            words.append(f"uid:{self.uid}")
        return ", ".join(words) or "anonymous"

    def describe(self) -> str:
        """One phrase for logs and audit: who, and over what."""
        parts = []
        if self.x509_dname is not None:
            parts.append(f"certificate {self.x509_dname}")
        if self.sasl_user is not None:
            parts.append(f"SASL user {self.sasl_user}")
        if self.uid is not None:
            name = f" ({self.user_name})" if self.user_name else ""
            parts.append(f"uid {self.uid}{name}, pid {self.pid}")
        where = f" from {self.address}" if self.address else ""
        return f"{', '.join(parts) or 'anonymous'} over {self.transport}{where}"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client of the daemon before it has a session: its number and who it is so far.

    What is logged about a client says whom by ``client=``: one of these, or what else has both, as the session.
    """

    number: int
    identity: Identity
