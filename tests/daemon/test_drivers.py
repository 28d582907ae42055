# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which drivers there are, and that what is none is said in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.brought import SPEAKING, bring
from virtproxy.cli.main import main
from virtproxy.daemon import config, drivers
from virtproxy.daemon.catalogue import OWN_DRIVERS, ROWS, SECONDARIES, Kind
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.options import options_for
from virtproxy.daemon.plan import Plan, make_plan
from virtproxy.daemon.settings import Settings
from virtproxy.driver import Driver

Bring = Callable[..., None]


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bring]:
    """Installs packages; each call is one."""

    def install(points: Mapping[str, str], text: str = SPEAKING, name: str = "fake-driver") -> None:
        site = bring(tmp_path / name, points, text, name)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "fake_driver", raising=False)
        drivers.others.cache_clear()

    yield install
    drivers.others.cache_clear()


def test_a_driver_that_is_brought_is_a_daemon_and_a_part_of_libvirtd(brought: Bring) -> None:
    brought({"fake": "fake_driver:FakeDriver"})
    row = drivers.row_of("virtfaked")
    assert row is not None
    assert (row.kind, row.scheme, row.local, row.forwards) == (Kind.HYPERVISOR, "fake", ("fake",), SECONDARIES)
    assert (row.config_name, row.socket_prefix, row.uris) == (
        "virtfaked.conf",
        "virtfaked",
        ("fake:///system", "fake:///session"),
    )
    assert "virtfaked" in set(drivers.all_rows()) - set(ROWS)
    whole = drivers.row_of("libvirtd")
    assert whole is not None
    assert {*OWN_DRIVERS, "fake"} <= set(whole.local)
    assert drivers.load("fake").__name__ == "FakeDriver"


def test_a_driver_of_libvirts_that_is_not_here_can_be_brought(brought: Bring) -> None:
    brought({"lxc": "fake_driver:FakeDriver", "secret": "fake_driver:FakeDriver"})
    lxc, secret = drivers.row_of("virtlxcd"), drivers.row_of("virtsecretd")
    assert lxc is not None
    assert (lxc.local, lxc.driver_name) == (("lxc",), "LXC")
    # One that virtproxy has cannot be taken from it.
    assert secret == ROWS["virtsecretd"]
    assert "secret" not in drivers.others()


@pytest.mark.parametrize("name", ["virtfoodd", "virtd", "virt", "", "virt../../etcd", "fake", "virtlogd"])
def test_there_is_no_such_daemon(brought: Bring, name: str) -> None:
    brought({"log": "fake_driver:FakeDriver", "../../etc": "fake_driver:FakeDriver"})
    assert drivers.row_of(name) is None


@pytest.mark.parametrize(
    ("origin", "text", "why"),
    [
        ("fake_driver:FakeDriver", "import nothing_such\n", "No module named 'nothing_such'"),
        ("fake_driver:FakeDriver", "1 / 0\n", "ZeroDivisionError: division by zero"),
        ("fake_driver:Missing", SPEAKING, "has no attribute 'Missing'"),
        ("fake_driver:said", SPEAKING, "fake_driver:said is no class that derives from virtproxy.driver.Driver"),
        ("fake_driver:Driver", SPEAKING, 'called ""'),
        ("fake_driver:FakeDriver", SPEAKING.replace('"fake"', '"other"'), 'is called "other": its name and its entry'),
    ],
)
def test_what_cannot_be_loaded_is_said(brought: Bring, origin: str, text: str, why: str) -> None:
    brought({"fake": origin}, text)
    with pytest.raises(StartupError) as refused:
        drivers.load("fake")
    assert refused.value.exit_code == 11
    assert refused.value.message.startswith("the driver fake cannot be loaded: ")
    assert why in refused.value.message


def test_two_packages_with_one_name(brought: Bring) -> None:
    brought({"fake": "fake_driver:FakeDriver"}, name="one")
    brought({"fake": "fake_driver:FakeDriver"}, name="two")
    with pytest.raises(StartupError, match="one and two both bring one: remove all but one of them"):
        drivers.load("fake")


def test_settings_may_name_it(brought: Bring, tmp_path: Path) -> None:
    path = tmp_path / "d.conf"
    path.write_text(
        'backend_sockets = [ "fake=/srv/fake" ]\nmetrics_listen = "unix:/m"\nmetrics_domains = ["fake:///system"]'
    )
    with pytest.raises(StartupError, match=r"metrics_domains takes URIs such as"):
        planned(path)
    brought({"fake": "fake_driver:FakeDriver"})
    assert planned(path).backends["fake"] == "/srv/fake"


def test_its_files_are_laid_down(brought: Bring, tmp_path: Path) -> None:
    brought({"fake": "fake_driver:FakeDriver"})
    root = tmp_path / "root"
    assert main(["install", "--root", str(root), "--daemons", "virtfaked", "--unit-dir", "/units"]) == 0
    kinds = (".service", ".socket", "-ro.socket", "-admin.socket")
    assert {path.name for path in (root / "units").iterdir()} == {f"virtfaked{kind}" for kind in kinds}
    assert "ListenStream=/run/libvirt/virtfaked-sock\n" in (root / "units/virtfaked.socket").read_text()
    assert "Description=virtproxy: libvirt fake daemon\n" in (root / "units/virtfaked.service").read_text()
    path = root / "etc/libvirt/virtfaked.conf"
    assert Settings(drivers.all_rows()["virtfaked"], str(path), config.read(str(path))).set_keys() == []
    assert main(["install", "--root", str(root), "--daemons", "virtfaked", "--unit-dir", "/units", "--remove"]) == 0
    assert [each for each in root.rglob("*") if each.is_file()] == []


def planned(path: Path) -> Plan:
    """What virtproxyd would do with a configuration file."""
    options = options_for(ROWS["virtproxyd"])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse(["-f", str(path)])
    return make_plan(options, {}, 0)


def test_our_own_drivers_are_there() -> None:
    there = drivers.check_drivers(ROWS["libvirtd"]).local
    assert {"test", "secret"} <= set(there)
    for scheme in there:
        assert issubclass(drivers.load(scheme), Driver)


def test_a_row_without_its_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN_DRIVERS, "secret", "virtproxy.drivers.nothing:SecretDriver")
    said = r"^virtsecretd has no driver in this version of virtproxy; run libvirt's own virtsecretd"
    with pytest.raises(StartupError, match=said):
        drivers.check_drivers(ROWS["virtsecretd"])
    assert "secret" not in drivers.check_drivers(ROWS["libvirtd"]).local
