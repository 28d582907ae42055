# SPDX-License-Identifier: LGPL-2.1-or-later
"""A started secret driver in a directory of its own, and what tests ask of it over and over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.toy import result_of
from virtproxy.driver import Place, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.secret import SecretDriver

UUID = "11111111-2222-3333-4444-555555555555"
Start = Callable[..., "Client"]


class Client(DriverHarness):
    """One client of a secret driver; each method is a call that must succeed."""

    def define(self, text: str) -> remote.NonnullSecret:
        """Define a secret."""
        args = remote.SecretDefineXmlArgs(xml=text, flags=0)
        return result_of(self.call(remote.SECRET_DEFINE_XML, args)).secret

    def set_value(self, secret: remote.NonnullSecret, value: bytes) -> None:
        """Give it a value."""
        args = remote.SecretSetValueArgs(secret=secret, value=value, flags=0)
        result_of(self.call(remote.SECRET_SET_VALUE, args))

    def value(self, secret: remote.NonnullSecret) -> bytes:
        """Its value."""
        args = remote.SecretGetValueArgs(secret=secret, flags=0)
        return result_of(self.call(remote.SECRET_GET_VALUE, args)).value

    def xml(self, secret: remote.NonnullSecret) -> str:
        """Its document."""
        args = remote.SecretGetXmlDescArgs(secret=secret, flags=0)
        return result_of(self.call(remote.SECRET_GET_XML_DESC, args)).xml

    def undefine(self, secret: remote.NonnullSecret) -> None:
        """Forget it."""
        result_of(self.call(remote.SECRET_UNDEFINE, remote.SecretUndefineArgs(secret=secret)))

    def uuids(self, flags: int = 0) -> list[str]:
        """The UUIDs of a list, in hexadecimal."""
        args = remote.ConnectListAllSecretsArgs(need_results=1, flags=flags)
        return [one.uuid.hex() for one in result_of(self.call(remote.CONNECT_LIST_ALL_SECRETS, args)).secrets]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a driver on the test's directory, as a daemon does, and returns a client of it."""

    def starting(settings: dict[str, Any] | None = None, **named: Any) -> Client:
        driver = SecretDriver(Place.under(tmp_path, settings=settings or {}))
        result_of(driver.start())
        return Client(driver, uri="secret:///system", **named)

    return starting


@pytest.fixture
def client(start: Start) -> Client:
    """A client of a driver without settings."""
    return start()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Where the driver keeps its files."""
    return tmp_path / "config" / "secrets"


def document(uuid: str = UUID, usage: str = "", attributes: str = "", description: str = "") -> str:
    """A secret's document."""
    named = f"<usage type='ceph'><name>{usage}</name></usage>" if usage else ""
    return f"<secret {attributes}><uuid>{uuid}</uuid><description>{description}</description>{named}</secret>"
