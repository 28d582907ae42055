# SPDX-License-Identifier: LGPL-2.1-or-later
"""pytest's fixtures as the author of a tool uses them: found by their entry point, with the real libvirt-python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import subprocess
from pathlib import Path

# The system's Python, which has the system's libvirt-python.
PROGRAM = '''
import libvirt, sys
conn = libvirt.open(sys.argv[1])
print(*sorted(dom.name() for dom in conn.listAllDomains()))
try:
    conn.lookupByName(sys.argv[2]).destroy()
except libvirt.libvirtError as error:
    print(error.get_error_code())
'''

def answer(uri, name):
    command = ["/usr/bin/python3", "-c", PROGRAM, uri, name]
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.splitlines()

def test_uri(libvirt_uri):
    assert libvirt_uri.startswith("test+unix:///default?socket=")
    assert answer(libvirt_uri, "test") == ["test"]
    assert answer(libvirt_uri, "test") == ["test", "55"]

def test_each_test_has_its_own(libvirt_uri):
    assert answer(libvirt_uri, "test") == ["test"]

def test_scenarios(fake_libvirt, tmp_path):
    host = fake_libvirt('host.base = "empty"\\n[[guests]]\\nname = "a{n}"\\ncount = 2\\n')
    other = fake_libvirt()
    host.set_fault("virDomainDestroy", error="OPERATION_DENIED")
    assert answer(host.uri, "a2") == ["a1 a2", "29"]
    assert answer(other.uri, "test") == ["test"]
    Path("seen").write_text(f"{host.directory} {other.directory}")
"""


@pytest.mark.programs("virsh")
def test_a_tools_tests_have_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)
    assert not [name for name in Path("seen").read_text().split() if Path(name).exists()]


def test_the_fixtures_are_explained(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["libvirt_uri -- *", "*Give the URI of a fake libvirt host*"])


def test_the_plugin_loads_next_to_nothing() -> None:
    program = (
        "import sys, virtproxy.testing.plugin\nprint('twisted' in sys.modules, 'virtproxy.protocol' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]
