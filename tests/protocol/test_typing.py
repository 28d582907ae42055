# SPDX-License-Identifier: LGPL-2.1-or-later
"""What mypy sees of the declarations: typed constructors, attributes and procedures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# Each line with the error it must give; a line without a comment must be fine.
SAMPLE = """
from virtproxy.protocol import net, remote

domain = remote.NonnullDomain(name="test", uuid=bytes(16), id=1)
args = remote.DomainSuspendArgs(dom=domain)
remote.DOMAIN_SUSPEND.call_frame(1, args)
remote.CONNECT_CLOSE.call_frame(1, None)
number: int = remote.DOMAIN_GET_INFO.decode_ret(remote.DOMAIN_SUSPEND.reply_frame(1, None)).max_mem
names: list[str] = remote.ConnectListDefinedDomainsRet(names=["a"]).names
maybe: str | None = remote.ConnectOpenArgs(name=None, flags=0).name
remote.NonnullDomain(name=b"test", uuid=bytes(16), id=1)  # arg-type
remote.NonnullDomain(name="test", uuid=bytes(16))  # call-arg
remote.NonnullDomain(name="test", uuid=bytes(16), id=1, state=3)  # call-arg
remote.DomainSuspendArgs(dom=None)  # arg-type
remote.ConnectListDefinedDomainsRet(names=[1])  # list-item
remote.DOMAIN_SUSPEND.call_frame(1, remote.DomainResumeArgs(dom=domain))  # arg-type
remote.DOMAIN_SUSPEND.call_frame(1, None)  # arg-type
remote.CONNECT_CLOSE.call_frame(1, args)  # arg-type
remote.DOMAIN_SUSPEND.reply_frame(1, args)  # arg-type
remote.DOMAIN_GET_INFO.decode_ret(remote.DOMAIN_SUSPEND.reply_frame(1, None)).maxMem  # attr-defined
domain.name = "other"  # misc
text: str = domain.id  # assignment
hole = net.StreamHole(length="1", flags=0)  # arg-type
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_wrong_types_are_found(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE)
    # In a process of its own: what mypy leaves behind would slow down every later test.
    options = ["--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}"]
    command = [sys.executable, "-m", "mypy", *options, str(sample)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = {
        int(match[1]): match[2] for match in re.finditer(r"sample\.py:(\d+): error: .* \[([a-z-]+)\]$", output, re.M)
    }
    lines = enumerate(SAMPLE.splitlines(), start=1)
    assert found == {number: line.partition("  # ")[2] for number, line in lines if "  # " in line}, output
