# SPDX-License-Identifier: LGPL-2.1-or-later
"""What changes from run to run and from version to version in what clients print, and what stands for it."""

from __future__ import annotations

import re

MASKS = (
    (re.compile(r"CPU time: +[\d.]+s"), "CPU time: <s>"),
    (re.compile(r"\b(rd_\w+|wr_\w+|errs|rx_\w+|tx_\w+) \d+"), r"\1 <count>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\b1[6-9]\d{17}\b"), "<cpu time>"),
    (re.compile(r"\b1[6-9]\d{13}\b"), "<vcpu time>"),
    (re.compile(r"\b1[6-9]\d{8}\b"), "<now>"),
    (re.compile(r"52:54:00(:[0-9a-f]{2}){3}"), "<mac>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}"), "<date>"),
    (re.compile(r"_max (?=['\n])"), "_max"),  # a space that 9.0.0 has at the end of a message
    (re.compile(r"%1\$s"), "%s"),  # how libvirt since 9.1 writes a template
    (re.compile(r"test\+unix:///default\?socket=\S+"), "test:///default"),
)


def masked(text: str) -> str:
    """What does not change from run to run."""
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text
