# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a driver class is put together, and what the type checker finds wrong with one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mypy import api

from tests.support.toy import ToyDriver
from virtproxy.driver import Call, Driver, implements, remote

ROOT = Path(__file__).parents[2]


class First(Driver):
    name = "first"

    @implements(remote.CONNECT_GET_TYPE)
    async def type(self, call: Call, args: None) -> remote.ConnectGetTypeRet:
        return remote.ConnectGetTypeRet(type="first")


def test_methods_are_found_by_procedure() -> None:
    driver = First()
    method = driver.method(remote.CONNECT_GET_TYPE)
    assert method is not None
    assert method == driver.type
    assert driver.method(remote.CONNECT_GET_VERSION) is None


def test_each_class_has_a_table_of_its_own() -> None:
    assert First.methods != ToyDriver.methods
    assert Driver.methods == {}


def test_two_methods_for_one_procedure_fail_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="both again and type implement CONNECT_GET_TYPE"):

        class Second(First):
            @implements(remote.CONNECT_GET_TYPE)
            async def again(self, call: Call, args: None) -> remote.ConnectGetTypeRet:
                return remote.ConnectGetTypeRet(type="again")


def test_an_override_keeps_its_procedure() -> None:
    class Third(First):
        async def type(self, call: Call, args: None) -> remote.ConnectGetTypeRet:
            return remote.ConnectGetTypeRet(type="third")

    driver = Third()
    assert driver.method(remote.CONNECT_GET_TYPE) == driver.type


def test_an_event_cannot_be_implemented() -> None:
    with pytest.raises(TypeError, match="DOMAIN_EVENT_LIFECYCLE is an event"):
        implements(remote.DOMAIN_EVENT_LIFECYCLE)


SAMPLE = """
from __future__ import annotations

from virtproxy.driver import Call, Driver, implements, remote


class Sample(Driver):
    name = "sample"

    @implements(remote.DOMAIN_GET_INFO)
    async def right(self, call: Call, args: remote.DomainGetInfoArgs) -> remote.DomainGetInfoRet:
        return remote.DomainGetInfoRet(state=1, max_mem=1, memory=1, nr_virt_cpu=1, cpu_time=1)

    {method}
"""

WRONG = {
    "arguments of another procedure": """@implements(remote.DOMAIN_SUSPEND)
    async def wrong(self, call: Call, args: remote.DomainResumeArgs) -> None: ...""",
    "result of another procedure": """@implements(remote.DOMAIN_GET_STATE)
    async def wrong(self, call: Call, args: remote.DomainGetStateArgs) -> remote.DomainGetInfoRet:
        raise NotImplementedError""",
    "a result where there is none": """@implements(remote.DOMAIN_SUSPEND)
    async def wrong(self, call: Call, args: remote.DomainSuspendArgs) -> remote.DomainGetInfoRet:
        raise NotImplementedError""",
    "not async": """@implements(remote.DOMAIN_SUSPEND)
    def wrong(self, call: Call, args: remote.DomainSuspendArgs) -> None: ...""",
}


def check(tmp_path: Path, method: str) -> tuple[str, int]:
    """What mypy --strict says of the sample driver with one more method."""
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE.format(method=method))
    cache = f"--cache-dir={tmp_path / 'cache'}"
    version = f"--python-version={sys.version_info[0]}.{sys.version_info[1]}"
    out, _, status = api.run(["--strict", "--config-file=", "--follow-imports=silent", cache, version, str(sample)])
    return out, status


@pytest.mark.timeout(180)
def test_mypy_refuses_wrong_arguments_and_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    out, status = check(tmp_path, "")
    assert status == 0, out
    for what, method in WRONG.items():
        out, status = check(tmp_path, method)
        assert status == 1, what
        assert "[arg-type]" in out, out
