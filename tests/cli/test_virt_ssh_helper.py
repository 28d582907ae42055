# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper as a program, and beside libvirt's own."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HELPER = [sys.executable, "-m", "virtproxy.cli.virt_ssh_helper"]
ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HELPER, *arguments], env={**ENV, **more}, input="", capture_output=True, text=True)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    place = tempfile.mkdtemp(prefix="vp")
    with socket.create_server(f"{place}/sock", family=socket.AF_UNIX) as sock:
        yield sock
    shutil.rmtree(place)


def test_talks_to_the_daemon(listener: socket.socket) -> None:
    uri = f"test:///default?socket={listener.getsockname()}"
    helper = subprocess.Popen([*HELPER, uri], env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    daemon = listener.accept()[0]
    out, _ = helper.communicate(_answer(daemon, helper))
    assert out == b"reply to call"
    assert helper.returncode == 0


def _answer(daemon: socket.socket, helper: subprocess.Popen[bytes]) -> bytes:
    assert helper.stdin is not None
    helper.stdin.write(b"call")
    helper.stdin.flush()
    with daemon:
        daemon.sendall(b"reply to " + daemon.recv(10))
    return b""


def test_verbose_names_the_socket(listener: socket.socket) -> None:
    path = listener.getsockname()
    helper = subprocess.Popen([*HELPER, "-v", f"test:///?socket={path}"], env=ENV, stderr=subprocess.PIPE)
    listener.accept()[0].close()
    assert helper.communicate()[1] == f"virt-ssh-helper: using '{path}'\n".encode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["qemu://host/system"], "'qemu://host/system' is not on this host"),
        (["test:///default?socket=/no/such"], "cannot connect to '/no/such': there is no such socket"),
        (["test:///default?mode=x"], "mode=x"),
    ],
)
def test_an_error_is_one_sentence(arguments: list[str], said: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("virt-ssh-helper: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_usage() -> None:
    assert "usage: virt-ssh-helper" in run("--help").stdout
    assert re.fullmatch(r"virt-ssh-helper \(virtproxy\) \d+\.\d+\.\d+\n", run("--version").stdout)
    assert "usage: virt-ssh-helper" in run().stderr


def test_imports_no_twisted() -> None:
    code = "import sys, virtproxy.cli.virt_ssh_helper; print([m for m in sys.modules if 'twisted' in m])"
    ended = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True)
    assert ended.stdout == "[]\n"


# Both helpers run for every line in a mount namespace of their own, where only these files are in /run/libvirt.
COMPARE = """
mount -t tmpfs none /run && mkdir -p /run/libvirt /run/u/libvirt && chmod -R 777 /run/u && cd / || exit 1
for name in $SOCKETS; do : > /run/libvirt/$name; : > /run/u/libvirt/$name; done
setpriv --reuid "$WHO" --regid "$WHO" --clear-groups "$@" 2>&1 </dev/null
"""
SETS = ["", "libvirt-sock", "virtqemud-sock", "libvirt-sock virtqemud-sock libvirt-sock-ro virtqemud-sock-ro"]
URIS = ["qemu:///system", "qemu:///session", "test:///default", "test+unix:///default", "vbox:///session"]
# The library path of the interpreter may be closed to other users: Debian's python3 is not.
PYTHON = "/usr/bin/python3"


def chosen(command: list[str], uid: int, sockets: str) -> str:
    env = {"PATH": "/usr/bin:/bin:/usr/sbin", "LIBVIRT_AUTOSTART": "0", "XDG_RUNTIME_DIR": "/run/u", "HOME": "/"}
    env |= {"WHO": str(uid), "SOCKETS": sockets}
    script = ["unshare", "-m", "sh", "-c", COMPARE, "sh", *command]
    said = subprocess.run(script, env=env, capture_output=True, text=True).stdout
    found = re.search(r"cannot connect to '(?:/var)?(/run/[^']*)'", said)
    assert found, said
    return found[1]


@pytest.mark.root
@pytest.mark.programs("/usr/bin/virt-ssh-helper", "unshare", "setpriv")
@pytest.mark.parametrize(("uid", "sockets"), list(itertools.product([0, 12345], SETS)))
def test_chooses_as_libvirts_own_helper(uid: int, sockets: str) -> None:
    place = Path(tempfile.mkdtemp(prefix="vp"))
    shutil.copytree(ROOT / "virtproxy", place / "virtproxy")
    place.chmod(0o755)
    ours = [PYTHON, "-c", f"import sys; sys.path.insert(0, {str(place)!r}); sys.dont_write_bytecode = True;"]
    ours[-1] += " from virtproxy.cli.virt_ssh_helper import main; sys.exit(main())"
    for uri, options in itertools.product(URIS, [[], ["-r"]]):
        theirs = chosen(["/usr/bin/virt-ssh-helper", *options, uri], uid, sockets)
        assert chosen([*ours, *options, uri], uid, sockets) == theirs, (uri, options)
    shutil.rmtree(place)
