# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files in conf/ and docs/man/ that are made from what the code declares.

``python -m virtproxy.daemon.written`` writes them. A developer runs it in the project's directory after a change of
keys, templates, rows or units; a test compares. It must write nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from virtproxy.daemon.catalogue import ROWS, Kind
from virtproxy.daemon.conf_file import conf_file, template
from virtproxy.daemon.manual import manual
from virtproxy.daemon.units import units


def written() -> dict[str, str]:
    """Return the text of each file by its path below the project's directory."""
    files = {f"conf/{row.config_name}": conf_file(row) for row in ROWS.values()}
    files["conf/sasl2/libvirt.conf"] = template("sasl.conf")
    files["conf/secret.conf"] = template("secret.conf")
    for row in ROWS.values():
        if row.kind is not Kind.PROXY:
            files[f"docs/man/{row.name}.rst"] = manual(row)
        files |= {f"conf/systemd/{name}": text for name, text in units(row).items()}
    return files


def main() -> int:
    """Write what differs, and name it; return the exit status."""
    root = Path(__file__).parents[2]
    for name, text in written().items():
        path = root / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
