# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest has what the lab is for: device-mapper, an NFS server that can be mounted, iSCSI sessions."""

from __future__ import annotations

from pathlib import Path

from tests.lab.conftest import Target, run, wait


def test_logical_volumes_are_made_and_hold_a_file_system(disk: str, tmp_path: Path) -> None:
    run("vgcreate", "lab", disk)
    try:
        run("lvcreate", "--yes", "--size", "64M", "--name", "volume", "lab")
        run("mkfs.ext4", "-q", "/dev/lab/volume")
        run("mount", "/dev/lab/volume", tmp_path)
        (tmp_path / "file").write_text("kept")
        run("umount", tmp_path)
        assert run("lvs", "--noheadings", "--options", "lv_name,lv_size", "lab").split() == ["volume", "64.00m"]
    finally:
        run("vgremove", "--yes", "--force", "lab")


def test_an_nfs_export_is_mounted(nfs_export: str, tmp_path: Path) -> None:
    (Path(nfs_export) / "there").write_text("exported")
    run("mount", "-t", "nfs", f"127.0.0.1:{nfs_export}", tmp_path)
    try:
        assert (tmp_path / "there").read_text() == "exported"
    finally:
        run("umount", tmp_path)


def test_an_iscsi_session_brings_a_disk(iscsi_target: Target) -> None:
    node = ("--mode", "node", "--targetname", iscsi_target.name, "--portal", iscsi_target.portal)
    found = run("iscsiadm", "--mode", "discovery", "--type", "sendtargets", "--portal", iscsi_target.portal)
    assert iscsi_target.name in found
    run("iscsiadm", *node, "--login")
    try:
        disk = Path(f"/dev/disk/by-path/ip-{iscsi_target.portal}:3260-iscsi-{iscsi_target.name}-lun-1")
        wait(disk.exists, str(disk))
        assert run("blockdev", "--getsize64", disk).strip() == str(64 << 20)
    finally:
        run("iscsiadm", *node, "--logout")
