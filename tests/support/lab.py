# SPDX-License-Identifier: LGPL-2.1-or-later
"""A throw-away host in namespaces: real libvirt daemons, guests and networks that touch nothing outside.

Used by the conformance tests and the benchmarks. Every process of a lab lives in one pid namespace, so ending
the lab's first process ends them all. It must not be given a path of the host's own libvirt to write to.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

SUPPORT = Path(__file__).parent
INSIDE = Path("/run/lab")
SYSTEM_SOCKETS = Path("/run/libvirt")
BACKEND_SOCKETS = Path("/run/lab/backend")
STARTING = 30.0


def fetched_tree() -> Path:
    """The unpacked libvirt 11.3, fetched at first use."""
    script = SUPPORT / "fetch_lab.sh"
    done = subprocess.run([script], stdout=subprocess.PIPE, check=True, text=True, timeout=300)
    return Path(done.stdout.strip())


def wait_until(condition: Callable[[], bool], what: str, seconds: float = STARTING) -> None:
    """Polls the condition; AssertionError naming what was awaited after that many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def first_child(pid: int) -> int | None:
    """Process id of a process's only child, or None while there is none."""
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(words[0]) if words else None


class Daemon:
    """A process that runs in a lab until it is ended."""

    def __init__(self, wrapper: subprocess.Popen[bytes], log: Path) -> None:
        self.wrapper = wrapper
        self.log = log

    @property
    def pid(self) -> int:
        """The daemon's own process id as seen from outside of the lab."""
        pid = first_child(self.wrapper.pid)
        if pid is None:
            raise AssertionError(f"the process is gone; its log:\n{self.log_text()}")
        return pid

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.wrapper.poll() is None

    def log_text(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Sends the signal and waits for the end."""
        os.kill(self.pid, signum)
        self.wrapper.wait(20)

    def resident_kib(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1])


class Lab:
    """One isolated host; use as a context manager."""

    def __init__(self, tree: Path | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="vp"))
        self.directory.chmod(0o755)
        self.tree = tree
        self.keeper = self._start()
        pid = first_child(self.keeper.pid)
        assert pid is not None
        self.pid = pid

    def _start(self) -> subprocess.Popen[str]:
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        init = [str(SUPPORT / "lab_init.sh"), str(self.directory)]
        if self.tree is not None:
            init.append(str(self.tree))
        keeper = subprocess.Popen([*unshare, *init], stdout=subprocess.PIPE, text=True)
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "ready\n":
            raise AssertionError("the lab's namespaces could not be made (this needs root)")
        return keeper

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every process of the lab and removes its directory."""
        self.keeper.kill()
        self.keeper.wait(20)
        wait_until(lambda: not Path(f"/proc/{self.pid}").exists(), "the end of the lab's processes")
        assert self.keeper.stdout is not None
        self.keeper.stdout.close()
        shutil.rmtree(self.directory)

    def inside(self, argv: Sequence[str | Path]) -> list[str]:
        """The command line that runs argv in the lab."""
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--net", "--pid", "--wdns=/run/lab", "--"]
        return [*enter, *map(str, argv)]

    def run(
        self, *argv: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the lab's directory and returns its output as text."""
        done = subprocess.run(
            self.inside(argv), env={**environment(), **(env or {})}, timeout=timeout, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, errors="replace",
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{argv} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def spawn(self, name: str, *argv: str | Path, env: Mapping[str, str] | None = None) -> Daemon:
        """Starts a process that stays; what it prints goes to NAME.log in the lab's directory."""
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            wrapper = subprocess.Popen(
                self.inside(argv), env={**environment(), **(env or {})},
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )
        wait_until(lambda: wrapper.poll() is not None or first_child(wrapper.pid) is not None, name)
        return Daemon(wrapper, log)

    def outside(self, path: Path) -> Path:
        """The path in the host's file system of one that the lab sees below /run/lab."""
        return self.directory / path.relative_to(INSIDE)

    def write(self, name: str, text: str) -> Path:
        """Writes a file into the lab's directory; returns its path as seen in the lab."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return INSIDE / name

    def wait_for_socket(self, daemon: Daemon, path: Path) -> None:
        """Waits until the daemon listens there; AssertionError with its log when it ends before."""

        def listening() -> bool:
            assert daemon.alive(), f"the daemon ended:\n{daemon.log_text()}"
            table = Path(f"/proc/{self.pid}/net/unix").read_text()
            return any(line.endswith(f" {path}") for line in table.splitlines())

        wait_until(listening, str(path))

    def libvirtd(self, sockets: Path = SYSTEM_SOCKETS, **settings: str) -> Daemon:
        """Starts libvirtd with its sockets in that directory, and returns when it listens."""
        self._write_driver_settings()
        wanted = {"unix_sock_dir": quoted(str(sockets)), "auth_unix_rw": '"none"', "auth_unix_ro": '"none"'}
        wanted.update(settings)
        lines = "".join(f"{key} = {value}\n" for key, value in wanted.items())
        config = self.write("libvirtd.conf", lines)
        self.run("mkdir", "-p", sockets)
        daemon = self.spawn("libvirtd", "libvirtd", "-f", config)
        self.wait_for_socket(daemon, sockets / "libvirt-sock-ro")
        return daemon

    def _write_driver_settings(self) -> None:
        qemu = 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\nnamespaces = []\n'
        qemu += 'cgroup_controllers = []\nstdio_handler = "file"\nremember_owner = 0\n'
        source = self.write("qemu.conf", qemu)
        self.run("cp", source, "/etc/libvirt/qemu.conf")

    def virtproxyd(self, backends: Mapping[str, Path], *, flags: Sequence[str] = (), **settings: str) -> Daemon:
        """Starts virtproxyd on the standard sockets of the lab in front of these backends (family to socket)."""
        places = ", ".join(quoted(f"{family}={path}") for family, path in backends.items())
        wanted = {
            "unix_sock_dir": quoted(str(SYSTEM_SOCKETS)), "auth_unix_rw": '"none"', "auth_unix_ro": '"none"',
            "backend_sockets": f"[ {places} ]",
        }
        wanted.update(settings)
        config = self.write("virtproxyd.conf", "".join(f"{key} = {value}\n" for key, value in wanted.items()))
        script = Path(sys.executable).parent / "virtproxyd"
        daemon = self.spawn("virtproxyd", script, "-f", config, "-p", "/run/virtproxyd.pid", *flags)
        self.wait_for_socket(daemon, SYSTEM_SOCKETS / "libvirt-sock-ro")
        return daemon

    def proxied(self, host_uuid: str | None = None, **settings: str) -> tuple[Daemon, Daemon]:
        """Starts libvirtd out of the way and virtproxyd in front of it for all families."""
        backend_settings = {} if host_uuid is None else {"host_uuid": host_uuid}
        backend = self.libvirtd(BACKEND_SOCKETS, **backend_settings)
        socket = BACKEND_SOCKETS / "libvirt-sock"
        proxy = self.virtproxyd(dict.fromkeys(FAMILIES, socket), **settings)
        return backend, proxy


FAMILIES = ("qemu", "network", "storage", "nodedev", "nwfilter", "secret", "interface")


def quoted(text: str) -> str:
    """A string value of a libvirt configuration file."""
    return f'"{text}"'


def environment() -> dict[str, str]:
    """The environment of every process in a lab: untranslated, with nothing of the caller's libvirt settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LIBVIRT", "VIRSH"))}
    return {**kept, "LC_ALL": "C.UTF-8", "HOME": "/run/lab", "TERM": "dumb", "TZ": "UTC"}


def client_environment(tree: Path | None) -> dict[str, str]:
    """What makes a program use the unpacked libvirt library instead of the system's."""
    if tree is None:
        return {}
    library = next((tree / "usr/lib").glob("*/libvirt.so.0"))
    return {"LD_LIBRARY_PATH": str(library.parent)}


@contextlib.contextmanager
def lab(tree: Path | None = None) -> Iterator[Lab]:
    """A lab that is gone at the end of the block."""
    with Lab(tree) as made:
        yield made
