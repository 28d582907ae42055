# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki`: a certificate authority, and certificates for servers and clients, in one directory.

cli/main.py makes it a subcommand. What is written where is certificates.py's business.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable
from pathlib import Path

from virtproxy.cli.output import CommandError, Narrator

_EPILOG = """\
examples:
  virtproxy pki ca                          an authority, in ./pki
  virtproxy pki server --host vm1.example   a certificate for a daemon (tls_allowed_dn_list looks at clients')
  virtproxy pki client --name alice         a certificate for a user

A daemon reads the first three, a client of that directory the others:
  servercert.pem serverkey.pem cacert.pem   cert_file, key_file and ca_file of virtproxyd.conf
  clientcert.pem clientkey.pem cacert.pem   virsh -c 'qemu+tls://vm1.example/system?pkipath=/path/to/pki'

Keep cakey.pem where neither of them can read it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="pki_command", required=True, metavar="WHAT")
    authority = _command(commands, "ca", "make an authority: cacert.pem, cakey.pem", 3650)
    authority.add_argument("--name", default="virtproxy CA", help="its name (default: %(default)s)")
    server = _command(commands, "server", "issue a server's certificate: servercert.pem, serverkey.pem", 397)
    server.add_argument(
        "--host",
        action="append",
        metavar="NAME",
        help="a name or address that clients use for it; may be given more than once (default: this host's name)",
    )
    client = _command(commands, "client", "issue a client's certificate: clientcert.pem, clientkey.pem", 397)
    client.add_argument("--name", required=True, help="whose it is, the CN= of its distinguished name")


def run(options: argparse.Namespace) -> int:
    """Make what the options say; returns the exit status. CommandError says why it could not."""
    made = _ACTIONS[options.pki_command](options)
    tell = Narrator()
    for path in made:
        tell.done(f"wrote {path}")
    if options.pki_command == "client":
        tell.note(f'tls_allowed_dn_list knows it as "{_subject(made[0])}"')
    return 0


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, days: int
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("--dir", type=Path, default=Path("pki"), help="where (default: %(default)s)")
    parser.add_argument("--days", type=_days, default=days, help="how long it is valid (default: %(default)s)")
    return parser


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 100_000:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of days from 1 to 99999')
    return int(text)


def _make_authority(options: argparse.Namespace) -> list[Path]:
    from virtproxy.cli.certificates import create_authority

    return create_authority(options.dir, options.name, options.days)


def _make_server(options: argparse.Namespace) -> list[Path]:
    from virtproxy.cli.certificates import issue_server

    return issue_server(options.dir, options.host or [socket.getfqdn()], options.days)


def _make_client(options: argparse.Namespace) -> list[Path]:
    from virtproxy.cli.certificates import issue_client

    return issue_client(options.dir, options.name, options.days)


_ACTIONS: dict[str, Callable[[argparse.Namespace], list[Path]]] = {
    "ca": _make_authority,
    "server": _make_server,
    "client": _make_client,
}


def _subject(certificate: Path) -> str:
    from cryptography import x509

    from virtproxy.auth.distinguished_name import subject_of

    try:
        return subject_of(x509.load_pem_x509_certificate(certificate.read_bytes()))
    except OSError as error:
        raise CommandError(f"{certificate} cannot be read again: {error.strerror}") from None
