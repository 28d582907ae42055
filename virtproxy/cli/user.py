# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy user``: who may log in by a password, where sockets ask for SASL.

cli/main.py makes it a subcommand. How the database is changed is auth/sasl/users.py's business.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from pathlib import Path

from virtproxy.auth.sasl.config import database_file
from virtproxy.auth.sasl.users import PASSWORD_MAX, User, UserError, Users
from virtproxy.cli.output import CommandError, Narrator

_EPILOG = """\
examples:
  virtproxy user add joe                     ask twice for a password
  pass show joe | virtproxy user add joe --stdin
  virtproxy user passwd joe                  another password
  virtproxy user list --json                 who there is, for a script
  virtproxy user remove joe

The users are those of libsasl2, in the sasldb_path of /etc/sasl2/libvirt.conf or /etc/sasldb2, where the C daemons
look too. The daemon must ask for SASL (auth_tls = "sasl"), and mech_list in that libvirt.conf must have a mechanism
by password, best scram-sha-256.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="user_command", required=True, metavar="WHAT")
    for name, summary in (("add", "add a user"), ("passwd", "set a user's password"), ("remove", "remove a user")):
        command = _command(commands, name, summary)
        command.add_argument("name", help="the user's name, without a realm")
        command.add_argument("--realm", help="the user's realm (default: this host's name)")
        if name != "remove":
            command.add_argument("--stdin", action="store_true", help="read the password from standard input, one line")
    _command(commands, "list", "show the users").add_argument("--json", action="store_true", help="as a JSON object")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    command.add_argument("--file", type=Path, help="the database (default: sasldb_path of libsasl2's libvirt.conf)")
    return command


def run(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit status. CommandError says why it could not."""
    try:
        users = Users(options.file or Path(database_file(os.environ)), getattr(options, "realm", None))
        _ACTIONS[options.user_command](users, options)
    except UserError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"libsasl2's libvirt.conf cannot be read: {error.strerror}") from None
    return 0


def _add(users: Users, options: argparse.Namespace) -> None:
    added = users.add(options.name, _password(options))
    Narrator().done(f'added "{added.name}" of {added.realm} to {users.path}')


def _passwd(users: Users, options: argparse.Namespace) -> None:
    users.set_password(options.name, _password(options))
    Narrator().done(f'"{options.name}" has another password in {users.path}')


def _remove(users: Users, options: argparse.Namespace) -> None:
    users.remove(options.name)
    Narrator().done(f'removed "{options.name}" from {users.path}')


def _list(users: Users, options: argparse.Namespace) -> None:
    found: list[User] = users.everybody()
    if options.json:
        print(json.dumps({"file": str(users.path), "users": [user._asdict() for user in found]}))
        return
    width = max((len(user.name) for user in found), default=0)
    for user in found:
        print(f"{user.name:{width}}  {user.realm}")
    if not found:
        print(f"nobody: {users.path} has no user yet", file=sys.stderr)


_ACTIONS = {"add": _add, "passwd": _passwd, "remove": _remove, "list": _list}


def _password(options: argparse.Namespace) -> str:
    """The new password, from a terminal (twice) or from standard input."""
    if options.stdin:
        line = sys.stdin.readline(2 * PASSWORD_MAX)
        return line.removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask for a password: give it on standard input with --stdin")
    password = getpass.getpass(f"Password of {options.name}: ")
    if getpass.getpass("Once more: ") != password:
        raise CommandError("the two are not the same; nothing was changed")
    return password
