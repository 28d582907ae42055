# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki`: a certificate authority in one directory, its certificates from the first to the last day.

cli/main.py makes it a subcommand. Here is what can be asked for; what is done is the business of pki_issue.py,
pki_list.py, pki_check.py and pki_install.py, which are loaded only when they are needed.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

_EPILOG = """\
examples:
  virtproxy pki init                         an authority, in ./pki
  virtproxy pki server --host vm1.example --host 192.0.2.7
                                             a certificate for a daemon, for every name that clients dial
  virtproxy pki client --name alice --unit operators --out alice
                                             a certificate for a user, and a directory to hand over
  virtproxy pki install server               put it where libvirt's daemons look, in /etc/pki
  virtproxy pki check --host vm1.example     what is wrong with the files that virtproxyd would use
  virtproxy pki list --warn 60               what was issued, and what ends soon
  virtproxy pki revoke alice                 take it back; "install crl" tells the daemon

A daemon reads the first three, a client of that directory the others:
  servercert.pem serverkey.pem cacert.pem    cert_file, key_file and ca_file of virtproxyd.conf
  clientcert.pem clientkey.pem cacert.pem    virsh -c 'qemu+tls://vm1.example/system?pkipath=/path/to/alice'

Keep the directory with cakey.pem where neither of them can read it, best on another host.
Exit status: 0 all is well; 1 it could not be done or looked at; 2 a mistake on the command line; 3 "list" and
"check" found something that needs you.
"""
# Which function of which module does what.
_PLACES = {
    "init": ("pki_issue", "init"),
    "server": ("pki_issue", "server"),
    "client": ("pki_issue", "client"),
    "revoke": ("pki_issue", "revoke"),
    "crl": ("pki_issue", "crl"),
    "list": ("pki_list", "list_issued"),
    "check": ("pki_check", "check"),
    "install": ("pki_install", "install"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `virtproxy pki` takes."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="pki_command", required=True, metavar="WHAT")
    _add_init(commands)
    _add_server(commands)
    _add_client(commands)
    _add_revoke(commands)
    _add_list(commands)
    _add_check(commands)
    _add_install(commands)


def run(options: argparse.Namespace) -> int:
    """Do what the options say; returns the exit status. CommandError says why it could not."""
    module, function = _PLACES[options.pki_command]
    status: int = getattr(import_module(f"virtproxy.cli.{module}"), function)(options)
    return status


Commands = argparse._SubParsersAction


def _command(commands: Commands[argparse.ArgumentParser], name: str, summary: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument(
        "--dir", type=Path, default=Path("pki"), help="the authority's directory (default: %(default)s)"
    )
    return parser


def _add_days(parser: argparse.ArgumentParser, days: int) -> None:
    parser.add_argument("--days", type=_days, default=days, help="how long it is valid (default: %(default)s)")


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="write there instead, with cacert.pem beside it: a whole pkipath")
    parser.add_argument("--replace", action="store_true", help="renew: write over the certificate and key there")


def _add_init(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "init", "make an authority: cacert.pem, cakey.pem")
    _add_days(parser, 3650)
    parser.add_argument("--name", default="virtproxy CA", help="its name (default: %(default)s)")
    parser.add_argument("--organization", default="virtproxy", metavar="O", help="the O= (default: %(default)s)")


def _add_server(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "server", "issue a server's certificate: servercert.pem, serverkey.pem")
    _add_days(parser, 397)
    parser.add_argument(
        "--host",
        action="append",
        metavar="NAME",
        help="a name or address that clients use for it; may be given more than once (default: this host's name)",
    )
    _add_out(parser)


def _add_client(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "client", "issue a client's certificate: clientcert.pem, clientkey.pem")
    _add_days(parser, 397)
    parser.add_argument("--name", required=True, help="whose it is, the CN= of its distinguished name")
    parser.add_argument("--organization", default="virtproxy", metavar="O", help="the O= (default: %(default)s)")
    parser.add_argument("--unit", action="append", default=[], metavar="OU", help="an OU=; more than once is fine")
    parser.add_argument("--email", action="append", default=[], help="an alternative name; more than once is fine")
    parser.add_argument(
        "--uri", action="append", default=[], help="an alternative name, such as spiffe://example/alice"
    )
    _add_out(parser)


def _add_revoke(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "revoke", "take a certificate back, and write cacrl.pem anew")
    parser.add_argument("what", help="its file, its serial number, its common name or its distinguished name")
    parser.add_argument("--all", action="store_true", help="every certificate of that name")
    parser.add_argument(
        "--reason",
        default="",
        choices=["key-compromise", "affiliation-changed", "superseded", "cessation-of-operation"],
    )
    _add_days(parser, 365)
    _add_days(_command(commands, "crl", "write cacrl.pem anew before it is out of date"), 365)


def _add_list(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "list", "show what was issued, and what ends soon")
    parser.add_argument(
        "--warn", type=_days, default=30, metavar="DAYS", help="which end is soon (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def _add_check(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "check", "say what is wrong with the files that virtproxyd would use")
    parser.add_argument("-f", "--config", type=Path, metavar="FILE", help="its configuration (default: as virtproxyd)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--system", action="store_true", help="as for the system's daemon (default for root)")
    mode.add_argument("--session", action="store_true", help="as for a user's own daemon")
    parser.add_argument("--user", help="whom the daemon runs as (default: root, or with --session this user)")
    parser.add_argument("--host", action="append", default=[], help="a name or address that clients will dial")
    parser.add_argument(
        "--warn", type=_days, default=30, metavar="DAYS", help="which end is soon (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def _add_install(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "install", "put files where libvirt looks for them: /etc/pki")
    parser.add_argument("what", choices=["server", "client", "crl"], help="a certificate with its key and authority")
    parser.add_argument(
        "--from", type=Path, dest="source", metavar="DIR", help="the directory to take it from (default: that of --dir)"
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="of an image or container (default: %(default)s)")
    parser.add_argument("--replace", action="store_true", help="write over other files that are there")


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 100_000:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of days from 1 to 99999')
    return int(text)
