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
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
        time.sleep(0.005)


def first_child(pid: int) -> int | None:
    """Process id of a process's only child, or None while there is none."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(words[0]) if words else None


def end(wrapper: subprocess.Popen[Any], signum: int = signal.SIGKILL) -> None:
    """Ends a program of a lab, not the nsenter in front of it, which must outlive the program to reap it."""
    pid = first_child(wrapper.pid) if wrapper.poll() is None else None
    if pid is not None:
        os.kill(pid, signum)
    wrapper.wait(20)


class Waker(threading.Thread):
    """Wakes nsenter, which stops itself when it sees its program stopped and sleeps on when that goes on."""

    def __init__(self, wrappers: list[subprocess.Popen[Any]]) -> None:
        super().__init__(daemon=True)
        self.wrappers = wrappers
        self.done = threading.Event()
        self.start()

    def run(self) -> None:
        """Looks twice a second."""
        while not self.done.wait(0.5):
            for wrapper in list(self.wrappers):
                if wrapper.returncode is None and state_of(wrapper.pid) == "T" and not stopped_within(wrapper.pid):
                    wrapper.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends the thread."""
        self.done.set()
        self.join()


def state_of(pid: int) -> str:
    """The kernel's letter for a process's state, empty when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    return ""


def stopped_within(pid: int) -> bool:
    """Whether the program below an nsenter is stopped itself."""
    child = first_child(pid)
    return child is not None and state_of(child) == "T"


class Daemon:
    """A process that runs in a lab until it is ended."""

    def __init__(self, wrapper: subprocess.Popen[Any], log: Path) -> None:
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
        end(self.wrapper, signum)

    def resident_kib(self, peak: bool = False) -> int:
        """Resident memory in KiB, now or at its highest so far."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        name = "VmHWM:" if peak else "VmRSS:"
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1])

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It does nothing while the block runs."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


class Lab:
    """One isolated host; use as a context manager."""

    def __init__(self, tree: Path | None = None, name: str = "lab") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="vp"))
        self.directory.chmod(0o755)
        self.tree = tree
        self.name = name
        self.wrappers: list[subprocess.Popen[Any]] = []
        self.waker = Waker(self.wrappers)
        self.keeper = self._start()
        pid = first_child(self.keeper.pid)
        assert pid is not None
        self.pid = pid

    def _start(self) -> subprocess.Popen[str]:
        unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--uts"]
        unshare += ["--fork", "--kill-child", "--mount-proc"]
        init = [str(SUPPORT / "lab_init.sh"), str(self.directory), self.name]
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
        for wrapper in self.wrappers:
            wrapper.wait(20)
        self.waker.close()
        wait_until(lambda: not Path(f"/proc/{self.pid}").exists(), "the end of the lab's processes")
        assert self.keeper.stdout is not None
        self.keeper.stdout.close()
        shutil.rmtree(self.directory)

    def inside(self, argv: Sequence[str | Path]) -> list[str]:
        """The command line that runs argv in the lab."""
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--net", "--pid", "--uts", "--wdns=/run/lab", "--"]
        return [*enter, *map(str, argv)]

    def popen(self, *argv: str | Path, env: Mapping[str, str] | None = None, **named: Any) -> subprocess.Popen[Any]:
        """Starts a command in the lab; named: what subprocess.Popen takes. See end() for how to stop it."""
        command = self.inside(argv)
        wrapper = subprocess.Popen(command, env={**environment(), **(env or {})}, **named)
        self.wrappers.append(wrapper)
        return wrapper

    def run(
        self, *argv: str | Path, env: Mapping[str, str] | None = None, timeout: float = 60, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the lab's directory and returns its output as text."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.popen(*argv, env=env, text=True, errors="replace", **streams) as wrapper:
            try:
                out, err = wrapper.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                end(wrapper)
                out, err = wrapper.communicate()
                raise AssertionError(f"{argv} took longer than {timeout} s: {out}{err}") from None
        self.wrappers.remove(wrapper)
        if check and wrapper.returncode != 0:
            raise AssertionError(f"{argv} ended with {wrapper.returncode}: {out}{err}")
        return subprocess.CompletedProcess(argv, wrapper.returncode, out, err)

    def spawn(self, name: str, *argv: str | Path, env: Mapping[str, str] | None = None) -> Daemon:
        """Starts a process that stays; what it prints goes to NAME.log in the lab's directory."""
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            wrapper = self.popen(*argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
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

    def libvirtd(self, sockets: Path = SYSTEM_SOCKETS, *flags: str, **settings: str) -> Daemon:
        """Starts libvirtd with its sockets in that directory, and returns when it listens."""
        self._write_driver_settings()
        wanted = {"unix_sock_dir": quoted(str(sockets)), "auth_unix_rw": '"none"', "auth_unix_ro": '"none"'}
        wanted.update(settings)
        lines = "".join(f"{key} = {value}\n" for key, value in wanted.items())
        config = self.write("libvirtd.conf", lines)
        self.run("mkdir", "-p", sockets)
        daemon = self.spawn("libvirtd", "libvirtd", "-f", config, *flags)
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
            "unix_sock_dir": quoted(str(SYSTEM_SOCKETS)),
            "auth_unix_rw": '"none"',
            "auth_unix_ro": '"none"',
            "backend_sockets": f"[ {places} ]",
        }
        wanted.update(settings)
        self.run("mkdir", "-p", wanted["unix_sock_dir"].strip('"'))
        config = self.write("virtproxyd.conf", "".join(f"{key} = {value}\n" for key, value in wanted.items()))
        script = Path(sys.executable).parent / "virtproxyd"
        daemon = self.spawn("virtproxyd", script, "-f", config, "-p", "/run/virtproxyd.pid", *flags)
        self.wait_for_socket(daemon, Path(wanted["unix_sock_dir"].strip('"')) / "libvirt-sock-ro")
        return daemon

    def ours(self, name: str, *flags: str, site: Path | None = None, **settings: str) -> Daemon:
        """Starts a daemon of virtproxy's on its standard sockets, and returns when it listens.

        `site`: a directory of further packages, as the lab sees it.
        """
        wanted = {"auth_unix_rw": '"none"', "auth_unix_ro": '"none"', **settings}
        config = self.write(f"{name}.conf", "".join(f"{key} = {value}\n" for key, value in wanted.items()))
        self.run("mkdir", "-p", SYSTEM_SOCKETS)
        program = (sys.executable, "-m", "virtproxy.cli.daemons", name)
        path = os.pathsep.join(map(str, (*([] if site is None else [site]), SUPPORT.parents[1])))
        daemon = self.spawn(name, *program, "-v", "-f", config, *flags, env={"PYTHONPATH": path})
        prefix = "libvirt" if name in ("libvirtd", "virtproxyd") else name
        self.wait_for_socket(daemon, SYSTEM_SOCKETS / f"{prefix}-sock-ro")
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
