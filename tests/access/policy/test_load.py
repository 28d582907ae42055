# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which files a policy is read from, and which are refused because others could have written them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virtproxy.access.policy.load import PolicyError, load_policy
from virtproxy.access.policy.source import SIZE_MAX

TEXT = 'grant = [{ to = "user:root", roles = "admin" }]\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good policy's file."""
    file = tmp_path / "policy.toml"
    file.write_text(TEXT)
    file.chmod(0o644)
    return file


def refusal(path: Path, uid: int | None = None) -> str:
    with pytest.raises(PolicyError) as refused:
        load_policy(str(path), uid=uid)
    return str(refused.value).removeprefix(f"{path}: ")


def test_a_file(path: Path) -> None:
    assert [rule.title for rule in load_policy(str(path)).rules] == ["policy.toml:1 grant admin to user:root"]


def test_a_link_to_a_file(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    assert load_policy(str(link)).rules


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_write(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert refusal(path) == f"can be written by others than its owner (mode 0{mode:o}): chmod go-w it"


@pytest.mark.root
def test_a_file_of_somebody_else(path: Path) -> None:
    os.chown(path, 1234, 0)
    assert refusal(path) == "belongs to user 1234, who could change it: chown it to root"
    assert load_policy(str(path), uid=1234).rules


def test_no_file(path: Path) -> None:
    assert refusal(path.with_name("none")) == "cannot be read: No such file or directory"
    assert refusal(Path("nul\0")) == "cannot be read: embedded null byte"
    assert "is not a plain file" in refusal(path.parent) or "Is a directory" in refusal(path.parent)


def test_a_pipe_does_not_stop_the_daemon(path: Path) -> None:
    pipe = path.with_name("pipe")
    os.mkfifo(pipe, 0o600)
    assert refusal(pipe) == "is not a plain file"


def test_a_file_that_is_too_large(path: Path) -> None:
    path.write_bytes(b"#" * (SIZE_MAX + 1))
    assert refusal(path).startswith(f"is larger than {SIZE_MAX} bytes")
