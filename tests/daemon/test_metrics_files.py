# SPDX-License-Identifier: LGPL-2.1-or-later
"""The dashboard and the alert rules that come with virtproxy: they name what is really shown."""

from __future__ import annotations

import json
import re
import socket
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.daemon.test_lifecycle import started
from tests.daemon.test_metrics import ask
from virtproxy.daemon.metrics_figures import NAMES

ROOT = Path(__file__).parents[2]
RULES = ROOT / "conf/prometheus/virtproxy.rules.yml"
DASHBOARD = ROOT / "conf/grafana/virtproxy.json"
_NAME = re.compile(r"\b(?:virtproxy|process)_[a-z_]+")
_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def shown() -> Iterator[set[str]]:
    """The names of everything that a daemon shows where all is asked for."""
    with tempfile.TemporaryDirectory(prefix="vp") as name, socket.create_server(("127.0.0.1", 0)) as free:
        place, port = Path(name), free.getsockname()[1]
        free.close()
        daemon = started(place, f'metrics_listen = "127.0.0.1:{port}"\nmetrics_domains = ["test:///default"]\n')
        types = re.findall(r"^# TYPE (\S+)", ask(port, "GET", "/metrics")[2].decode(), re.MULTILINE)
        assert daemon.stop() == 0
    # The last is shown where a daemon speaks TLS; test_certificates.py looks at it.
    yield {*types, *NAMES, "virtproxy_certificate_days_left"}


def named(expressions: Iterable[str]) -> set[str]:
    """The metrics in expressions; a part of a histogram is the histogram."""
    return {_HISTOGRAM.sub("", name) for text in expressions for name in _NAME.findall(text)}


def test_alerts_are_about_what_is_shown(shown: set[str]) -> None:
    groups: Any = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert named(rule["expr"] for rule in rules) <= shown
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_dashboard_is_about_what_is_shown(shown: set[str]) -> None:
    dashboard: Any = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert named(expressions) <= shown
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for text in expressions:
        assert (text.count("("), text.count("{")) == (text.count(")"), text.count("}"))
    # What an administrator may ask of a daemon is somewhere on it.
    hidden = {"virtproxy_build_info", "virtproxy_domains_up"}
    own = {name for name in shown if name.startswith("virtproxy_")} - hidden
    missing = own - named(expressions)
    assert missing <= {name for name in own if name.startswith("virtproxy_domain_") or name == "virtproxy_host_cpus"}


def test_every_metric_is_documented(shown: set[str]) -> None:
    text = (ROOT / "docs/metrics.md").read_text()
    assert {name for name in shown if name.startswith("virtproxy_") and f"`{name}`" not in text} == set()
