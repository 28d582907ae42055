# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encrypted volumes: virtstoraged asks virtsecretd for the passphrase, and nobody else gets to see it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.lab import INSIDE, SYSTEM_SOCKETS, Lab, fetched_tree, lab

pytestmark = [
    pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(150),
    pytest.mark.programs("virsh", "qemu-img"),
]  # fmt: skip
UUID = "55555555-2222-3333-4444-555555555555"
PASSPHRASE = "very-secret-words"
ENCRYPTION = f"<encryption format='luks'><secret type='passphrase' uuid='{UUID}'/></encryption>"


@pytest.fixture
def host() -> Iterator[Lab]:
    """A host with both daemons, a secret and a pool."""
    with lab(fetched_tree()) as made:
        made.run("mkdir", "-p", SYSTEM_SOCKETS, INSIDE / "p")
        for name in ("virtsecretd", "virtstoraged"):
            config = made.write(f"{name}.conf", 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n')
            daemon = made.spawn(name, sys.executable, "-m", "virtproxy.cli.daemons", name, "-f", config)
            made.wait_for_socket(daemon, SYSTEM_SOCKETS / f"{name}-sock")
        secret, phrase = made.write("secret", f"<secret><uuid>{UUID}</uuid></secret>"), made.write("phrase", PASSPHRASE)
        virsh(made, "secret", "secret-define", str(secret))
        virsh(made, "secret", "secret-set-value", UUID, "--file", str(phrase), "--plain")
        virsh(made, "storage", "pool-create-as", "a", "dir", "--target", str(INSIDE / "p"))
        yield made


def virsh(host: Lab, family: str, *words: str, check: bool = True) -> str:
    """What a command prints."""
    uri = f"{family}+unix:///system?socket={SYSTEM_SOCKETS}/virt{family}d-sock"
    done = host.run("virsh", "-q", "-c", uri, *words, check=check)
    return done.stdout + done.stderr


def test_a_volume_opens_with_the_secret_and_shows_it_to_nobody(host: Lab) -> None:
    text = f"<volume><name>v</name><capacity unit='MiB'>2</capacity><target>{ENCRYPTION}</target></volume>"
    # The command line stands in the process table while qemu-img measures how much work a guess shall be.
    watcher = host.popen(
        "sh", "-c", "while :; do cat /proc/[0-9]*/cmdline | tr '\\0' ' ' >>/run/lab/lines; sleep 0.1; done 2>/dev/null"
    )
    # On a busy machine qemu-img now and then cannot tell how fast the processor is, and gives up.
    for _ in range(8):
        said = virsh(host, "storage", "vol-create", "a", str(host.write("v", text)), check=False)
        if "Unable to get accurate CPU usage" not in said:
            break
    shown = virsh(host, "storage", "vol-dumpxml", "v", "a")
    assert f"<secret type='passphrase' uuid='{UUID}'/>" in shown
    assert "<capacity unit='bytes'>2097152</capacity>" in shown
    lines = (host.directory / "lines").read_text(errors="replace")
    assert "qemu-img create -f luks" in lines
    logs = "".join((host.directory / f"{name}.log").read_text() for name in ("virtsecretd", "virtstoraged"))
    assert PASSPHRASE not in lines + logs + shown
    options = "driver=luks,key-secret=s,file.filename=/run/lab/p/v"
    opened = host.run("qemu-img", "info", "--object", "secret,id=s,file=/run/lab/phrase", "--image-opts", options)
    assert "virtual size: 2 MiB" in opened.stdout
    assert watcher.poll() is None


def test_without_the_secret_nothing_is_made(host: Lab) -> None:
    other = ENCRYPTION.replace("5555-2222", "6666-2222")
    text = f"<volume><name>v</name><capacity unit='MiB'>2</capacity><target>{other}</target></volume>"
    said = virsh(host, "storage", "vol-create", "a", str(host.write("v", text)), check=False)
    missing = UUID.replace("5555-2222", "6666-2222")
    assert f"error: Secret not found: no secret with matching uuid '{missing}'" in said
    assert not list((host.directory / "p").iterdir())
