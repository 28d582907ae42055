# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds and loads the policy that a subcommand of `virtproxy policy` is about."""

from __future__ import annotations

import os

from virtproxy.access.policy.load import PolicyError, load_policy
from virtproxy.access.policy.policy import Policy
from virtproxy.cli.output import CommandError
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.paths import places
from virtproxy.daemon.settings import load as load_settings

DEFAULT = "/etc/libvirt/virtproxy-policy.toml"


def policy_path(path: str | None) -> str:
    """The path that was given, else that of virtproxyd's settings, else the usual one. CommandError."""
    if path is not None:
        return path
    row = ROWS["virtproxyd"]
    try:
        settings = load_settings(row, places(os.environ, os.geteuid()).config_file(row), required=False)
    except StartupError as error:
        raise CommandError(f"{error.message}; say which policy is meant with --file") from None
    return settings.text("policy_file") or DEFAULT


def load(path: str | None) -> Policy:
    """The policy to be asked. CommandError with everything that is wrong with it."""
    try:
        return load_policy(policy_path(path))
    except PolicyError as error:
        raise CommandError("\n".join(problem.at(error.path) for problem in error.problems)) from None
