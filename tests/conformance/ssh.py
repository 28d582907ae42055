# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real sshd in a lab, with keys and settings of its own, for clients that come through ssh."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.lab import INSIDE, Daemon, Lab, wait_until

PORT = 22022
PROGRAMS = Path(sys.executable).parent

# Nothing of the calling user's ssh settings counts, and no known_hosts file is written.
CLIENT = f"""#!/bin/sh
exec ssh -F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR \
-o IdentitiesOnly=yes -i {INSIDE}/ssh/client "$@"
"""

# What the remote side finds first on its PATH; each use is written down.
REMOTE = """#!/bin/sh
echo "$0 $*" >>{used}
exec {program} "$@"
"""


def start_sshd(lab: Lab) -> Daemon:
    """Starts sshd on PORT of the lab's loopback; root may come in with the key in /run/lab/ssh."""
    (lab.directory / "ssh" / "bin").mkdir(parents=True)
    for name in ("host", "client"):
        lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", INSIDE / "ssh" / name)
    lab.run("cp", "ssh/client.pub", "ssh/authorized_keys")
    write_program(lab, "ssh/run", CLIENT)
    for program in (PROGRAMS / "virt-ssh-helper", Path("/usr/bin/nc")):
        text = REMOTE.format(used=INSIDE / "ssh" / "used", program=program)
        write_program(lab, f"ssh/bin/{program.name}", text)
    # An account without a password must not be a locked one: sshd refuses those even with a key.
    lab.run("sh", "-c", "sed 's/^root:[^:]*:/root:*:/' /etc/shadow >/run/shadow")
    lab.run("mount", "--bind", "/run/shadow", "/etc/shadow")
    config = lab.write("ssh/config", settings())
    daemon = lab.spawn("sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config)
    wait_until(lambda: "Server listening" in daemon.log_text(), "sshd")
    return daemon


def settings() -> str:
    """The sshd's configuration."""
    return "\n".join(
        (
            f"Port {PORT}",
            "ListenAddress 127.0.0.1",
            "ListenAddress ::1",
            f"HostKey {INSIDE}/ssh/host",
            f"AuthorizedKeysFile {INSIDE}/ssh/authorized_keys",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            f"SetEnv PATH={INSIDE}/ssh/bin:/usr/bin:/bin",
            "PidFile none",
            "",
        )
    )


def write_program(lab: Lab, name: str, text: str) -> None:
    """A script in the lab's directory."""
    lab.write(name, text)
    (lab.directory / name).chmod(0o755)


def used(lab: Lab) -> str:
    """What the remote side ran since it was asked last."""
    file = lab.directory / "ssh" / "used"
    text = file.read_text() if file.exists() else ""
    file.write_text("")
    return text


def uri(proxy: str, host: str = "localhost") -> str:
    """The URI of a connection through ssh; proxy: native (virt-ssh-helper) or netcat."""
    return f"qemu+ssh://root@{host}:{PORT}/system?command={INSIDE}/ssh/run&no_tty=1&proxy={proxy}"
