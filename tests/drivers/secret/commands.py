# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virsh commands that test_against_libvirt.py gives to both daemons, and the files that they read.

`@` stands for the directory of the files; what follows ` < ` goes to the standard input.
"""

from __future__ import annotations

U = "11111111-2222-3333-4444-55555555555"
NONE = "12345678-2222-3333-4444-555555555550"
LAST = "99999999-2222-3333-4444-555555555550"
DOCUMENTS = {
    "volume": f"<secret private='yes'><uuid>{U}1</uuid><usage type='volume'><volume>/v/a</volume></usage></secret>",
    "ceph": f"<secret><uuid>{U}2</uuid><description/><usage type='ceph'><name>c k</name></usage></secret>",
    "iscsi": f"<secret ephemeral='yes'><uuid>{U}3</uuid><usage type='iscsi'><target>t</target></usage></secret>",
    "tls": f"<secret><uuid>{U}4</uuid><usage type='tls'><name>x</name></usage></secret>",
    "vtpm": f"<secret private='yes'><uuid>{U}5</uuid><usage type='vtpm'><name>v</name></usage></secret>",
    "bare": "<secret/>",
    "taken": "<secret><usage type='ceph'><name>c k</name></usage></secret>",
    "other": f"<secret><uuid>{U}2</uuid><usage type='ceph'><name>other</name></usage></secret>",
    "public": f"<secret><uuid>{U}1</uuid><usage type='volume'><volume>/v/a</volume></usage></secret>",
    "kept": f"<secret><uuid>{U}3</uuid><usage type='iscsi'><target>t</target></usage></secret>",
    "wrong": "<network/>",
    "odd": f"<secret><odd/><uuid>{U}6</uuid></secret>",
    "last": f"<secret><uuid>{LAST}</uuid></secret>",
    "base64": "aGVsbG8h",
    "plain": "hello \x01 plain",
    "large": "x" * 65536,
    "too-large": "x" * 65537,
}
COMMANDS = [
    "secret-list", "secret-define @volume", "secret-define @ceph", "secret-define @iscsi", "secret-define @tls",
    "secret-define @vtpm", "secret-define @bare", "secret-define @taken", "secret-define @other",
    "secret-define @public", "secret-define @wrong", "secret-define @odd --validate", "secret-define @ceph --validate",
    "secret-define @odd", "secret-define @missing", "secret-undefine " + U + "6",
    "secret-list", "secret-list --ephemeral", "secret-list --no-ephemeral", "secret-list --private",
    "secret-list --no-private", "secret-list --private --ephemeral", "secret-list --no-private --no-ephemeral",
    f"secret-dumpxml {U}1", f"secret-dumpxml {U}2", f"secret-dumpxml {U}3", f"secret-dumpxml {U}4",
    f"secret-dumpxml {U}5", f"secret-dumpxml {NONE}", "secret-dumpxml zz",
    f"secret-get-value {U}1", f"secret-get-value {U}2", f"secret-get-value {NONE}",
    f"secret-set-value {U}2 --base64 aGVsbG8=", f"secret-get-value {U}2", f"secret-get-value {U}2 --plain",
    f"secret-set-value {U}2 aGVsbG8h", f"secret-get-value {U}2", f"secret-set-value {U}2 !!",
    f"secret-set-value {U}2 --file @base64", f"secret-get-value {U}2",
    f"secret-set-value {U}2 --file @plain --plain", f"secret-get-value {U}2 --plain",
    f"secret-set-value {U}2 --file @large --plain", f"secret-set-value {U}2 --file @too-large --plain",
    f"secret-set-value {U}2 --file @missing", f"secret-set-value {U}2 --interactive < typed\n",
    f"secret-get-value {U}2 --plain", f"secret-set-value {U}2 --interactive", f"secret-set-value {U}2",
    f"secret-set-value {U}2 --file @base64 --interactive", f"secret-set-value {NONE} aGVsbG8=",
    f"secret-set-value {U}1 aGVsbG8=", f"secret-get-value {U}1", f"secret-set-value {U}3 ZXBoZW1lcmFs",
    f"secret-get-value {U}3 --plain", "secret-define @kept", f"secret-get-value {U}3 --plain",
    "secret-define @iscsi", f"secret-get-value {U}3 --plain", f"secret-dumpxml {U}3", f"secret-set-value {U}5 eA==",
    f"secret-undefine {U}3", f"secret-undefine {U}3", f"secret-undefine {U}5", f"secret-undefine {NONE}",
    "secret-define @iscsi", f"secret-get-value {U}3", "secret-list", "secret-event --list", "uri --bad", "hostname",
    "list --all", "net-list", "pool-list", "nodeinfo", "capabilities", "version",
]  # fmt: skip
