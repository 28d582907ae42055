# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virt-ssh-helper URI``: joins standard input and output to the local daemon that serves URI.

A libvirt client that opens qemu+ssh://host/system runs it on host over ssh. It takes libvirt's options and
finds the socket as libvirt's helper does. It must not import Twisted: every ssh connection waits for its start.
"""

from __future__ import annotations

import argparse
import contextlib
import sys

from virtproxy import __version__
from virtproxy.cli.local_socket import Caller, LocalUriError, find_socket
from virtproxy.cli.splice import splice
from virtproxy.rpc.session_daemon import ConnectError, connect

PROGRAM = "virt-ssh-helper"


def main(arguments: list[str] | None = None) -> int:
    """Run with these arguments (default: the command line's); return the exit status."""
    options = _parse(arguments)
    try:
        where = find_socket(options.uri, options.readonly, Caller.this_process())
        if options.verbose:
            _say(f"using '{where.path}'")
        with connect(where.path, where.daemon) as sock:
            splice(sock)
    except (LocalUriError, ConnectError) as error:
        _say(str(error))
        return 1
    except OSError as error:
        _say(f"the connection broke: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Joins standard input and output to the local libvirt daemon that serves URI. "
        "Clients run it over ssh (qemu+ssh://host/system); people need not.",
        epilog="example: virt-ssh-helper qemu:///system",
    )
    parser.add_argument("-r", "--readonly", action="store_true", help="use the read-only socket")
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error which socket is used")
    parser.add_argument("-V", "--version", action="version", version=f"{PROGRAM} (virtproxy) {__version__}")
    parser.add_argument("uri", metavar="URI", help="a local URI, for example qemu:///system or qemu:///session")
    return parser.parse_args(arguments)


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):  # where ssh has gone, nobody is left to read it
        print(f"{PROGRAM}: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
