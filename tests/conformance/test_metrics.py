# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metrics and the log in front of a real libvirtd: what it tells is shown, and when it is stuck it is left alone."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.labs import furnished
from tests.daemon.test_metrics import samples
from tests.support.lab import BACKEND_SOCKETS, FAMILIES, INSIDE, Daemon, Lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(90)]

URI = "qemu:///system"
GUEST = "<domain type='qemu'><name>bench</name><memory>65536</memory><os><type>hvm</type></os></domain>"
ADMIN = "libvirtd:///system?socket=/run/libvirt/libvirt-admin-sock"


@dataclass
class Host:
    """virtproxyd that shows the figures of the libvirtd behind it."""

    lab: Lab
    libvirtd: Daemon

    def scrape(self) -> dict[str, float]:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.lab.outside(INSIDE / "metrics")))
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            page = b""
            while piece := client.recv(65536):
                page += piece
        return samples(page.partition(b"\r\n\r\n")[2])

    def shows(self, name: str, value: float) -> None:
        """Wait until a figure is there, as scrapers do."""
        wait_until(lambda: self.scrape().get(name) == value, f"{name} {value}", 20)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with furnished() as lab:
        libvirtd = lab.libvirtd(BACKEND_SOCKETS)
        lab.virtproxyd(
            dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock"),
            metrics_listen=f'"unix:{INSIDE}/metrics"',
            metrics_domains=f'[ "{URI}" ]',
            metrics_domains_interval="1",
            log_outputs=f'"1:json:{INSIDE}/log"',
        )
        yield Host(lab, libvirtd)


def test_what_libvirtd_tells_is_shown(host: Host) -> None:
    host.lab.run("virsh", "-c", URI, "define", host.lab.write("bench.xml", GUEST))
    host.shows(f"virtproxy_domain_state domain=bench uri={URI}", 5)
    found = host.scrape()
    assert found[f"virtproxy_domains state=shutoff uri={URI}"] == 1
    assert found[f"virtproxy_domain_memory_max_bytes domain=bench uri={URI}"] == 64 * 1024 * 1024
    assert found[f"virtproxy_host_cpus uri={URI}"] >= 1
    assert found[f"virtproxy_host_memory_bytes uri={URI}"] > found[f"virtproxy_host_memory_free_bytes uri={URI}"] > 0
    assert found["virtproxy_calls_total backend=qemu procedure=domain_define_xml"] == 1


def test_a_stuck_libvirtd_leaves_the_scrapes_quick_and_gets_one_question(host: Host) -> None:
    host.shows(f"virtproxy_domains_up uri={URI}", 1)
    age = f"virtproxy_domains_age_seconds uri={URI}"
    asked = "virtproxy_calls_total backend=qemu procedure=node_get_info"
    with host.libvirtd.stopped():
        host.scrape()
        before = host.scrape()[asked]
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            found = host.scrape()
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.15)
        assert slowest < 1
        assert found[age] >= 2.5
        assert found[asked] == before
        assert found[f"virtproxy_host_cpus uri={URI}"] >= 1
    wait_until(lambda: host.scrape()[age] < 2, "new figures", 20)


def test_virt_admin_changes_the_log(host: Host) -> None:
    def admin(*words: str) -> str:
        return host.lab.run("virt-admin", "-c", ADMIN, *words).stdout

    def logged() -> list[dict[str, object]]:
        text = host.lab.outside(INSIDE / "log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    assert "Logging outputs: 1:json:" in admin("daemon-log-outputs")
    admin("daemon-log-filters", "1:service 4:*event")
    assert "Logging filters: 1:*service* 4:*event*" in admin("daemon-log-filters")
    host.lab.run("virsh", "-c", URI, "uri")
    wait_until(lambda: any("is gone" in str(line["message"]) for line in logged()), "a line about the client", 10)
    (connected,) = [line for line in logged() if "connected: " in str(line["message"])]
    assert connected["level"] == "debug"
    assert connected["subject"] == "user:root"
    refused = host.lab.run("virt-admin", "-c", ADMIN, "daemon-log-outputs", "1:file:relative", check=False)
    assert "must be an absolute path" in refused.stderr
    admin("daemon-log-filters", "")
    assert "service" not in admin("daemon-log-filters")
