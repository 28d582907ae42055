# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same odd files for libvirt's own daemon and for our parser: both must take them, or both refuse them.

libvirtd reads its whole file before it does anything, and a wrong value of ovs_timeout, the last key it looks
at, always ends it there: its error then says whether the rest of the file was accepted.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import ConfigError
from virtproxy.daemon.settings import Settings, load

LAST = "\novs_timeout = 'end'\n"

ODD = [
    "abc = 1",
    "max_clients = 010",
    "max_clients = +5",
    "max_clients = -1",
    "max_clients = 4294967295",
    "max_clients = 4294967296",
    "max_clients = 99999999999999999999",
    "max_clients = '5'",
    "max_clients = 0x10",
    "max_clients = 5.5",
    "max_clients = - 5",
    "max_clients =\n5",
    "max_clients\n= 5",
    "max_clients 5",
    "max_clients = 5 6",
    "max_clients = 5; max_workers = 6",
    "max_clients = 5;;",
    "; max_clients = 5",
    "max_clients = \f5",
    "max_clients\t=\t5\t# five",
    "max_clients = 5\r\nmax_workers = 6\r",
    "max_clients = 5\rmax_workers = 6",
    "max_workers = 0",
    "keepalive_interval = -1",
    "keepalive_interval = 2147483648",
    "keepalive_count = -1",
    "tcp_min_ssf = 56",
    "tcp_min_ssf = 112",
    "listen_tcp = 2",
    "listen_tcp = 01",
    "listen_tcp = '1'",
    "listen_tcp = true",
    "audit_logging = -1",
    "auth_tls = 'none'",
    "auth_tls = none",
    'auth_tls = "none',
    'auth_tls = "no\nne"',
    'auth_tls = """none"""',
    "auth_tls = '''none'''",
    'auth_tls = "none" "none"',
    "auth_tls = [ 'none' ]",
    "auth_tls = 0",
    "auth_tls = 'none'\nauth_tls = 'unknown'",
    r'unix_sock_dir = "a\"b"',
    r'unix_sock_dir = "a\b"',
    "access_drivers = 'none'",
    "access_drivers = [ 1 ]",
    "access_drivers = [ ['none'] ]",
    "access_drivers = []",
    "access_drivers = [\n'none'\n,\n]",
    "access_drivers = [ 'none' 'none' ]",
    "access_drivers = [ , 'none' ]",
    "access_drivers = [ 'none',, 'none' ]",
    "access_drivers = [ 'none' # all\n]",
    "access_drivers = [\n# all\n'none' ]",
    "access_drivers = [ 'none'",
    "a.b = 1",
    "a-b = 1",
    "_a = 1",
    "1a = 1",
    "\ufeffmax_clients = 1",
]


def theirs(path: Path) -> str | None:
    """What libvirtd refuses in the file, None if it came to the last key."""
    done = subprocess.run(["libvirtd", "-f", path], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1, done.stderr
    assert "Can't load config file" in done.stderr, done.stderr
    return None if "'ovs_timeout'" in done.stderr else done.stderr


def ours(path: Path) -> ConfigError | None:
    """What our parser refuses in the file, None if it came to the last key; auth values are checked elsewhere."""
    try:
        settings: Settings = load(ROWS["libvirtd"], str(path), required=True)
    except ConfigError as error:
        return None if "ovs_timeout" in error.problem else error
    raise AssertionError(f"the last key was not reached: {settings.set_keys()}")


@pytest.mark.conformance
@pytest.mark.parametrize("text", ODD)
def test_both_accept_or_both_refuse(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.conf"
    path.write_text(text + LAST, newline="")
    their_error, our_error = theirs(path), ours(path)
    assert (their_error is None) == (our_error is None), (their_error, our_error)
    line = re.search(r"odd\.conf:(\d+): ", their_error or "")
    if line is not None and our_error is not None and "list" not in our_error.problem:
        assert our_error.line == int(line.group(1)), (their_error, our_error.message)
