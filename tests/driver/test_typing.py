# SPDX-License-Identifier: LGPL-2.1-or-later
"""mypy, as a driver's author runs it: right methods pass, wrong arguments and results are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

HEAD = """
from __future__ import annotations
from virtproxy.driver import Call, Driver, implements, remote

class Toy(Driver):
    name = "toy"
"""
METHODS = """
    @implements(remote.DOMAIN_SUSPEND)
    async def suspend(self, call: Call, args: remote.DomainSuspendArgs) -> None:
        call.authorize(args.dom.name)

    @implements(remote.DOMAIN_RESUME)
    async def {name}(self, call: Call, args: {args}) -> {result}:
        {body}
"""


@pytest.mark.slow
def test_wrong_arguments_and_results_are_found(tmp_path: Path) -> None:
    cases = {
        "right": ("remote.DomainResumeArgs", "None", "call.authorize(args.dom)"),
        "wrong_args": ("remote.DomainDestroyArgs", "None", "call.authorize(args.dom)"),
        "wrong_result": ("remote.DomainResumeArgs", "int", "return 1"),
        "wrong_field": ("remote.DomainResumeArgs", "None", "call.authorize(args.guest)"),
    }
    for name, (args, result, body) in cases.items():
        text = HEAD + METHODS.format(name=name, args=args, result=result, body=body)
        (tmp_path / f"{name}.py").write_text(text)
    files = [str(tmp_path / f"{name}.py") for name in cases]
    output, problems, _ = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), "--config-file=", *files])
    assert not problems
    wrong = {line.partition(".py:")[0].rpartition("/")[2] for line in output.splitlines() if ": error:" in line}
    assert wrong == {"wrong_args", "wrong_result", "wrong_field"}, output
